"""The probability that a limit is reached, hour by hour, and what follows from it."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from forecast.settings import HORIZON_HOURS

_STEPS = 10_000
_LAYOUT = struct.Struct(f"<{HORIZON_HOURS}H")


@dataclass(frozen=True, slots=True)
class Chance:
    """What is known of the way to a limit that is not reached yet.

    Attributes:
        curve: the probability to have reached it by the end of each of the 72 hours ahead; never falling, in steps
            of a ten-thousandth. Of what fills up it is the probability that the level at the hour's end is there.
        crossed_lately: whether the plain rule says so: in the last 72 hours it was reached at least once.
    """

    curve: tuple[float, ...]
    crossed_lately: bool

    @classmethod
    def of(cls, curve: Iterable[float], *, crossed_lately: bool) -> "Chance":
        """From 72 probabilities as a model has them.

        Raises:
            ValueError: they are not 72 numbers between 0 and 1.
        """
        given = list(curve)
        if len(given) != HORIZON_HOURS or not all(0 <= one <= 1 for one in given):
            raise ValueError(f"a chance is {HORIZON_HOURS} probabilities between 0 and 1")
        return cls(tuple(accumulate((round(one * _STEPS) / _STEPS for one in given), max)), crossed_lately)

    def within(self, hours: float) -> float:
        """The probability to have reached the limit so many hours after the start; whole hours count, 72 at most."""
        whole = min(int(hours), HORIZON_HOURS)
        return self.curve[whole - 1] if whole > 0 else 0.0

    def time(self, level: float) -> int | None:
        """The first hour, counted from 0, by whose end the probability is at the level; None beyond the 72 hours."""
        return next((hour for hour, chance in enumerate(self.curve) if chance >= level), None)

    @property
    def p24(self) -> float:
        """Within 24 hours."""
        return self.within(24)

    @property
    def p48(self) -> float:
        """Within 48 hours."""
        return self.within(48)

    @property
    def p72(self) -> float:
        """Within 72 hours."""
        return self.within(72)

    @property
    def t10(self) -> int | None:
        """The hour by which one chance in ten is reached."""
        return self.time(0.1)

    @property
    def t50(self) -> int | None:
        """The hour by which it is as likely as not."""
        return self.time(0.5)

    @property
    def t90(self) -> int | None:
        """The hour by which nine chances in ten are reached."""
        return self.time(0.9)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: what people ask for, then the whole curve."""
        return {
            "p24": self.p24,
            "p48": self.p48,
            "p72": self.p72,
            "t10": self.t10,
            "t50": self.t50,
            "t90": self.t90,
            "crossed_lately": self.crossed_lately,
            "curve": list(self.curve),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Chance":
        """What ``to_dict`` wrote.

        Raises:
            KeyError: a field is missing.
        """
        return cls(tuple(data["curve"]), data["crossed_lately"])

    @property
    def packed(self) -> bytes:
        """The curve as the book keeps it: ten-thousandths as uint16, little endian."""
        return _LAYOUT.pack(*(round(one * _STEPS) for one in self.curve))

    @classmethod
    def stored(cls, packed: bytes | None, crossed_lately: int | None) -> "Chance | None":
        """From the book's columns."""
        if packed is None:
            return None
        return cls(tuple(step / _STEPS for step in _LAYOUT.unpack(packed)), bool(crossed_lately))
