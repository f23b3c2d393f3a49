"""Entries to rows by the compiled kernel."""

import os

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import LEVELS, Bytes, Int64
from logship.engine.machine import escapes, names_of_levels
from logship.journal import kernel
from logship.journal.ecs import FLEETING, MESSAGE, SOURCE_TIME
from logship.journal.file import JournalFile
from logship.journal.frames import BROKEN, MOST_FRAMES, NOT_OURS, PENDING, Frame, Framer, Frames
from logship.journal.hands import BEFORE_OFFSET, BEFORE_TEMPLATE, CUT, LEVEL_TEXTS, SLACK, Chunk, constants
from logship.journal.layout import DATA_BYTES, ENTRY_BYTES, UnreadableError
from logship.journal.rows import LEFT_OUT, MOST_ROWS, PLAIN, TEXT, TIME, FieldReader, Rows, kind_of, time_of
from logship.stamps import KLOG_LEVELS

WINDOW = 4 * 1024 * 1024
_NAMES = 1024
_CELLS = 1 << 16
_MOST_KNOWN = _CELLS // 2
_MOST_MISSES = 4096


class CompiledWalker:
    """Reads entries into rows.

    What a file's data objects say is remembered by their offsets: an entry shares most of them with others.

    Args:
        framer: makes frames.
        frames: keeps them.
        names: fields that are read; None for all.
        longest: bytes of a message.
        room: bytes for messages that are not in the window; four times ``longest`` at least.
    """

    def __init__(
        self, framer: Framer, frames: Frames, names: frozenset[str] | None, longest: int, room: int = 8 * 1024 * 1024
    ) -> None:
        self._framer, self._frames, self._longest = framer, frames, longest
        self._reader = FieldReader(names, longest)
        self._end = WINDOW + max(room, 4 * longest)
        self.rows = Rows(self._end + SLACK)
        self._window = self.rows.data[:WINDOW].data
        self._file: JournalFile | None = None
        self._keys, self._kinds = np.zeros(_CELLS, np.uint64), np.zeros(_CELLS, np.int8)
        self._places, self._lengths = np.zeros(_CELLS, np.int64), np.zeros(_CELLS, np.int64)
        self._frame_keys = np.zeros(4 * MOST_FRAMES, np.uint64)
        self._frame_numbers = np.zeros(4 * MOST_FRAMES, np.int64)
        self._hashes = np.zeros(MOST_ROWS, np.uint64)
        self._misses, self._about = np.zeros(_MOST_MISSES, np.int64), np.zeros(2, np.int64)
        self._name_keys, self._name_kinds = _table(names)
        self._other = PLAIN if names is None else LEFT_OUT
        self._forget()

    def walk(self, file: JournalFile, offsets: Int64, before: int) -> int:
        """Read entries; how many of them, one at least."""
        if file is not self._file:
            self._forget()
            self._file = file
        first = int(offsets[0])
        low = before if 0 < before < first and first - before < WINDOW // 2 else first
        got = os.preadv(file.descriptor, [self._window], low)
        if first - low + ENTRY_BYTES > got:
            raise UnreadableError("it ends too early")
        offsets, forgot = offsets[:MOST_ROWS], False
        while True:
            count = self._scan(offsets, low, low + got, compact=file.header.compact)
            missing, waiting = self._about.tolist()
            if not missing and not waiting:
                return count
            if self._learn(file, missing) or (not missing and self._add_frames(file, offsets[:count])):
                continue
            if done := int(np.argmax(self.rows.frames[:count] == PENDING)):
                return done
            if forgot:  # one entry alone holds more than there is room for
                self.rows.frames[0] = BROKEN
                return 1
            self._forget()
            forgot = True

    def warm(self) -> None:
        """Run the kernel once, so that it is compiled."""
        self._scan(np.zeros(0, np.int64), 0, 0, compact=True)
        kernel.cell_for(self._keys, np.uint64(1))
        self._forget()

    def _scan(self, offsets: Int64, low: int, high: int, *, compact: bool) -> int:
        rows = self.rows
        return int(
            kernel.walk(
                rows.data, low, high, offsets, DATA_BYTES + 8 * compact, 4 if compact else 16, self._keys, self._kinds,
                self._places, self._lengths, self._name_keys, self._name_kinds, self._other, self._frame_keys,
                self._frame_numbers, self._longest, rows.seqnums, rows.times, rows.begins, rows.sizes, rows.cut,
                rows.frames, self._hashes, self._misses, self._about,
            )
        )  # fmt: skip

    def _forget(self) -> None:
        self._keys.fill(0)
        self._frame_keys.fill(0)
        self._frames.forget()
        self._reader.forget()
        self._known = self._framed = 0
        self._free = WINDOW

    def _learn(self, file: JournalFile, missing: int) -> int:
        """Read data objects that were asked for; how many found room."""
        for learned, offset in enumerate(dict.fromkeys(self._misses[:missing].tolist())):
            if self._known >= _MOST_KNOWN or not self._keep(file, offset):
                return learned
        return missing

    def _keep(self, file: JournalFile, offset: int) -> bool:
        kind, place, length = kernel.DAMAGED, 0, 0
        try:
            kind, _, value = self._reader.field(file, offset)
            if kind == TIME:
                place = time_of(value)
            elif kind == TEXT:
                text, cut = self._reader.text(file, offset)
                place, end = self._free, self._free + len(text)
                if end > self._end:
                    return False
                self.rows.data[place:end] = np.frombuffer(text, np.uint8)
                self._free, length = end, len(text) + cut
        except UnreadableError:
            kind = kernel.DAMAGED
        cell = kernel.cell_for(self._keys, np.uint64(offset))
        self._kinds[cell], self._places[cell], self._lengths[cell] = kind, place, length
        self._known += 1
        return True

    def _add_frames(self, file: JournalFile, offsets: Int64) -> int:
        """Make the frames that entries wait for; how many."""
        waiting = np.flatnonzero(self.rows.frames[: len(offsets)] == PENDING)
        _, first = np.unique(self._hashes[waiting], return_index=True)
        added = 0
        for row in waiting[np.sort(first)].tolist():
            if self._framed >= MOST_FRAMES or self._frames.full:
                break
            cell = kernel.cell_for(self._frame_keys, self._hashes[row])
            self._frame_numbers[cell] = self._number(file, int(offsets[row]))
            self._framed += 1
            added += 1
        return added

    def _number(self, file: JournalFile, offset: int) -> int:
        try:
            frame = self._framer.frame(self._reader.fields(file, offset))
        except UnreadableError:
            return BROKEN
        return NOT_OURS if frame is None else self._frames.add(frame)


