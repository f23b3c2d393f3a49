"""Files in blocks of whole lines: plain ones from their end, compressed ones from their beginning."""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from backports import zstd

BLOCK_BYTES = 4 * 1024 * 1024
AROUND_BYTES = 256 * 1024
_STEP = 16 * 1024
LONGEST_LINE = 64 * 1024 * 1024
_MAGIC: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
}
DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error, zstd.ZstdError)
"""What reading raises where a compressed file is cut off or damaged."""


class Block(NamedTuple):
    """Whole lines of a file."""

    start: int
    data: bytes


def is_compressed(path: Path) -> bool:
    """Whether the file's first bytes say so.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(6).startswith(tuple(_MAGIC))


def opened(raw: BinaryIO, first: bytes) -> BinaryIO:
    """What a stream holds, decompressed where its first six bytes say that it is compressed."""
    opener = next((opener for magic, opener in _MAGIC.items() if first.startswith(magic)), None)
    stream: BinaryIO = raw if opener is None else opener(raw, "rb")
    return stream


def from_end(path: Path, block: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of a plain file, the last first; what is appended meanwhile is left out.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        start, rest = os.fstat(descriptor).st_size, b""
        while start > 0:
            size = min(block, start)
            start -= size
            data = os.pread(descriptor, size, start) + rest
            cut = data.find(b"\n") + 1 if start else 0
            if start and cut in {0, len(data)} and len(data) < LONGEST_LINE:
                rest = data  # a line that is longer than a block
                continue
            rest = data[:cut]
            if len(data) > cut:
                yield Block(start + cut, data[cut:])
    finally:
        os.close(descriptor)


def decompressed(path: Path, block: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of a compressed file, the first first; up to where it is damaged.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as raw, opened(raw, raw.peek(6)) as file:
        start, rest = 0, b""
        while piece := _piece(file, block):
            data = rest + piece
            cut = data.rfind(b"\n") + 1
            if cut:
                yield Block(start, data[:cut])
                start += cut
            rest = data[cut:]
        if rest:
            yield Block(start, rest)


def around(path: Path, offset: int) -> Block:
    """Whole lines around an offset at which a line begins; nothing where the file is gone or shorter now.

    Args:
        path: plain or compressed.
        offset: in what it holds.
    """
    try:
        if is_compressed(path):
            blocks = decompressed(path)
            return next((each for each in blocks if each.start + len(each.data) > offset), Block(offset, b""))
        with path.open("rb") as file:
            start = max(0, offset - AROUND_BYTES)
            file.seek(start)
            data = file.read(offset - start + AROUND_BYTES)
    except OSError:
        return Block(offset, b"")
    cut = data.find(b"\n", 0, offset - start) + 1 if start else 0
    return Block(start + cut, data[cut:])


def _piece(file: BinaryIO, size: int) -> bytes:
    parts, got = [], 0
    while got < size:
        try:
            part = file.read(min(_STEP, size - got))
        except DAMAGE:
            break  # it was cut off while it was written, or is damaged: what stands before that is good
        if not part:
            break
        parts.append(part)
        got += len(part)
    return b"".join(parts)
