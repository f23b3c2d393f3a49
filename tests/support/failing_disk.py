"""A file system that shows what is in a folder, and fails for those of its files that a test names.

Its server is a process of its own that speaks the kernel's FUSE protocol (linux/fuse.h) over /dev/fuse: whoever waits
for it in a system call cannot keep it from answering. Nothing can be written through it; a test writes to the folder.
"""

import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.dead_mount import DEVICE, detach, mount, mounts_apart

_ROOT = Path(__file__).parents[2]
_REQUEST = struct.Struct("=IIQQIIIHH")
_ANSWER = struct.Struct("=IiQ")
_READ = struct.Struct("=QQIIQII")
_ATTRIBUTES = struct.Struct("=6Q10I")
_ENTRY = struct.Struct("=4Q2I")
_MOST_BYTES = 256 * 1024
_DIRECT_IO = 1
_BASIC, _BIRTH = 0x7FF, 0x800
"""Masks of statx(2)."""

Rules = dict[str, dict[str, int]]


class FailingDisk:
    """The mounted folder.

    Args:
        folder: what it shows.
        path: where it is mounted.
        rules: the file that tells the server what fails.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, folder: Path, path: Path, rules: Path) -> None:
        self.path = path
        self._folder = folder
        self._file = rules
        self._rules: Rules = {}
        self._write()

    def fail(self, name: str, *, behind: int = 0, error: int = errno.EIO, stat: bool = False) -> None:
        """Let every reading of bytes of a file fail, whatever it is called by then.

        Args:
            name: its name now.
            behind: offset of the first byte that cannot be read.
            error: how it fails.
            stat: whether nothing can be said of the file either, as with a stale handle of NFS.
        """
        inode = (self._folder / name).stat().st_ino
        self._rules[str(inode)] = {"behind": behind, "error": error, "stat": int(stat)}
        self._write()

    def mend(self, name: str) -> None:
        """Let a file be read again."""
        del self._rules[str((self._folder / name).stat().st_ino)]
        self._write()

    def _write(self) -> None:
        scratch = self._file.with_suffix(".new")
        scratch.write_text(json.dumps(self._rules))
        scratch.replace(self._file)


@contextmanager
def failing_disk(directory: Path) -> Iterator[tuple[Path, FailingDisk]]:
    """Mount a folder elsewhere, for this thread and for what it starts meanwhile; gives the folder and the disk.

    Raises:
        OSError: the kernel refuses the mount.
    """
    folder, path, rules = directory / "written", directory / "mounted", directory / "rules.json"
    folder.mkdir()
    path.mkdir()
    disk = FailingDisk(folder, path, rules)
    with mounts_apart():
        device = os.open(DEVICE, os.O_RDWR)
        command = [sys.executable, "-P", str(Path(__file__)), str(device), str(folder), str(rules)]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        mount(path, f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions")
        server = subprocess.Popen(command, pass_fds=[device], env=environment)
        os.close(device)
        try:
            yield folder, disk
        finally:
            server.kill()
            server.wait()
            detach(path)


class _Server:
    """Answers the kernel's requests, one after the other."""

    def __init__(self, device: int, folder: Path, rules: Path) -> None:
        self._device = device
        self._rules = rules
        self._nodes = {1: os.open(folder, os.O_PATH)}
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._lookup,
            3: self._attributes,
            14: self._open,
            15: self._read,
            18: lambda _node, body: self._release(body),
            25: lambda _node, _body: b"",
            26: lambda _node, body: self._begin(body),
            27: lambda _node, _body: struct.pack("=QIi", 0, 0, 0),
            28: self._list,
            29: lambda _node, _body: b"",
            52: self._status,
        }

    def serve(self) -> None:
        """Answer until the file system is unmounted."""
        while True:
            try:
                request = os.read(self._device, _MOST_BYTES + 4096)
            except OSError as failed:
                if failed.errno == errno.ENODEV:
                    return
                raise
            _, kind, number, node, *_ = _REQUEST.unpack_from(request)
            if kind in {2, 36, 42}:  # forgotten nodes and interrupted calls: nobody waits for an answer
                continue
            error, data = 0, b""
            try:
                data = self._answers[kind](node, request[_REQUEST.size :])
            except KeyError:
                error = errno.ENOSYS
            except OSError as failed:
                error = failed.errno or errno.EIO
            os.write(self._device, _ANSWER.pack(_ANSWER.size + len(data), -error, number) + data)

    def _begin(self, body: bytes) -> bytes:
        major, minor, ahead, _ = struct.unpack_from("=4I", body)
        return struct.pack("=4I2H2I2H", major, minor, ahead, 0, 16, 12, _MOST_BYTES, 1, 64, 0).ljust(64, b"\0")

    def _lookup(self, node: int, body: bytes) -> bytes:
        place = os.open(body.rstrip(b"\0"), os.O_PATH | os.O_NOFOLLOW, dir_fd=self._nodes[node])
        inode = os.fstat(place).st_ino
        if self._nodes.setdefault(inode, place) != place:
            os.close(place)
        return _ENTRY.pack(inode, 0, 0, 0, 0, 0) + _packed(os.fstat(self._nodes[inode]))

    def _attributes(self, node: int, _body: bytes) -> bytes:
        self._check(node, "stat")
        return struct.pack("=QII", 0, 0, 0) + _packed(os.fstat(self._nodes[node]))

    def _status(self, node: int, _body: bytes) -> bytes:
        """Of the file and its time of birth, which only this call tells: a file's inode here, for they are its own."""
        self._check(node, "stat")
        found = os.fstat(self._nodes[node])
        times = (found.st_atime_ns, found.st_ino * 10**9, found.st_ctime_ns, found.st_mtime_ns)
        return (
            struct.pack("=QII2Q", 0, 0, 0, 0, 0)
            + struct.pack(
                "=IIQ3I2H", _BASIC | _BIRTH, 4096, 0, found.st_nlink, found.st_uid, found.st_gid, found.st_mode, 0
            )
            + struct.pack("=4Q", found.st_ino, found.st_size, found.st_blocks, 0)
            + b"".join(struct.pack("=qIi", one // 10**9, one % 10**9, 0) for one in times)
            + bytes(4 * 4 + 14 * 8)
        )

    def _open(self, node: int, _body: bytes) -> bytes:
        handle = os.open(f"/proc/self/fd/{self._nodes[node]}", os.O_RDONLY)
        return struct.pack("=QIi", handle, _DIRECT_IO, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        handle, offset, size, *_ = _READ.unpack_from(body)
        self._check(node, "behind", offset + size)
        return os.pread(handle, size, offset)

    def _release(self, body: bytes) -> bytes:
        os.close(*struct.unpack_from("=Q", body))
        return b""

    def _list(self, node: int, body: bytes) -> bytes:
        _, offset, size, *_ = _READ.unpack_from(body)
        data = b""
        folder = f"/proc/self/fd/{self._nodes[node]}"
        for number, entry in enumerate(sorted(os.scandir(folder), key=lambda entry: entry.name), 1):
            name = os.fsencode(entry.name)
            packed = struct.pack("=QQII", entry.inode(), number, len(name), 0) + name
            packed += bytes(-len(packed) % 8)
            if number > offset and len(data) + len(packed) <= size:
                data += packed
        return data

    def _check(self, node: int, what: str, end: int = 1) -> None:
        rule = json.loads(self._rules.read_text()).get(str(node), {})
        if what in rule and (rule["stat"] if what == "stat" else end > rule["behind"]):
            raise OSError(rule["error"], "as the test wished")


def _packed(found: os.stat_result) -> bytes:
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    return _ATTRIBUTES.pack(
        found.st_ino,
        found.st_size,
        found.st_blocks,
        *(one // 10**9 for one in times),
        *(one % 10**9 for one in times),
        found.st_mode,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        0,
        4096,
        0,
    )


if __name__ == "__main__":
    _Server(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])).serve()
