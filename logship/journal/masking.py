"""Secrets in entries: masked in messages and in the fields around them."""

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.shaping.keys import OUTSIDE, Inside
from logship.shaping.redaction import Redactor

_SLACK = 64
_WORDS = ("access", "request")
"""Words in the names of a data set or a unit by which entries are taken for requests, in which prompts stand."""
_MOST_UNITS = 4096


class Masks:
    """Masks the entries of one data stream; for one thread at a time.

    Args:
        redactor: does it.
        dataset: of the stream.
    """

    def __init__(self, redactor: Redactor, dataset: str) -> None:
        self._redactor, self._dataset = redactor, dataset
        self._inside: dict[str, Inside] = {}

    def messages(self, unit: str, data: Bytes, starts: Int64) -> None:
        """Mask what is found in a unit's messages, in place.

        Args:
            unit: whose they are; a private key may go on from one entry to the next.
            data: the messages, a line end behind each, slack behind the last.
            starts: where each begins, and the end of the last.
        """
        first, last = int(starts[0]), int(starts[-1])
        prompts = any(word in f"{self._dataset} {unit}".lower() for word in _WORDS)
        inside = self._inside.get(unit, OUTSIDE)
        self._redactor.redact(data[first : last + _SLACK], last - first, inside=inside, prompts=prompts)
        inside = self._redactor.passed(last - first)
        if inside is OUTSIDE:
            self._inside.pop(unit, None)
            return
        if len(self._inside) >= _MOST_UNITS:
            self._inside.clear()
        self._inside[unit] = inside

    def field(self, name: str, value: bytes) -> bytes:
        """A field's value without what must not leave the node; the name counts: ``API_KEY`` holds one."""
        text = name.encode() + b"=" + value
        data = np.frombuffer(bytearray(text + b"\n" + bytes(_SLACK)), np.uint8)
        self._redactor.redact(data, len(text) + 1)
        self._redactor.passed(len(text) + 1)
        return data[len(name) + 1 : len(text)].tobytes()
