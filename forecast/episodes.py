"""Warnings and crossings as people count them: forecasts follow each other hourly, and many speak of one event.

A warning begins with the first forecast whose probability is at the bar, and lasts while those that follow stay above
the lower one. It came true where the limit was reached in the 72 hours after that first forecast. A crossing is counted
once, however many forecasts had it in their 72 hours; it was missed where none of them was at the bar.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from forewarn.base.clock import HOUR

LONGEST_PAUSE_MS = 3 * HOUR
"""Forecasts of one warning follow each other at least so closely; alerts trust one for as long."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The probability at which a warning begins, and below which it ends."""

    begin: float = 0.6
    end: float = 0.4


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scored forecast: its first hour, its 72-hour probability, and when the limit was reached, if it was."""

    start_ms: int
    probability: float
    crossed_ms: int | None


@dataclass(slots=True)
class Episodes:
    """Of one target, or of many together.

    Attributes:
        came_true: warnings after which the limit was reached.
        false: warnings after which it was not.
        missed: crossings before which there was no warning.
        lead_hours: of warnings that came true, from their beginning to the crossing.
    """

    came_true: int = 0
    false: int = 0
    missed: int = 0
    lead_hours: list[float] = field(default_factory=list)

    def add(self, other: "Episodes") -> None:
        """Count those of another target too."""
        self.came_true += other.came_true
        self.false += other.false
        self.missed += other.missed
        self.lead_hours += other.lead_hours


def episodes(outcomes: Iterable[Outcome], bar: Bar) -> Episodes:
    """What became of the warnings and crossings of one target, whose forecasts come in the order of their time."""
    found, crossings = Episodes(), dict[int, bool]()
    last_ms: int | None = None
    for one in outcomes:
        if one.crossed_ms is not None:
            crossings[one.crossed_ms] = crossings.get(one.crossed_ms, False) or one.probability >= bar.begin
        goes_on = last_ms is not None and one.start_ms - last_ms <= LONGEST_PAUSE_MS
        if goes_on and one.probability >= bar.end:
            last_ms = one.start_ms
            continue
        last_ms = one.start_ms if one.probability >= bar.begin else None
        if last_ms is None:
            continue
        if one.crossed_ms is None:
            found.false += 1
        else:
            found.came_true += 1
            found.lead_hours.append((one.crossed_ms - one.start_ms) / HOUR)
    found.missed = sum(not warned for warned in crossings.values())
    return found
