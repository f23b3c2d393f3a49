"""Which file is which: inode, time of birth, and the first bytes.

An inode number alone is used again after a deletion; on file systems that keep the time of birth (ext4, xfs, btrfs) the
two together are unique. The first bytes tell a copy from a stranger, and a file that was cut off from one that grew.
"""

import base64
import ctypes
import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from logship.files.content import Content

HEAD_BYTES = 1024
MARKER_BYTES = 64

_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_BIRTH = struct.Struct("=qI")
_BIRTH_AT = 80  # stx_btime in struct statx, linux/stat.h
_statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a file lives; ``birth_ns`` is 0 on file systems that do not keep it."""

    device: int
    inode: int
    birth_ns: int

    @property
    def lasting(self) -> "Identity":
        """The part of it that lasts: a reboot or a new mount may give the device another number."""
        return Identity(0, self.inode, self.birth_ns) if self.birth_ns else self


def identify(descriptor: int) -> Identity:
    """The identity of an open file."""
    status = os.fstat(descriptor)
    return Identity(status.st_dev, status.st_ino, _birth_ns(descriptor))


def identity_at(path: Path) -> Identity:
    """The identity of what stands at a path, whatever it is; it need not be readable.

    Raises:
        OSError: nothing stands there.
    """
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return identify(descriptor)
    finally:
        os.close(descriptor)


def _birth_ns(descriptor: int) -> int:
    if _statx is None:
        return 0
    buffer = ctypes.create_string_buffer(256)
    if _statx(descriptor, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        return 0
    (mask,) = struct.unpack_from("=I", buffer, 0)
    if not mask & _STATX_BTIME:
        return 0
    seconds, nanoseconds = _BIRTH.unpack_from(buffer, _BIRTH_AT)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest of a file's first ``length`` bytes."""

    length: int
    digest: bytes

    @classmethod
    def of(cls, data: bytes) -> "Fingerprint":
        """The fingerprint of these first bytes."""
        return cls(len(data), hashlib.blake2b(data, digest_size=16).digest())

    def matches(self, content: Content) -> bool:
        """Whether the open file begins with the same bytes."""
        return self == Fingerprint.of(content.pread(self.length, 0))


def first_line(content: Content, *, final: bool = False) -> bytes | None:
    """A file's first line (of a long one the first HEAD_BYTES); None while it is not complete.

    Args:
        content: of the open file.
        final: take what there is, for nothing more will come.
    """
    data = content.pread(HEAD_BYTES, 0)
    end = data.find(b"\n") + 1
    if end:
        return data[:end]
    return data if len(data) == HEAD_BYTES or (final and data) else None


def file_id(identity: Identity, epoch: int, line: bytes) -> str:
    """The name of a stream of bytes in document ids: 64 bits, base64url.

    It depends on the file alone, so that a lost checkpoint sends the same ids again instead of new ones.

    Args:
        identity: where the file lives.
        epoch: how often it was cut off before.
        line: its first line.
    """
    seed = f"{identity.device}:{identity.inode}:{identity.birth_ns}:{epoch}:".encode() + line
    return base64.urlsafe_b64encode(hashlib.blake2b(seed, digest_size=8).digest()).rstrip(b"=").decode()
