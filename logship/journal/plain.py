"""Entries to rows without a compiler."""

import os
import struct

import numpy as np

from logship.engine.documents import Int64
from logship.journal.file import JournalFile
from logship.journal.frames import BROKEN, NOT_OURS, Framer, Frames
from logship.journal.layout import (
    COMPRESSED,
    DATA,
    DATA_BYTES,
    ENTRY,
    ENTRY_BYTES,
    ENTRY_HEAD,
    OBJECT,
    OBJECT_BYTES,
    UnreadableError,
)
from logship.journal.rows import LATEST, LEFT_OUT, MOST_ROWS, PLAIN, TEXT, TIME, FieldReader, Rows, kind_of, time_of

WINDOW = 1024 * 1024
_MOST_KNOWN = 1 << 15
_MOST_ITEMS = 4096
_LONGEST_NAME = 64
_SIGNED = (1 << 63) - 1
_Row = tuple[bytes, bool, int, int, int]
"""Message, whether it is longer, sequence number, time, frame."""


class PlainWalker:
    """Reads entries into rows; see ``CompiledWalker``."""

    def __init__(self, framer: Framer, frames: Frames, names: frozenset[str] | None, longest: int) -> None:
        self._framer, self._frames, self._longest = framer, frames, longest
        self._reader = FieldReader(names, longest)
        self.rows = Rows(0)
        self._file: JournalFile | None = None
        self._kept = names
        self._compact, self._head = False, DATA_BYTES
        self._names: dict[bytes, int] = {}
        self._kinds: dict[int, int] = {}
        self._numbers: dict[tuple[int, ...], int] = {}

    def walk(self, file: JournalFile, offsets: Int64, before: int) -> int:
        """Read entries; how many of them, one at least."""
        if file is not self._file or len(self._kinds) > _MOST_KNOWN or self._frames.full:
            self._forget()
            self._file, self._compact = file, file.header.compact
            self._head = DATA_BYTES + 8 * self._compact
        first = int(offsets[0])
        low = before if 0 < before < first and first - before < WINDOW // 2 else first
        window = os.pread(file.descriptor, WINDOW, low)
        found: list[_Row] = []
        size = 0
        for offset in offsets[:MOST_ROWS].tolist():
            if not self._whole(window, offset - low):
                break
            row = self._entry(file, window, low, offset)
            found.append(row)
            size += len(row[0])
            if size > WINDOW or self._frames.full:
                break
        if not found:
            raise UnreadableError("it ends too early")
        self._put(found)
        return len(found)

    def _put(self, found: list[_Row]) -> None:
        rows, count = self.rows, len(found)
        texts, cut, seqnums, times, frames = zip(*found, strict=True)
        sizes = np.array([len(text) for text in texts])
        rows.begins[:count] = np.cumsum(sizes) - sizes
        rows.sizes[:count], rows.cut[:count], rows.seqnums[:count] = sizes, cut, seqnums
        rows.times[:count], rows.frames[:count] = times, frames
        rows.data = np.frombuffer(b"".join(texts), np.uint8)

    def _forget(self) -> None:
        self._names.clear()
        self._kinds.clear()
        self._numbers.clear()
        self._frames.forget()
        self._reader.forget()

    @staticmethod
    def _whole(window: bytes, at: int) -> bool:
        if at < 0 or at + ENTRY_BYTES > len(window):
            return False
        kind, _, size = OBJECT.unpack_from(window, at)
        return kind != ENTRY or bool(at + size <= len(window))

    def _entry(self, file: JournalFile, window: bytes, low: int, offset: int) -> _Row:
        at = offset - low
        kind, _, size, seqnum, time, _, _, _ = ENTRY_HEAD.unpack_from(window, at)
        seqnum &= _SIGNED
        if kind != ENTRY or not ENTRY_BYTES <= size <= ENTRY_BYTES + _MOST_ITEMS * 16:
            return b"", False, seqnum, 0, BROKEN
        if self._compact:
            items = struct.unpack_from(f"<{(size - ENTRY_BYTES) // 4}I", window, at + ENTRY_BYTES)
        else:
            items = struct.unpack_from(f"<{(size - ENTRY_BYTES) // 8}Q", window, at + ENTRY_BYTES)[::2]
        try:
            message, cut, source, key = self._read(file, window, low, items)
            time = source or time
            if not 0 < time < LATEST:
                return b"", False, seqnum, 0, BROKEN
            number = self._numbers.get(key)
            return message, cut, seqnum, time, self._number(file, offset, key) if number is None else number
        except UnreadableError:
            return b"", False, seqnum, 0, BROKEN

    def _read(
        self, file: JournalFile, window: bytes, low: int, items: tuple[int, ...]
    ) -> tuple[bytes, bool, int, tuple[int, ...]]:
        """The message, whether it is longer, the time at the sender, the data objects of the frame."""
        kinds = self._kinds
        message: bytes | None = None
        cut, source = False, 0
        key = []
        for item in items:
            kind = kinds.get(item)
            if kind == PLAIN:
                key.append(item)
                continue
            kind, value, whole = self._field(file, window, low, item)
            if kind == PLAIN:
                kinds[item] = PLAIN
                key.append(item)
            elif kind == TEXT:
                if message is None:
                    if not whole:
                        value, cut = self._reader.text(file, item)
                    message, cut = value[: self._longest], cut or len(value) > self._longest
                else:
                    key.append(item)
            elif kind == TIME:
                source = time_of(value)
        return message or b"", cut, source, tuple(key)

    def _field(self, file: JournalFile, window: bytes, low: int, item: int) -> tuple[int, bytes, bool]:
        """Kind and value of a field, and whether the value is all of it."""
        at = item - low
        if 0 <= at <= len(window) - OBJECT_BYTES:
            kind, flags, size = OBJECT.unpack_from(window, at)
            begin, end = at + self._head, at + size
            if kind == DATA and not flags & COMPRESSED and begin < end <= len(window):
                equals = window.find(b"=", begin, min(end, begin + _LONGEST_NAME + 1))
                if equals < 0:
                    return LEFT_OUT, b"", True
                name = window[begin:equals]
                known = self._names.get(name)
                if known is None:
                    known = self._names[name] = kind_of(name.decode("ascii", "replace"), kept=self._kept)
                return known, window[equals + 1 : end] if known in {TEXT, TIME} else b"", True
        found, _, value = self._reader.field(file, item)
        return found, value, False

    def _number(self, file: JournalFile, offset: int, key: tuple[int, ...]) -> int:
        frame = self._framer.frame(self._reader.fields(file, offset))
        number = self._numbers[key] = NOT_OURS if frame is None else self._frames.add(frame)
        return number
