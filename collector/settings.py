"""What the operator may say about collecting: the ``[collector]`` part of the configuration."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from forewarn.base.address import Address
from forewarn.base.types import Bytes, Seconds, Settings

BUNDLED_WORKER = "worker"
IGNORED_FILESYSTEMS = (
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.snapfuse",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
)
IGNORED_MOUNTPOINTS = (
    "*/kubelet/plugins/*",  # volumes of pods, wherever a distribution puts them
    "*/kubelet/pods/*",
    "/dev/*",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/proc/*",
    "/run/docker/*",
    "/run/user/*",
    "/snap/*",
    "/sys/*",
    "/var/lib/containers/*",
    "/var/lib/docker/*",
)


def _target(text: str) -> str:
    try:
        reachable = Address.parse(text).port > 0
    except ValueError:
        reachable = False
    if not reachable:
        raise ValueError(f"{text!r} is no target; write it like host:443 or [2001:db8::1]:443")
    return text


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is no address; write it like http://127.0.0.1:8000/metrics")
    if parts.username is not None:
        raise ValueError("an address holds no user or password; use bearer_token_file, or username and password_file")
    return text


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Target = Annotated[str, AfterValidator(_target)]


class HostSettings(Settings):
    """What is read of the host itself."""

    cpu: bool = Field(True, description="Processors, load, pressure, limits of the kernel, its clock.")
    memory: bool = Field(True, description="Memory, swapping, processes killed for want of it, NUMA nodes.")
    disks: bool = Field(True, description="Operations, bytes and times, by block device.")
    disk_health: bool = Field(True, description="State and wear of NVMe drives, members of software RAID.")
    network: bool = Field(True, description="Bytes, packets and errors by network interface, links, bonds, sockets.")
    infiniband: bool = Field(True, description="State and counters of InfiniBand and RoCE ports.")
    sensors: bool = Field(True, description="Temperatures, errors of memory and PCI, processors slowed down.")
    filesystems: bool = Field(True, description="Space and files of each mounted file system.")
    ignore_devices: tuple[str, ...] = Field(
        ("loop*", "ram*", "zram*", "sr*", "fd*"), description="Block devices to leave out; * and ? as in file names."
    )
    ignore_interfaces: tuple[str, ...] = Field(
        (
            "lo",
            "veth*",
            "cali*",
            "cilium*",
            "lxc*",
            "cni*",
            "flannel*",
            "docker*",
            "podman*",
            "br-*",
            "virbr*",
            "tap*",
            "ifb*",
            "dummy*",
            "kube-ipvs*",
            "nodelocaldns",
            "eni*",  # pods on Amazon's, Google's and Azure's Kubernetes
            "gke*",
            "azv*",
            "vnet*",  # machines of libvirt
            "nerdctl*",
        ),
        description="Network interfaces to leave out.",
    )
    ignore_filesystems: tuple[str, ...] = Field(
        IGNORED_FILESYSTEMS, description="File system types to leave out; the root is always watched."
    )
    ignore_mountpoints: tuple[str, ...] = Field(
        IGNORED_MOUNTPOINTS, description="Mount points to leave out; * also matches slashes."
    )
    statvfs_timeout: Seconds = Field(
        2.0, gt=0, description="A file system that answers no sooner counts as stuck; the others go on."
    )


class NetworkSettings(Settings):
    """Far ends whose latency is watched by timing a TCP connect."""

    targets: tuple[Target, ...] = Field((), max_length=100, description='Far ends as "host:port".')
    timeout: Seconds = Field(2.0, gt=0, description="A connect that takes longer counts as failed.")
    window: Seconds = Field(
        300.0, gt=0, le=3600, description="How far back loss and the smallest, mean and largest latency look."
    )


class NvmlSettings(Settings):
    """NVIDIA GPUs, read through NVML in a process of its own."""

    enabled: bool = Field(True, description="Whether GPUs are looked for; a node without any is fine.")
    processes: bool = Field(True, description="Who uses the GPUs: by user, unit or container, and command.")
    kernel_log: str = Field(
        "auto",
        pattern="^(auto|journald|off|/.+)$",
        description="Second witness of XID errors: auto (/dev/kmsg, else journald), journald, off, or a device's path; "
        "read at the start only.",
    )
    kernel_log_since_boot: bool = Field(
        False, description="Whether XID errors that were logged since the boot, before the start, count too."
    )
    root: Path = Field(
        Path("/"), description="Where /proc, /sys and /dev are looked at for what is wrong with a driver."
    )


class CanarySettings(Settings):
    """A tiny completion that is asked for again and again, so that latency is known when nobody else asks."""

    base_url: HttpUrl | None = Field(
        None, description="Where /v1/completions lives; without it, the host and port of the endpoint's url."
    )
    model: str | None = Field(None, description="Model to ask; without it, the first that /v1/models names.")
    prompt: str = Field("ping", min_length=1, description="What to ask.")
    max_tokens: int = Field(
        4, ge=1, le=16, description="Tokens to ask for; with two or more the time between tokens is known too."
    )
    interval: Seconds = Field(5.0, ge=1, description="Time between two requests.")
    timeout: Seconds = Field(10.0, gt=0, description="A request that takes longer counts as failed.")


class EndpointSettings(Settings):
    """A page of metrics in Prometheus' text format: vLLM, SGLang, TGI, Triton or any other."""

    url: HttpUrl = Field(description="Address of the page, such as http://127.0.0.1:8000/metrics.")
    name: str = Field("", description="Value of the label endpoint; without it, host and port of the url.")
    model: str = Field("", description="Value of the label model_name where the server does not tell its model.")
    allow: tuple[str, ...] = Field(
        (), description="Further metrics to keep, by name with * and ?, beside those that Forewarn knows."
    )
    timeout: Seconds = Field(3.0, gt=0, description="Deadline for the page; at most 0.6 of the interval counts.")
    max_bytes: Bytes = Field(4 * 2**20, gt=0, description="A larger page is refused.")
    bearer_token_file: Path | None = Field(None, description="File that holds the token to send, if one is asked.")
    username: str | None = Field(
        None, min_length=1, pattern=r"^[^:]*$", description="User to send with the password, if one is asked."
    )
    password_file: Path | None = Field(None, description="File that holds the password to send.")
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) to trust for https; without it, those that the system trusts."
    )
    client_certificate_file: Path | None = Field(None, description="Certificate (PEM) to show, if one is asked.")
    client_key_file: Path | None = Field(
        None, description="Its key (PEM, not encrypted), unless it is in the same file."
    )
    canary: CanarySettings | None = Field(None, description="Ask for a tiny completion every few seconds.")

    @property
    def label(self) -> str:
        """The endpoint's name in labels."""
        return self.name or urlsplit(self.url).netloc

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        if self.username is not None and self.bearer_token_file is not None:
            raise ValueError("bearer_token_file and password_file exclude each other: one request takes one of them")
        if self.client_key_file is not None and self.client_certificate_file is None:
            raise ValueError("client_key_file needs client_certificate_file")
        return self


class CollectorSettings(Settings):
    """Collecting: how often, and from where."""

    interval: Seconds = Field(5.0, ge=1, le=300, description="Time between two rounds.")
    host: HostSettings = Field(HostSettings(), description="The host itself.")
    network: NetworkSettings = Field(NetworkSettings(), description="Latency to far ends.")
    nvml: NvmlSettings = Field(NvmlSettings(), description="NVIDIA GPUs.")
    endpoint: tuple[EndpointSettings, ...] = Field((), max_length=50, description="Inference servers and exporters.")

    @property
    def patience(self) -> float:
        """The longest that a single call may take, in seconds, so that its round still ends in time."""
        return 0.6 * self.interval

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        labels = [endpoint.label for endpoint in self.endpoint]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two endpoints are called {twice[0]!r}; give each a name of its own")
        if BUNDLED_WORKER in labels:
            raise ValueError(f"the endpoint name {BUNDLED_WORKER!r} is that of the bundled worker; choose another")
        return self
