"""What surrounds a message in its document: the same bytes for all entries of a process, so they are made once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from logship.engine.documents import LEVELS
from logship.journal.ecs import LEVELS as BY_SEVERITY
from logship.journal.ecs import Fields, document_of, others_of, severity_of, unit_of
from logship.journal.masking import Masks
from logship.journal.routes import Routes
from logship.journal.settings import JournalSettings

MOST_FRAMES = 1 << 14
LONGEST_FRAME = 96 * 1024
"""Bytes of a frame; fields that nobody asked for by name go first where it would be longer."""
NOT_OURS, BROKEN, PENDING = -1, -2, -3
"""What stands for a frame where an entry is another stream's, cannot be read, or is not known yet."""
_SLACK = 64
_PLAIN_NAMES = {"PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "CODE_LINE", "CODE_FILE", "CODE_FUNC"}
_SPOKEN = {b"stdout", b"syslog", b"journal"}
"""Transports over which programs send lines of text."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The constants of an entry's document.

    Attributes:
        before: from behind the message to the level.
        after: from behind the offset to the end.
        level: number of its level, -1 where it has none.
        spoken: whether a level that the text names counts more: the priority was not chosen.
        unit: whose entry it is.
    """

    before: bytes
    after: bytes
    level: int
    spoken: bool
    unit: str


class Framer:
    """Makes the frames of one data stream.

    Args:
        routes: tells whose an entry is.
        dataset: of the stream; entries of other data sets are not ours.
        rest: fields that every document has.
        masks: masks secrets in what senders wrote.
    """

    def __init__(self, routes: Routes, dataset: str, rest: Mapping[str, Any], masks: Masks) -> None:
        self._routes, self._dataset, self._rest, self._masks = routes, dataset, rest, masks

    def frame(self, fields: Fields) -> Frame | None:
        """The frame of an entry; None where it is not ours."""
        source = self._routes.source_of(fields)
        if source is None or source.dataset != self._dataset:
            return None
        fields = self._masked(fields)
        document = document_of(fields)
        log = document.pop("log", {})
        rest = _joined(document, self._rest)
        if source.labels:
            rest["labels"] = source.labels
        severity = severity_of(fields)
        spoken = fields.get("_TRANSPORT", (b"",))[0] in _SPOKEN and severity in {None, 6}
        before = b'","log":{' + (orjson.dumps(log)[1:-1] + b"," if log else b"")
        return Frame(
            before,
            self._after(rest, fields, source, len(before)),
            LEVELS.index(BY_SEVERITY[severity]) if severity is not None else -1,
            spoken,
            unit_of(fields),
        )

    def _masked(self, fields: Fields) -> Fields:
        """The fields without secrets in the command line and in what journald did not write itself."""
        return {
            name: [self._masks.field(name, value) for value in values] if _is_free(name) else values
            for name, values in fields.items()
        }

    def _after(self, rest: dict[str, Any], fields: Fields, source: JournalSettings, size: int) -> bytes:
        if source.fields:
            others = others_of(fields)
            after = _closed({**rest, "journal": others})
            if size + len(after) <= LONGEST_FRAME:
                return after
        return _closed(rest)


def _is_free(name: str) -> bool:
    return name == "_CMDLINE" or not (name.startswith("_") or name in _PLAIN_NAMES)


def _closed(rest: Mapping[str, Any]) -> bytes:
    return b"}," + orjson.dumps(rest)[1:] + b"\n"


def _joined(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both, the other's values where both have one."""
    both = dict(one)
    for name, value in other.items():
        known = both.get(name)
        both[name] = _joined(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return both


class Frames:
    """Frames by number, as bytes one after the other for compiled code; they are forgotten together."""

    def __init__(self) -> None:
        self.known: list[Frame] = []
        self.units: list[str] = []
        self._numbers: dict[Frame, int] = {}
        self._unit_numbers: dict[str, int] = {}
        self._size = 0
        self.text = np.zeros(1 << 16, np.uint8)
        self.bounds = np.zeros(2 * MOST_FRAMES + 1, np.int64)
        self.levels = np.zeros(MOST_FRAMES, np.int64)
        self.spoken = np.zeros(MOST_FRAMES, np.bool_)
        self.unit_of = np.zeros(MOST_FRAMES, np.int64)

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self.known) >= MOST_FRAMES or self._size > 64 * 1024 * 1024

    def add(self, frame: Frame) -> int:
        """The number of a frame."""
        number = self._numbers.get(frame)
        if number is None:
            number = self._numbers[frame] = len(self.known)
            self.known.append(frame)
            self.bounds[2 * number + 1] = self._append(frame.before)
            self.bounds[2 * number + 2] = self._append(frame.after)
            self.levels[number], self.spoken[number] = frame.level, frame.spoken
            unit = self._unit_numbers.setdefault(frame.unit, len(self.units))
            if unit == len(self.units):
                self.units.append(frame.unit)
            self.unit_of[number] = unit
        return number

    def forget(self) -> None:
        """Begin anew."""
        self.known.clear()
        self.units.clear()
        self._numbers.clear()
        self._unit_numbers.clear()
        self._size = 0

    def _append(self, text: bytes) -> int:
        end = self._size + len(text)
        if end + _SLACK > len(self.text):
            grown = np.zeros(2 * (end + _SLACK), np.uint8)
            grown[: self._size] = self.text[: self._size]
            self.text = grown
        self.text[self._size : end] = np.frombuffer(text, np.uint8)
        self._size = end
        return end
