"""Where a process lives, read from its control groups: a systemd unit, a container, a Kubernetes pod.

Forms of the paths: systemd.slice(5) for units; Docker, containerd, CRI-O and Podman name a container by 64 hexadecimal
digits, with the systemd driver as ``docker-ID.scope``, with cgroupfs as a folder of that name; the kubelet names a pod
``pod<uid>``, in slices with underscores for dashes.
"""

import re
from dataclasses import dataclass
from typing import Final

_CONTAINER = re.compile(r"(?:^|[/:])(?:([a-z][a-z0-9_-]*?)-)?([0-9a-f]{64})(?=\.scope|$|/)")
_POD = re.compile(r"pod([0-9a-f]{8}[-_](?:[0-9a-f]{4}[-_]){3}[0-9a-f]{12}|[0-9a-f]{32})(?=\.slice|$|[/:])")
_NAMED = re.compile(r"/lxc(?:\.payload\.|/)([^/]+)")
_SLURM = re.compile(r"/slurm(?:stepd\.scope|(?:_[^/]+)?)/(?:.*?/)?job_(\d+)(?=/|$)")
_PASSING = re.compile(
    r"run-[ru]?[0-9a-f-]+\.(scope|service)|session-[^/]+\.scope|(app|vte-spawn|dbus|snap)-.*\.scope|user@\d+\.service"
)
_UNIT = re.compile(r"\.(service|scope|slice)$")
_RUNTIMES: Final = {
    "cri-containerd": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "libpod-payload": "podman",
    "libpod_parent": "podman",
    "docker": "docker",
    "nerdctl": "containerd",
    "default": "containerd",
    "podman": "podman",
}
_SHORT: Final = 12
_SYSTEMD: Final = ("", "name=systemd")


@dataclass(frozen=True, slots=True)
class Home:
    """Where a process lives; what does not apply is empty.

    Attributes:
        unit: the systemd unit. One whose name is made up anew at every start (``session-4.scope``, ``run-r1f.scope``)
            is replaced by the slice around it, so that names stay few.
        container: runtime and the id's first twelve digits, as in ``docker/3f2a9c0d1e4b``; ``lxc/NAME``;
            ``slurm/JOB``.
        pod_uid: the Kubernetes pod.
    """

    unit: str = ""
    container: str = ""
    pod_uid: str = ""


def parse_cgroup(text: str) -> Home:
    """The home that the text of ``/proc/PID/cgroup`` tells (format: cgroups(7), versions 1 and 2, or both at once)."""
    paths = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            paths[parts[1]] = parts[2]
    for path in sorted(set(paths.values()), key=len, reverse=True):
        home = _contained(path)
        if home is not None:
            return home
    return Home(unit=next((unit for name in _SYSTEMD if (unit := _unit(paths.get(name, "")))), ""))


def _contained(path: str) -> Home | None:
    """The innermost container of a path, None where there is none; helpers beside a container are not in it."""
    found = [match for match in _CONTAINER.finditer(path) if match[1] not in {"libpod-conmon", "crio-conmon"}]
    pods = _POD.findall(path)
    pod = pods[-1].replace("_", "-") if pods else ""
    if found:
        match = found[-1]
        return Home(
            _service(path[: match.start()]) if not pod else "", f"{_runtime(path, match)}/{match[2][:_SHORT]}", pod
        )
    if pod:
        return Home(pod_uid=pod)
    for pattern, kind in ((_NAMED, "lxc"), (_SLURM, "slurm")):
        if named := pattern.search(path):
            return Home(container=f"{kind}/{named[1]}")
    return None


def _runtime(path: str, match: re.Match[str]) -> str:
    folder = re.split("[/:]", path[: match.start()])[-1]
    prefix = match[1] or folder
    return _RUNTIMES.get(prefix, "container" if match[1] is None else prefix)


def _service(path: str) -> str:
    """The last service of a path that is more than a user's own systemd: a container that a unit runs as its own."""
    services = [part for part in path.split("/") if part.endswith(".service") and not _PASSING.fullmatch(part)]
    return services[-1] if services else ""


def _unit(path: str) -> str:
    units = [part for part in path.split("/") if _UNIT.search(part) and not _PASSING.fullmatch(part)]
    own = [part for part in units if not part.endswith(".slice")]
    return (own or units or [""])[-1]
