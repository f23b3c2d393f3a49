"""The engine by the compiled kernel."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from logship.engine import kernel, kernel_times
from logship.engine.documents import LEVELS, Bytes, Int32, Int64, Pieces, Surroundings, pieces_of
from logship.engine.forms import FORMS, masks_of
from logship.engine.hand import SLACK, Written
from logship.engine.kernel_text import LEVEL_CELLS
from logship.engine.kernel_times import ROW
from logship.engine.times import LOOKED_AT, Carried, Clockwork, Start
from logship.patterns.table import store
from logship.stamps import KLOG_LEVELS, LEVEL_NAMES


def escapes() -> tuple[NDArray[np.uint64], Bytes]:
    """What JSON writes for each byte, and the bytes of that, 0 for itself."""
    texts, widths = np.zeros(256, np.uint64), np.zeros(256, np.uint8)
    special = {c: b"\\u%04x" % c for c in range(32)}
    special |= dict(zip(b'\b\t\n\f\r"\\', (rb"\b", rb"\t", rb"\n", rb"\f", rb"\r", rb"\"", rb"\\"), strict=True))
    for byte, text in special.items():
        texts[byte] = int.from_bytes(text, "little")
        widths[byte] = len(text)
    return texts, widths


def names_of_levels(numbers: Mapping[str, int]) -> tuple[NDArray[np.uint64], Int64]:
    """The table in which kernel_text.level_of() looks up the words that name levels.

    Args:
        numbers: what to give for each level.
    """
    names, found = np.zeros(LEVEL_CELLS, np.uint64), np.zeros(LEVEL_CELLS, np.int64)
    for name, level in LEVEL_NAMES.items():
        store(names, found, np.uint64(int.from_bytes(name.encode(), "little")), numbers[level])
    return names, found


_MASKS = tuple(np.array(masks_of(form.pattern), np.uint64) for form in FORMS)


class Machine:
    """Compiled."""

    def __init__(self, around: Surroundings) -> None:
        constants = (*around[:-1], b"", *around.levels)
        self._text = np.frombuffer(b"".join(constants) + bytes(SLACK), np.uint8)
        self._bounds = np.cumsum([0, *map(len, constants)])
        self._escapes, self._widths = escapes()
        places = {level: int(kernel.LEVELS_AT) + n for n, level in enumerate(LEVELS)}
        self._names, self._name_levels = names_of_levels(places)
        self._letters = np.zeros(256, np.int64)
        for letter, level in KLOG_LEVELS.items():
            self._letters[letter[0]] = places[level.decode()]
        self._about = np.zeros(5, np.int64)
        self._ends = np.empty(0, np.int64)
        self._make_room(0)
        self._look = _Look()
        self._left: tuple[Carried, tuple[int, bytes, bytes, bytes]] | None = None

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends are."""
        count = kernel_times.line_ends(data, size, self._ends)
        if count > len(self._ends):
            self._ends = np.empty(2 * count, np.int64)
            kernel_times.line_ends(data, size, self._ends)
        return self._ends[:count]

    def pieces(self, data: Bytes, size: int, ends: Int64, longest: int) -> Pieces:
        """The documents of a chunk."""
        count = len(ends)
        if not count or size > int(ends[-1]) + 1:
            return pieces_of(data, size, ends, longest)
        if count > len(self._begins):
            self._make_room(2 * count)
        begins, stops = self._begins[:count], self._stops[:count]
        if kernel_times.texts(data, ends, longest, begins, stops):
            return pieces_of(data, size, ends, longest)
        return Pieces(begins, stops, begins, self._split[:count], self._numbers[:count], odd=False)

    def write(
        self,
        data: Bytes,
        pieces: Pieces,
        clock: Clockwork,
        start: Start,
        templates: Int32,
        offset: int,
        out: Bytes,
        cap: int,
    ) -> Written:
        """Documents up to the cap, one at least."""
        look, about = self._look, self._about
        carried = before = start.carried
        first = b""
        asked, by_reading = -1, False
        if self._left != (carried, clock.minute.known):  # it does not go on where it left off
            clock.begin()
            look.at(clock, carried)
        about[:] = 0, 0, -1, look.carry(carried.stamp or start.read_at), False
        while kernel.write(
            data, pieces.begins, pieces.stops, pieces.origins, pieces.split, pieces.line_of, templates, offset,
            look.form, np.uint64(carried.columns), look.fixed, look.minute, self._text, self._bounds, self._escapes,
            self._widths, self._names, self._name_levels, self._letters, out, cap, about,
        ):  # fmt: skip
            asked, before, by_reading = int(about[0]), self._reached(carried, out), start.horizon.asked
            begin, stop = int(pieces.begins[asked]), int(pieces.stops[asked])
            carried = clock.read(data[begin : min(stop, begin + LOOKED_AT)].tobytes(), before, start.horizon)
            look.at(clock, carried)
            about[2:] = -1, look.carry(carried.stamp or start.read_at), True
            if asked == 0:
                first = carried.stamp
        documents, size = about[:2].tolist()
        if documents == asked:  # it found no room
            carried, start.horizon.asked = before, by_reading
        else:
            carried = self._reached(carried, out)
        self._left = None if documents == asked or not carried.stamp else (carried, clock.minute.known)
        return Written(documents, size, carried, documents > 0 and not (start.carried.stamp or first))

    def _make_room(self, count: int) -> None:
        """For so many documents each of which is simply a line."""
        self._begins, self._stops = np.empty(count, np.int64), np.empty(count, np.int64)
        self._split, self._numbers = np.zeros(count, np.bool_), np.arange(count)

    def _reached(self, carried: Carried, out: Bytes) -> Carried:
        """What is carried on behind the documents that are written."""
        _, _, at, length, _ = self._about.tolist()
        return carried if at < 0 else carried._replace(stamp=out[at : at + length].tobytes())


class _Look:
    """What the kernel compares with: the form carried on and the minute read last, the last stamp."""

    def __init__(self) -> None:
        self.form, self.fixed = np.zeros(6, np.int64), np.zeros(2, np.uint64)
        self.minute = np.zeros(5 * ROW + SLACK, np.uint8)

    def at(self, clock: Clockwork, carried: Carried) -> None:
        """Take over what a line changed."""
        if carried.form < 0:
            self.form[0] = 0
            return
        form, minute = FORMS[carried.form], clock.minute
        self.fixed[:] = _MASKS[carried.form]
        known = minute.form == carried.form
        tail = len(minute.tail) if known else -1
        self.form[:] = form.width, form.key, form.tail, form.fraction, tail, len(minute.text)
        for row, text in enumerate((form.pattern.encode(), minute.key, minute.tail, minute.text)):
            self._put(row, text)

    def carry(self, stamp: bytes) -> int:
        """Take over a stamp that is carried on; its length."""
        self._put(kernel_times.CARRIED // ROW, stamp)
        return len(stamp)

    def _put(self, row: int, text: bytes) -> None:
        self.minute[row * ROW : row * ROW + len(text)] = np.frombuffer(text, np.uint8)
