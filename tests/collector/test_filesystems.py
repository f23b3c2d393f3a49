import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.samplers.host.filesystems import Filesystems
from collector.samplers.host.mounts import Writability, choose, parse_mountinfo
from collector.settings import IGNORED_FILESYSTEMS, IGNORED_MOUNTPOINTS, HostSettings
from collector.source import CollectError
from tests.support.dead_mount import can_mount, dead_mount

MOUNTINFO = r"""21 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
22 21 0:20 / /proc rw,nosuid - proc proc rw
23 21 0:21 / /dev/shm rw,nosuid - tmpfs tmpfs rw
24 21 259:1 / /boot/efi rw,relatime - vfat /dev/nvme0n1p1 rw
25 21 259:2 /srv/models /srv/models rw,relatime - ext4 /dev/nvme0n1p2 rw
26 21 0:44 / /mnt/shared\040space rw,relatime shared:9 - nfs4 nas:/vol rw,vers=4.2
27 21 0:45 / /lustre rw - lustre mds@tcp:/fs rw
28 21 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
29 21 0:50 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw,lowerdir=x
30 21 259:5 / /old rw - xfs /dev/sdb1 rw
31 21 259:6 / /old rw - xfs /dev/sdc1 rw
33 21 252:1 / /var/snap/microk8s/common/var/lib/kubelet/pods/1/volumes/disk rw - ext4 /dev/rbd0 rw
34 21 252:2 / /var/lib/kubelet/plugins/kubernetes.io/csi/2/globalmount rw - ext4 /dev/rbd1 rw
32 21 259:7 /docker/hosts /etc/hosts rw - ext4 /dev/sdd1 rw
"""
PATIENT = HostSettings(statvfs_timeout=60)


def test_one_mount_point_for_each_file_system_that_can_fill() -> None:
    mounts = parse_mountinfo(MOUNTINFO)
    chosen = choose(mounts, IGNORED_FILESYSTEMS, IGNORED_MOUNTPOINTS)
    assert [mount.mountpoint for mount in chosen] == ["/", "/boot/efi", "/lustre", "/mnt/shared space", "/old"]
    assert next(mount.device for mount in reversed(mounts) if mount.mountpoint == "/old") == "259:6"


def test_the_root_of_a_container_is_watched_although_it_is_an_overlay() -> None:
    text = "1 0 0:9 / / rw - overlay overlay rw\n2 1 259:7 /x /etc/hosts rw - ext4 /dev/sda rw\nnonsense\n"
    chosen = choose(parse_mountinfo(text), IGNORED_FILESYSTEMS, IGNORED_MOUNTPOINTS)
    assert [mount.mountpoint for mount in chosen] == ["/"]


def told(writability: Writability, text: str) -> tuple[bool, bool]:
    """Whether the last mount of a list is read-only, and whether the kernel made it so."""
    mounts = parse_mountinfo(text)
    writability.look(mounts)
    return writability.readonly(mounts[-1]), writability.forced(mounts[-1])


def line(mountpoint: str, here: str, whole: str, device: str = "259:2") -> str:
    return f"21 1 {device} / {mountpoint} {here} shared:1 - ext4 /dev/sda {whole}\n"


@pytest.mark.parametrize(
    ("here", "whole", "expected"),
    [
        ("rw,relatime", "rw,errors=remount-ro", (False, False)),
        ("ro,relatime", "ro,errors=remount-ro", (True, False)),
        ("rw,relatime", "ro,errors=remount-ro", (True, True)),
        ("ro,nosuid", "rw", (True, False)),
        ("rw", "rw,errors=remount-ro,emergency_ro", (True, True)),
        ("rw", "rw,shutdown", (True, True)),
    ],
)
def test_a_mount_that_the_kernel_made_read_only_is_told_from_one_that_is_meant_to_be(
    here: str, whole: str, expected: tuple[bool, bool]
) -> None:
    assert told(Writability(), line("/data", here, whole)) == expected


def test_in_a_sandbox_what_took_writes_and_takes_none_was_made_read_only() -> None:
    writability = Writability()
    root = line("/", "ro", "rw", "259:1")
    assert told(writability, root + line("/data", "ro", "rw")) == (False, False)
    assert told(writability, root + line("/cold", "ro", "ro", "259:9")) == (True, False)  # was never otherwise
    assert told(writability, root + line("/data", "ro", "rw")) == (False, False)
    assert told(writability, root + line("/data", "ro", "ro")) == (True, True)
    assert told(writability, root + line("/data", "ro", "ro", "259:7")) == (True, False)  # another one in its place


def test_in_a_sandbox_the_root_is_no_exception() -> None:
    writability = Writability()
    assert told(writability, line("/", "ro", "rw")) == (False, False)
    assert told(writability, line("/", "ro", "ro")) == (True, True)
    assert told(writability, line("/", "ro", "ro")) == (True, True)  # and stays so


async def test_files_are_counted_where_the_file_system_sets_a_number(tmp_path: Path) -> None:
    here = os.statvfs("/")

    def statvfs(path: str) -> os.statvfs_result:
        return os.statvfs_result((*here[:5], 1000 if path == "/ext4" else 0, 7, 5, *here[8:]))

    source = Filesystems(PATIENT, patience=60, statvfs=statvfs, mountinfo=mountinfo(tmp_path, "/ext4", "/btrfs"))
    found = await look(source)
    await source.close()
    assert (found["/ext4"]["files"], found["/ext4"]["files_free"]) == (1000, 7)
    assert "files" not in found["/btrfs"]


