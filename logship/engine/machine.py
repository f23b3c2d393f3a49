"""The engine by the compiled kernel."""

from bisect import bisect_right
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from logship.engine import kernel, kernel_times
from logship.engine.documents import LEVELS, Bytes, Int32, Int64, Pieces, Surroundings
from logship.engine.forms import FORMS, masks_of
from logship.engine.kernel_times import ROW
from logship.engine.times import LOOKED_AT, Carried, Clockwork, Start, Times
from logship.stamps import KLOG_LEVELS, LEVEL_NAMES

_SLACK = 64
_LEVEL_AT = 8
"""Bounds of the levels among those of the constants."""


def _escapes() -> tuple[NDArray[np.uint64], Bytes]:
    escapes, widths = np.zeros(256, np.uint64), np.zeros(256, np.uint8)
    special = {c: b"\\u%04x" % c for c in range(32)}
    special |= dict(zip(b'\b\t\n\f\r"\\', (rb"\b", rb"\t", rb"\n", rb"\f", rb"\r", rb"\"", rb"\\"), strict=True))
    for byte, text in special.items():
        escapes[byte] = int.from_bytes(text, "little")
        widths[byte] = len(text)
    return escapes, widths


class Machine:
    """Compiled."""

    def __init__(self, around: Surroundings) -> None:
        constants = (*around[:-1], b"", *around.levels)
        self._text = np.frombuffer(b"".join(constants) + bytes(_SLACK), np.uint8)
        self._bounds = np.cumsum([0, *map(len, constants)])
        self._escapes, self._widths = _escapes()
        places = {level: _LEVEL_AT + n for n, level in enumerate(LEVELS)}
        self._names = np.array([int.from_bytes(name.encode(), "little") for name in LEVEL_NAMES], np.uint64)
        self._name_lengths = np.array([len(name) for name in LEVEL_NAMES], np.int64)
        self._name_levels = np.array([places[level] for level in LEVEL_NAMES.values()], np.int64)
        self._letters = np.zeros(256, np.int64)
        for letter, level in KLOG_LEVELS.items():
            self._letters[letter[0]] = places[level.decode()]
        self._about = np.zeros(1, np.int64)
        self._ends = np.empty(0, np.int64)
        self._rows, self._lengths = np.empty(0, np.uint8), np.empty(0, np.int64)

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends are."""
        count = kernel_times.line_ends(data, size, self._ends)
        if count > len(self._ends):
            self._ends = np.empty(2 * count, np.int64)
            kernel_times.line_ends(data, size, self._ends)
        return self._ends[:count]

    def times(self, data: Bytes, pieces: Pieces, clock: Clockwork, start: Start) -> Times:
        """The stamps of all documents."""
        count = len(pieces.begins)
        if len(self._lengths) <= count:
            self._rows = np.empty((2 * count + 1) * ROW + _SLACK, np.uint8)
            self._lengths = np.empty(2 * count + 1, np.int64)
        times = MachineTimes(self._rows, self._lengths, start)
        look = _Look()
        look.at(clock, start.carried)
        clock.begin()
        k = 0
        while True:
            state = times.states[-1][1]
            k = kernel_times.times(
                data, pieces.begins, pieces.stops, k, look.form, np.uint64(state.columns), look.fixed, look.minute,
                times.rows, times.lengths,
            )  # fmt: skip
            if k == count:
                return times
            begin, stop = int(pieces.begins[k]), int(pieces.stops[k])
            before = times.carried(k)
            after = clock.read(data[begin : min(stop, begin + LOOKED_AT)].tobytes(), before, start.seen)
            times.put(k + 1, after)
            look.at(clock, after)
            k += 1

    def write(
        self, data: Bytes, pieces: Pieces, times: Times, templates: Int32, offset: int, out: Bytes, cap: int
    ) -> tuple[int, int]:
        """Documents and bytes written."""
        assert isinstance(times, MachineTimes)
        written = kernel.write(
            data, pieces.begins, pieces.stops, pieces.origins, pieces.split, pieces.line_of, templates, times.rows,
            times.lengths, offset, self._text, self._bounds, self._escapes, self._widths, self._names,
            self._name_lengths, self._name_levels, self._letters, out, cap, self._about,
        )  # fmt: skip
        return written, int(self._about[0])


class MachineTimes:
    """Stamps in rows; row 0 is the one before the first document. Good until the next chunk's.

    Args:
        rows: takes them.
        lengths: takes their lengths.
        start: where they begin.
    """

    def __init__(self, rows: Bytes, lengths: Int64, start: Start) -> None:
        self.rows, self.lengths = rows, lengths
        self.states = [(0, start.carried)]
        self._read_at = start.read_at
        self.put(0, start.carried)

    def put(self, k: int, carried: Carried) -> None:
        """Set what is carried behind so many documents."""
        stamp = carried.stamp or self._read_at
        self.rows[k * ROW : k * ROW + len(stamp)] = np.frombuffer(stamp, np.uint8)
        self.lengths[k] = len(stamp)
        before = self.states[-1][1]
        if carried[:2] != before[:2] or bool(carried.stamp) != bool(before.stamp):
            self.states.append((k, carried))

    def carried(self, k: int) -> Carried:
        """What is carried behind so many documents."""
        _, state = self.states[bisect_right(self.states, k, key=itemgetter(0)) - 1]
        return state._replace(stamp=self.rows[k * ROW : k * ROW + self.lengths[k]].tobytes()) if state.stamp else state


class _Look:
    """What the kernel compares with: the form carried on and the minute read last."""

    def __init__(self) -> None:
        self.form, self.fixed = np.zeros(6, np.int64), np.zeros(2, np.uint64)
        self.minute = np.zeros((4, 128), np.uint8)

    def at(self, clock: Clockwork, carried: Carried) -> None:
        """Take over what a line changed."""
        if carried.form < 0:
            return
        form, minute = FORMS[carried.form], clock.minute
        signs, digits = masks_of(form.pattern)
        self.fixed[:] = signs, digits
        known = minute.form == carried.form
        tail = len(minute.tail) if known else -1
        self.form[:] = form.width, form.key, form.tail, form.fraction, tail, len(minute.text)
        for row, text in zip(self.minute, (form.pattern.encode(), minute.key, minute.tail, minute.text), strict=True):
            row[: len(text)] = np.frombuffer(text, np.uint8)