class CompiledHand:
    """See ``Hand``."""

    def __init__(self) -> None:
        self._escapes, self._widths = escapes()
        numbers = {level: number for number, level in enumerate(LEVELS)}
        self._names, self._name_levels = names_of_levels(numbers)
        self._letters = np.zeros(256, np.int64)
        for letter, level in KLOG_LEVELS.items():
            self._letters[letter[0]] = numbers[level.decode()]
        self._about = np.zeros(1, np.int64)
        self._constants = ("", np.zeros(0, np.uint8), np.zeros(0, np.int64))
        self._chunk: Bytes = np.zeros(0, np.uint8)

    def gather(self, rows: Rows, order: Int64) -> tuple[Bytes, Int64]:
        """See ``Hand``; the array is used again."""
        size = int(rows.sizes[order].sum()) + len(order)
        if size + 2 * SLACK > len(self._chunk):
            self._chunk = np.zeros(size + size // 2 + 2 * SLACK, np.uint8)
        starts = np.empty(len(order) + 1, np.int64)
        kernel.gather(rows.data, rows.begins, rows.sizes, order, self._chunk, starts)
        return self._chunk[: size + SLACK], starts

    def write(self, chunk: Chunk, seqnum_id: str, frames: Frames, out: Bytes, cap: int) -> tuple[int, int]:
        """See ``Hand``."""
        if self._constants[0] != seqnum_id:
            texts = (*constants(seqnum_id), CUT, BEFORE_TEMPLATE, BEFORE_OFFSET, *LEVEL_TEXTS)
            bounds = np.cumsum([0, *map(len, texts)])
            self._constants = (seqnum_id, np.frombuffer(b"".join(texts) + bytes(SLACK), np.uint8), bounds)
        _, text, bounds = self._constants
        count = kernel.write(
            chunk.data, chunk.begins, chunk.stops, chunk.seqnums, chunk.times, chunk.frames, chunk.cut,
            chunk.templates, text, bounds, frames.text, frames.bounds, frames.levels, frames.spoken, self._escapes,
            self._widths, self._names, self._name_levels, self._letters, out, cap, self._about,
        )  # fmt: skip
        return int(count), int(self._about[0])


def _table(names: frozenset[str] | None) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    """Keys and kinds of field names."""
    special = {*FLEETING, MESSAGE, SOURCE_TIME, *(names or ())}
    keys, kinds = np.zeros(_NAMES, np.uint64), np.zeros(_NAMES, np.int8)
    for name in sorted(special):
        payload = np.frombuffer(name.encode() + b"=", np.uint8)
        cell = kernel.cell_for(keys, np.uint64(kernel.name_key(payload, 0, len(payload))))
        kinds[cell] = kind_of(name, kept=names)
    return keys, kinds


def warm(framer: Framer) -> None:
    """Run everything that is compiled, so that it is kept.

    Args:
        framer: of no consequence; no entry is read.
    """
    frames, hand = Frames(), CompiledHand()
    walker = CompiledWalker(framer, frames, frozenset(("PRIORITY",)), 4096)
    walker.warm()
    frames.add(Frame(b'","log":{', b"}}\n", 2, True, "unit"))
    rows, text = walker.rows, b'W0301 10:00:00.1 1 "a.go"] caf\xc3\xa9 \xff'
    rows.data[: len(text)] = np.frombuffer(text, np.uint8)
    rows.sizes[0], rows.seqnums[0], rows.times[0] = len(text), 1, 1
    one = np.zeros(1, np.int64)
    data, starts = hand.gather(rows, one)
    templates, flags = np.ones(1, np.int32), np.ones(1, np.bool_)
    chunk = Chunk(data, starts[:-1], starts[1:] - 1, one + 1, one + 1, one, flags, templates, flags)
    hand.write(chunk, "0", frames, np.zeros(65536, np.uint8), 60000)
