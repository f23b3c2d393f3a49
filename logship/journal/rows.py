"""Entries in columns: what is read of them, before they are documents."""

from typing import Protocol

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.journal.ecs import FLEETING, MESSAGE, SOURCE_TIME
from logship.journal.file import JournalFile

MOST_ROWS = 8192
PLAIN, LEFT_OUT, TEXT, TIME = 0, 1, 2, 3
"""Kinds of fields: part of the frame, of no use, the message, the time at the sender."""
_LONGEST_VALUE = 4352
_MOST_REMEMBERED = 1 << 14
LATEST = 253_402_300_800_000_000
"""Microseconds since 1970 of the year 10000."""


class Rows:
    """Entries of one file, one after the other.

    Attributes:
        seqnums: their sequence numbers.
        times: when they were logged, microseconds since 1970.
        begins: where in ``data`` their messages begin.
        sizes: bytes of the messages.
        cut: whether a message was longer.
        frames: numbers of their frames, or NOT_OURS, BROKEN, PENDING.
        data: holds the messages.
    """

    def __init__(self, room: int) -> None:
        self.seqnums, self.times, self.begins, self.sizes = (np.zeros(MOST_ROWS, np.int64) for _ in range(4))
        self.cut = np.zeros(MOST_ROWS, np.bool_)
        self.frames = np.zeros(MOST_ROWS, np.int64)
        self.data: Bytes = np.zeros(room, np.uint8)


class Walker(Protocol):
    """Reads entries into rows."""

    @property
    def rows(self) -> Rows:
        """Those that were read last."""

    def walk(self, file: JournalFile, offsets: Int64, before: int) -> int:
        """Read entries; how many of them, one at least.

        Args:
            file: whose they are.
            offsets: where they are.
            before: offset of the entry before them, 0 where there is none.

        Raises:
            OSError: the file cannot be read.
        """


def kind_of(name: str, *, kept: frozenset[str] | None) -> int:
    """The kind of a field; ``kept`` are those that are part of the frame, None for all that are not fleeting."""
    if name == MESSAGE:
        return TEXT
    if name == SOURCE_TIME:
        return TIME
    if name in FLEETING:
        return LEFT_OUT
    return PLAIN if kept is None or name in kept else LEFT_OUT


def time_of(digits: bytes) -> int:
    """A time that a sender gave, 0 where it is none."""
    time = int(digits) if digits.isdigit() and len(digits) <= 18 else 0
    return time if time < LATEST else 0


class FieldReader:
    """Reads fields one by one, and remembers them by the offsets of their data objects.

    Args:
        names: fields that are read; None for all.
        longest: bytes of a message.
    """

    def __init__(self, names: frozenset[str] | None, longest: int) -> None:
        self._names, self._longest = names, longest
        self._known: dict[int, tuple[int, str, bytes]] = {}

    def forget(self) -> None:
        """Begin another file."""
        self._known.clear()

    def field(self, file: JournalFile, offset: int) -> tuple[int, str, bytes]:
        """Kind, name and the value's first bytes.

        Raises:
            UnreadableError: it is damaged.
            OSError: the file cannot be read.
        """
        known = self._known.get(offset)
        if known is None:
            name, _, value = file.datum(offset, _LONGEST_VALUE).payload.partition(b"=")
            text = name.decode("ascii", "replace")
            known = kind_of(text, kept=self._names), text, value
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[offset] = known
        return known

    def text(self, file: JournalFile, offset: int) -> tuple[bytes, bool]:
        """A message, and whether it is longer; raises as ``field``."""
        payload, cut = file.datum(offset, self._longest + len(MESSAGE) + 1)
        return payload[len(MESSAGE) + 1 :], cut

    def fields(self, file: JournalFile, offset: int) -> dict[str, list[bytes]]:
        """The fields of the entry at an offset, by name; raises as ``field``."""
        fields: dict[str, list[bytes]] = {}
        for item in file.entry(offset).items:
            kind, name, value = self.field(file, item)
            if kind in {PLAIN, TEXT}:
                fields.setdefault(name, []).append(value)
        return fields