async def test_what_is_meant_to_be_read_only_cannot_fill(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    image, share, broken = (
        line("/image", "ro", "ro"),
        line("/share", "ro", "rw", "8:1"),
        line("/data", "rw", "ro", "8:2"),
    )
    file.write_text(image + share + broken)
    full = os.statvfs_result((4096, 4096, 10, 0, 0, 5, 0, 0, 0, 255))
    source = Filesystems(PATIENT, patience=60, statvfs=lambda _: full, mountinfo=file)
    found = await look(source)
    await source.close()
    assert {"size_bytes", "files"} < set(found["/image"])
    assert {"avail_bytes", "files_free"}.isdisjoint(found["/image"])
    for path in ("/share", "/data"):  # others write to the one, and the other was written to until it broke
        assert (found[path]["avail_bytes"], found[path]["files_free"]) == (0, 0)


async def test_what_may_not_be_looked_at_is_left_out_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path == "/home/ann/remote":
            raise PermissionError(13, "Permission denied")
        return os.statvfs("/")

    source = Filesystems(
        HostSettings(statvfs_timeout=60),
        patience=60,
        statvfs=statvfs,
        mountinfo=mountinfo(tmp_path, "/home/ann/remote", "/data"),
    )
    with caplog.at_level(logging.INFO):
        assert [set(await look(source)) for _ in range(2)] == [{"/data"}] * 2
    await source.close()
    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def mountinfo(tmp_path: Path, *mountpoints: str) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text("".join(f"{n} 1 8:{n} / {path} rw - xfs /dev/x rw\n" for n, path in enumerate(mountpoints)))
    return file


async def look(source: Filesystems) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for sample in await source.collect():
        what = sample.key.name.removeprefix("forewarn_node_filesystem_")
        found.setdefault(sample.key.label("mountpoint"), {})[what] = sample.value
    return found


def state(*, stuck: int = 0, error: int = 0) -> dict[str, float]:
    """What is told of a mount whose space is not known."""
    return {"stuck": stuck, "error": error, "readonly": 0, "forced_readonly": 0}


async def test_the_space_of_the_file_systems_here() -> None:
    source = Filesystems(PATIENT, patience=60)
    found = await look(source)
    await source.close()
    here = os.statvfs("/")
    assert found["/"]["size_bytes"] == here.f_blocks * here.f_frsize
    assert abs(found["/"]["avail_bytes"] - here.f_bavail * here.f_frsize) < 2**30
    assert (found["/"]["stuck"], found["/"]["error"]) == (0, 0)
    assert "/proc" not in found


@pytest.mark.timed
async def test_a_stuck_mount_is_named_and_stops_no_other(
    tmp_path: Path, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "collector.samplers.host.filesystems")

    def statvfs(path: str) -> os.statvfs_result:
        if path == "/nfs":
            gate.wait()
        return os.statvfs("/")

    source = Filesystems(
        HostSettings(statvfs_timeout=0.5), patience=60, statvfs=statvfs, mountinfo=mountinfo(tmp_path, "/data", "/nfs")
    )
    for _ in range(2):
        found = await look(source)
        assert found["/nfs"] == state(stuck=1)
        assert found["/data"]["size_bytes"] > 0
    started = time.monotonic()
    await look(source)
    assert time.monotonic() - started < 0.4  # it is known to be stuck: nobody waits for it again
    assert sum(thread.name == "statvfs /nfs" for thread in threading.enumerate()) == 1
    gate.set()
    end = time.monotonic() + 60
    while "size_bytes" not in (await look(source))["/nfs"]:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    await source.close()
    assert [(record.levelname, record.mountpoint) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("WARNING", "/nfs"),
        ("INFO", "/nfs"),
    ]


@pytest.mark.timed
@pytest.mark.skipif(not can_mount(), reason="needs root and /dev/fuse")
async def test_a_statvfs_that_hangs_in_the_kernel_stops_nothing_else(tmp_path: Path) -> None:
    with dead_mount(tmp_path) as dead:
        source = Filesystems(HostSettings(statvfs_timeout=0.3), patience=60)
        found = await look(source)
        assert found[str(dead)] == state(stuck=1)
        assert found["/"]["size_bytes"] > 0
    await source.close()


async def test_a_mount_that_answers_with_an_error(tmp_path: Path) -> None:
    source = Filesystems(PATIENT, patience=60, mountinfo=mountinfo(tmp_path, str(tmp_path), "/nowhere-at-all"))
    found = await look(source)
    await source.close()
    assert found["/nowhere-at-all"] == state(error=1)
    assert found[str(tmp_path)]["avail_bytes"] > 0


async def test_the_thread_of_a_mount_that_is_gone_ends(tmp_path: Path) -> None:
    source = Filesystems(PATIENT, patience=60, mountinfo=mountinfo(tmp_path, str(tmp_path)))
    await look(source)
    assert any(thread.name == f"statvfs {tmp_path}" for thread in threading.enumerate())
    mountinfo(tmp_path)
    assert await look(source) == {}
    end = time.monotonic() + 60
    while any(thread.name == f"statvfs {tmp_path}" for thread in threading.enumerate()):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    await source.close()


async def test_no_list_of_mounts_is_a_failure(tmp_path: Path) -> None:
    source = Filesystems(PATIENT, patience=60, mountinfo=tmp_path / "none")
    with pytest.raises(CollectError) as caught:
        await source.collect()
    await source.close()
    assert caught.value.code == "mounts"
