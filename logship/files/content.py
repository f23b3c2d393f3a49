"""What an open log file holds, by offset: as it lies on the disk, or decompressed.

Offsets of a compressed generation are those of the file before it was compressed, so that it is read on where the
reading of that ended.
"""

import bz2
import importlib
import lzma
import os
from collections.abc import Callable
from typing import Any, Protocol

from isal import igzip_lib

_STEP = 128 * 1024
_KEPT = 1024
"""First bytes that stay at hand, for who is who is asked of them."""


class Content(Protocol):
    """Bytes by offset.

    Attributes:
        compressed: whether they lie there in another form.
        descriptor: of the open file.
        damage: why nothing behind its end can be decompressed, empty where nothing stands there.
    """

    compressed: bool
    descriptor: int
    damage: str

    @property
    def complete(self) -> bool:
        """Whether it can never grow again."""

    def pread(self, count: int, offset: int) -> bytes:
        """Bytes from an offset on, fewer than ``count`` only at the end.

        Raises:
            OSError: they cannot be read.
        """

    def fill(self, marker: bytearray, buffer: memoryview, offset: int) -> int:
        """Put the bytes from an offset on into the marker and behind it into the buffer; how many there were.

        Raises:
            OSError: they cannot be read.
        """

    def size(self) -> int:
        """Where it ends, as far as that is known: of a compressed one, as far as it was decompressed."""


class Plain:
    """The bytes as they lie on the disk."""

    compressed = False
    complete = False
    damage = ""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def pread(self, count: int, offset: int) -> bytes:
        """Bytes from an offset on."""
        return os.pread(self.descriptor, count, offset)

    def fill(self, marker: bytearray, buffer: memoryview, offset: int) -> int:
        """Read into buffers that are used again."""
        return os.preadv(self.descriptor, [marker, buffer] if marker else [buffer], offset)

    def size(self) -> int:
        """The file's size."""
        return os.fstat(self.descriptor).st_size


class Compressed:
    """The decompressed bytes, read in order; going back begins anew.

    A file that is still being compressed simply ends for now where its bytes end.

    Args:
        descriptor: of the open file.
        begin: makes a decompressor for one gzip member, bzip2, xz or zstd stream.
    """

    compressed = True

    def __init__(self, descriptor: int, begin: Callable[[], Any]) -> None:
        self.descriptor = descriptor
        self._begin = begin
        self._head = b""
        self._restart()

    @property
    def complete(self) -> bool:
        """Whether the end of the last stream was reached and nothing stands behind it, or nothing that is whole."""
        at_end = self._stream is None and not self._rest and os.fstat(self.descriptor).st_size <= self._at
        return at_end or bool(self.damage)

    def pread(self, count: int, offset: int) -> bytes:
        """Bytes from an offset on."""
        if offset + count <= len(self._head):
            return self._head[offset : offset + count]
        if offset < self._start:
            self._restart()
        while self._end() < offset + count and self._decompress():
            self._forget(offset)
        begin = max(0, offset - self._start)
        return bytes(self._window[begin : begin + count])

    def fill(self, marker: bytearray, buffer: memoryview, offset: int) -> int:
        """Read into buffers that are used again."""
        data = self.pread(len(marker) + len(buffer), offset)
        rest = data[len(marker) :]
        marker[: min(len(marker), len(data))] = data[: len(marker)]
        buffer[: len(rest)] = rest
        return len(data)

    def size(self) -> int:
        """How far it was decompressed."""
        return self._end()

    def _restart(self) -> None:
        self.damage = ""
        self._stream: Any = None
        self._at = 0  # of the compressed bytes
        self._rest = b""
        self._start = 0  # of the window
        self._window = bytearray()

    def _end(self) -> int:
        return self._start + len(self._window)

    def _forget(self, offset: int) -> None:
        gone = min(offset, self._end()) - self._start
        if gone > 0:
            del self._window[:gone]
            self._start += gone

    def _decompress(self) -> bool:
        """Decompress some more; False where there is no more."""
        data = b""
        if self.damage:
            return False
        if self._stream is None or self._stream.needs_input:
            data = self._rest or os.pread(self.descriptor, _STEP, self._at)
            self._at += 0 if self._rest else len(data)
            self._rest = b""
            if not data:
                return False
            if self._stream is None:
                data = data.lstrip(b"\0")  # tapes pad
                if not data:
                    return True
                self._stream = self._begin()
        try:
            found = self._stream.decompress(data, _STEP)
        except _errors() as error:
            self.damage = str(error) or type(error).__name__
            return False
        if self._stream.eof:
            self._rest, self._stream = self._stream.unused_data, None
        if len(self._head) == self._end() < _KEPT:
            self._head += found[: _KEPT - len(self._head)]
        self._window += found
        return True


def content_of(descriptor: int) -> Content:
    """What an open file holds, decompressed where its first bytes say that it is compressed."""
    begin = _codec(os.pread(descriptor, 6, 0))
    return Plain(descriptor) if begin is None else Compressed(descriptor, begin)


def _codec(first: bytes) -> Callable[[], Any] | None:
    if first.startswith(b"\x1f\x8b\x08"):
        return lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    if first.startswith(b"BZh"):
        return bz2.BZ2Decompressor
    if first.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMADecompressor
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        decompressor: Callable[[], Any] = _zstd().ZstdDecompressor
        return decompressor
    return None


def _zstd() -> Any:
    """The standard library's module since Python 3.14, before that its own backport."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return importlib.import_module("backports.zstd")


def _errors() -> Any:
    return igzip_lib.IsalError, lzma.LZMAError, _zstd().ZstdError, OSError, EOFError, ValueError
