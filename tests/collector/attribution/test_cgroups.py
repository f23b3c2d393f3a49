"""Where a process lives, from control groups as the systems of the field write them."""

import pytest

from collector.attribution.cgroups import Home, parse_cgroup

ID = "3f2a9c0d1e4b" + "5" * 52
OTHER_ID = "a" * 64
SHORT = "3f2a9c0d1e4b"
UID = "2f8a9b1c-3d4e-4f5a-8b6c-7d8e9f0a1b2c"
UNDERSCORED = UID.replace("-", "_")
BURSTABLE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDERSCORED}.slice"
IN_KIND = f"/docker/{OTHER_ID}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UNDERSCORED}.slice"

CASES = {
    "systemd service, v2": ("0::/system.slice/vllm.service", Home("vllm.service")),
    "service instance": ("0::/system.slice/system-vllm.slice/vllm@0.service", Home("vllm@0.service")),
    "service with a delegated tree": ("0::/system.slice/ray.service/workers/3", Home("ray.service")),
    "user's own service": (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service",
        Home("jupyter.service"),
    ),
    "login session": ("0::/user.slice/user-1000.slice/session-42.scope", Home("user-1000.slice")),
    "user's terminal": (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1b2c.scope",
        Home("app.slice"),
    ),
    "systemd-run": ("0::/system.slice/run-rb0a1c2d3.scope", Home("system.slice")),
    "nspawn": ("0::/machine.slice/machine-gpu1.scope/payload", Home("machine-gpu1.scope")),
    "the root": ("0::/", Home()),
    "v1 only": (
        "9:name=systemd:/system.slice/vllm.service\n8:pids:/system.slice/vllm.service\n4:memory:/",
        Home("vllm.service"),
    ),
    "hybrid": ("9:name=systemd:/system.slice/a.service\n0::/system.slice/b.service", Home("b.service")),
    "docker, systemd driver": (f"0::/system.slice/docker-{ID}.scope", Home(container=f"docker/{SHORT}")),
    "docker, cgroupfs v1": (
        f"11:devices:/docker/{ID}\n10:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}",
        Home(container=f"docker/{SHORT}"),
    ),
    "docker in docker": (f"0::/docker/{OTHER_ID}/docker/{ID}", Home(container=f"docker/{SHORT}")),
    "kubernetes, containerd, systemd driver": (
        f"0::{BURSTABLE}/cri-containerd-{ID}.scope",
        Home(container=f"containerd/{SHORT}", pod_uid=UID),
    ),
    "kubernetes, guaranteed, CRI-O": (
        f"0::/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/crio-{ID}.scope/container",
        Home(container=f"cri-o/{SHORT}", pod_uid=UID),
    ),
    "kubernetes, cgroupfs v1": (
        f"4:memory:/kubepods/besteffort/pod{UID}/{ID}",
        Home(container=f"container/{SHORT}", pod_uid=UID),
    ),
    "kubernetes, containerd, colons": (
        f"1:name=systemd:/system.slice/containerd.service/kubepods-burstable-pod{UNDERSCORED}.slice:cri-containerd:{ID}",
        Home(container=f"containerd/{SHORT}", pod_uid=UID),
    ),
    "kubernetes, static pod": (
        f"0::/kubepods/burstable/pod{'0a' * 16}/{ID}",
        Home(container=f"container/{SHORT}", pod_uid="0a" * 16),
    ),
    "kind": (
        f"0::{IN_KIND}/cri-containerd-{ID}.scope",
        Home(container=f"containerd/{SHORT}", pod_uid=UID),
    ),
    "podman": (f"0::/machine.slice/libpod-{ID}.scope/container", Home(container=f"podman/{SHORT}")),
    "podman, rootless": (
        f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
        Home(container=f"podman/{SHORT}"),
    ),
    "podman, quadlet": (
        f"0::/system.slice/vllm.service/libpod-payload-{ID}",
        Home("vllm.service", f"podman/{SHORT}"),
    ),
    "podman, the helper beside it": (
        f"0::/machine.slice/libpod-conmon-{ID}.scope",
        Home(f"libpod-conmon-{ID}.scope"),
    ),
    "nerdctl": (f"0::/system.slice/nerdctl-{ID}.scope", Home(container=f"containerd/{SHORT}")),
    "containerd's own namespace": (f"0::/default/{ID}", Home(container=f"containerd/{SHORT}")),
    "lxc": ("0::/lxc.payload.research/init.scope", Home(container="lxc/research")),
    "slurm, v2": ("0::/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0", Home(container="slurm/4711")),
    "slurm, v1": ("4:memory:/slurm/uid_1000/job_4711/step_0", Home(container="slurm/4711")),
    "seen from a control group namespace": (
        f"0::/../../system.slice/docker-{ID}.scope",
        Home(container=f"docker/{SHORT}"),
    ),
    "nothing": ("", Home()),
    "garbage": ("no such line\n::\n", Home()),
}


@pytest.mark.parametrize("case", CASES)
def test_home(case: str) -> None:
    text, home = CASES[case]
    assert parse_cgroup(text + "\n") == home


def test_sixty_four_digits_that_are_none_are_no_container() -> None:
    assert parse_cgroup(f"0::/system.slice/build-{'g' * 64}.service").container == ""
