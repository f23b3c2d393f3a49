"""One journal file, open for reading: what is complete in it, by number."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from logship.journal.layout import (
    ARRAY_BYTES,
    COMPRESSED,
    DATA,
    DATA_BYTES,
    ENTRY,
    ENTRY_ARRAY,
    ENTRY_BYTES,
    ENTRY_HEAD,
    HEADER_BYTES,
    KNOWN,
    OBJECT,
    OBJECT_BYTES,
    Header,
    UnreadableError,
    header_of,
    unpacked,
)

Int64 = NDArray[np.int64]
_MOST_ITEMS = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        seqnum: its sequence number.
        realtime: microseconds since 1970.
        monotonic: microseconds since the boot.
        boot: id of the boot.
        hash: of all its fields.
        items: offsets of its data objects.
    """

    seqnum: int
    realtime: int
    monotonic: int
    boot: bytes
    hash: int
    items: tuple[int, ...]


class Datum(NamedTuple):
    """A data object: its payload is ``NAME=value``.

    Attributes:
        payload: its first bytes, decompressed.
        cut: whether there is more.
    """

    payload: bytes
    cut: bool


class JournalFile:
    """A journal file that is kept open, wherever it is renamed to.

    journald writes an entry first and counts it afterwards, so that what the header counts is complete.

    Args:
        path: where it lies.
        known: incompatible flags of its format that are understood.

    Attributes:
        path: where it lay when it was opened.
        header: what it said of itself when that was read last.
        end: its size then.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: it is no journal file that is known here, or has no header yet.
    """

    def __init__(self, path: Path, known: int = KNOWN) -> None:
        self.path = path
        self._flags = known
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        self._offsets = np.zeros(0, np.int64)
        self._known = 0
        self._array, self._used, self._room = 0, 0, 0
        try:
            self.header = self._header()
        except (OSError, UnreadableError):
            os.close(self.descriptor)
            raise
        self.end = os.fstat(self.descriptor).st_size

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)
        self.descriptor = -1

    def refresh(self) -> bool:
        """Read the header again; whether there are more entries than before.

        Raises:
            UnreadableError: the header is gone.
            OSError: the file cannot be read.
        """
        header = self._header()
        if header.file_id != self.header.file_id or header.entries < self.header.entries:
            raise UnreadableError("it was written over")
        more = header.entries > self.header.entries
        self.header = header
        self.end = os.fstat(self.descriptor).st_size
        return more

    def _header(self) -> Header:
        header = header_of(os.pread(self.descriptor, HEADER_BYTES, 0), self._flags)
        if header is None:
            raise UnreadableError("it has no header yet")
        return header

    @property
    def linked(self) -> bool:
        """Whether the file still has a name."""
        return os.fstat(self.descriptor).st_nlink > 0

    def offsets(self) -> Int64:
        """Where the complete entries are, in the order in which they were written.

        Raises:
            UnreadableError: the file is damaged.
        """
        total = self.header.entries
        while self._known < total:
            if self._used == self._room:
                self._next_array()
            count = min(self._room - self._used, total - self._known)
            self._take(count)
        return self._offsets[: self._known]

    def _next_array(self) -> None:
        following = self.header.array
        if self._array:
            following = int.from_bytes(self.read(self._array + OBJECT_BYTES, 8), "little")
        if following <= self._array:
            raise UnreadableError("its index of entries is broken")
        kind, _, size = OBJECT.unpack(self.read(following, OBJECT_BYTES))
        room = (size - ARRAY_BYTES) // self._width
        if kind != ENTRY_ARRAY or room <= 0 or following + size > self.end:
            raise UnreadableError("its index of entries is broken")
        self._array, self._used, self._room = following, 0, room

    def _take(self, count: int) -> None:
        width = self._width
        data = self.read(self._array + ARRAY_BYTES + self._used * width, count * width)
        found = np.frombuffer(data, np.uint32 if width == 4 else np.int64).astype(np.int64)
        if not found.all() or found.min() < HEADER_BYTES or found.max() > self.end - ENTRY_BYTES:
            raise UnreadableError("its index of entries is broken")
        if self._known + count > len(self._offsets):
            grown = np.empty(max(2 * len(self._offsets), self._known + count), np.int64)
            grown[: self._known] = self._offsets[: self._known]
            self._offsets = grown
        self._offsets[self._known : self._known + count] = found
        self._known += count
        self._used += count

    @property
    def _width(self) -> int:
        return 4 if self.header.compact else 8

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the file.

        Raises:
            UnreadableError: it ends before.
        """
        data = os.pread(self.descriptor, size, offset)
        if len(data) != size:
            raise UnreadableError("it ends too early")
        return data

    def seqnum(self, index: int) -> int:
        """The sequence number of an entry."""
        return int.from_bytes(self.read(int(self.offsets()[index]) + 16, 8), "little")

    def realtime(self, index: int) -> int:
        """The time of an entry, microseconds since 1970."""
        return int.from_bytes(self.read(int(self.offsets()[index]) + 24, 8), "little")

    def first_from(self, seqnum: int) -> int:
        """The index of the first entry with at least this sequence number."""
        return self._bisect(self.seqnum, seqnum)

    def first_since(self, realtime: int) -> int:
        """The index of the first entry that is not older; by a clock that was not set back."""
        return self._bisect(self.realtime, realtime)

    def _bisect(self, key: Callable[[int], int], least: int) -> int:
        low, high = 0, len(self.offsets())
        while low < high:
            middle = (low + high) // 2
            if key(middle) < least:
                low = middle + 1
            else:
                high = middle
        return low

    def entry(self, offset: int) -> Entry:
        """The entry at an offset.

        Raises:
            UnreadableError: there is none.
        """
        kind, _, size, seqnum, realtime, monotonic, boot, checksum = ENTRY_HEAD.unpack(self.read(offset, ENTRY_BYTES))
        step = 4 if self.header.compact else 16
        count = (size - ENTRY_BYTES) // step
        if kind != ENTRY or not 0 <= count <= _MOST_ITEMS:
            raise UnreadableError("an entry is damaged")
        data = self.read(offset + ENTRY_BYTES, count * step)
        items = (int.from_bytes(data[at : at + min(step, 8)], "little") for at in range(0, len(data), step))
        return Entry(seqnum, realtime, monotonic, boot, checksum, tuple(items))

    def datum(self, offset: int, longest: int) -> Datum:
        """The data object at an offset.

        Args:
            offset: where it begins.
            longest: bytes of its payload that are wanted at most.

        Raises:
            UnreadableError: there is none, or it is damaged.
        """
        if not HEADER_BYTES <= offset <= self.end - DATA_BYTES:
            raise UnreadableError("an entry points nowhere")
        kind, flags, size = OBJECT.unpack(self.read(offset, OBJECT_BYTES))
        head = DATA_BYTES + 8 * self.header.compact
        if kind != DATA or size <= head or offset + size > self.end:
            raise UnreadableError("a field is damaged")
        wanted = size - head if flags & COMPRESSED else min(size - head, longest + 1)
        payload = unpacked(self.read(offset + head, wanted), flags, longest + 1)
        return Datum(payload[:longest], len(payload) > longest)
