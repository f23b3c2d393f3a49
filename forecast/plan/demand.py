"""A demand: what a resource is asked for, hour by hour, and where it ends, turned so that it always ends above."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.series import SeriesKey
from forecast.grid import GRID_HOURS
from forecast.plan.longrange import HISTORY_DAYS
from forecast.prepare import History, read_history
from forecast.results import decides
from forecast.sources import Floats, Reader
from forecast.targets import Target
from forewarn.base import words
from forewarn.base.clock import DAY

FEWEST_HOURS, FEWEST_KNOWN = 24, 12
"""Of history; and of these, hours with a value in four weeks."""
LONGEST_SILENCE_HOURS = 24
WEEK_HOURS = 168
UNITS_WITHOUT_ZERO = frozenset({"celsius"})
"""An idle GPU is not at 0 degrees, so that "a fifth more" says nothing."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Hourly values up to a common end.

    Attributes:
        values: [hours], NaN where missing; negative for what runs out at the lower end.
        limit: where it ends, turned alike.
        zero: the value at which nothing is asked for, turned alike; None where that is not known.
        extreme: whether the values are extremes of their hours, and not means.
        fills: whether it is a store that fills: what grows is the rate, not the level.
    """

    values: Floats
    limit: float
    zero: float | None = 0.0
    extreme: bool = False
    fills: bool = False

    @classmethod
    def of(cls, target: Target, history: History) -> "Demand":
        """A target's own demand; of a capacity that is free, what is not free of the whole."""
        limit = target.limit if target.limit is not None else np.inf
        if not target.below:
            zero = None if target.unit in UNITS_WITHOUT_ZERO or limit <= 0 else 0.0
            return cls(history.values, limit, zero, target.statistic != "mean", target.kind == "fill")
        zero = -target.ceiling if target.ceiling is not None else None
        return cls(-history.values, -limit, zero, target.statistic != "mean", target.kind == "fill")

    @property
    def last(self) -> float:
        """The newest value known."""
        known = self.values[np.isfinite(self.values)]
        return float(known[-1]) if known.size else np.nan

    @property
    def days(self) -> int:
        """Days from the first value on."""
        return self.values.size // 24

    def peak(self, hours: int = WEEK_HOURS) -> float:
        """The highest value of the last hours, NaN where none is known."""
        recent = self.values[-hours:]
        return float(np.nanmax(recent)) if np.isfinite(recent).any() else np.nan

    def threshold(self, factor: Floats | float) -> Floats:
        """The value now for which a demand grown by a factor is at the limit; NaN where zero is not known."""
        if self.fills:
            return np.asarray(self.last + (self.limit - self.last) / np.asarray(factor))
        zero = np.nan if self.zero is None else self.zero
        return np.asarray(zero + (self.limit - zero) / np.asarray(factor))


def deciding(targets: Sequence[Target]) -> list[Target]:
    """Of the two statistics of every capacity with a limit, the one that says when it ends."""
    found: dict[SeriesKey, Target] = {}
    for target in targets:
        if target.limit is not None and decides(target.kind, target.statistic):
            known = found.get(target.key)
            if known is None or target.statistic != "mean":
                found[target.key] = target
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Silence:
    """A capacity of which nothing can be said.

    Attributes:
        reason: why.
        gone: whether its series is no longer written, and not only young.
    """

    reason: str
    gone: bool = False


def read(reader: Reader, target: Target, as_of_ms: int) -> History | Silence:
    """The target's history of four months at most, where that is enough for any statement."""
    history = read_history(reader, target, as_of_ms, HISTORY_DAYS * DAY)
    if history is None:
        return Silence(f"no value in the last {HISTORY_DAYS} days", gone=True)
    if history.values.size and history.silent_hours > LONGEST_SILENCE_HOURS:
        return Silence(f"no value in the last {words.hours(history.silent_hours)}", gone=True)
    if history.values.size < FEWEST_HOURS:
        return Silence(f"has {words.hours(history.hours)} of history, {FEWEST_HOURS} h are needed")
    known = int(np.isfinite(history.values[-GRID_HOURS:]).sum())
    if known < FEWEST_KNOWN:
        return Silence(f"only {known} hours of four weeks have a value, {FEWEST_KNOWN} are needed")
    return history
