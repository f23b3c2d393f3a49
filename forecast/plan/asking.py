"""What is asked of a plan. Light: the daemon's parent process reads it too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.series import Matcher, parse_selector

NEEDED_DAYS = {3: 1, 14: 21, 30: 45}
"""By horizon, days of history: half as many more as lie ahead, so that the past shows errors at that lead."""
HORIZONS = tuple(NEEDED_DAYS)
FACTORS = np.geomspace(0.25, 8.0, 41)
"""Growths of demand that are asked about."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked.

    Attributes:
        days: the farthest horizon: 3, 14 or 30.
        probability: of a breach, that is still borne.
        grow: the factor by which demand is taken to grow at once.
        target: a selector of the capacities; all where it is empty.
    """

    days: int = HORIZONS[-1]
    probability: float = 0.05
    grow: float = 1.0
    target: str = ""

    @property
    def horizons(self) -> tuple[int, ...]:
        """Horizons up to the farthest, in days."""
        return tuple(days for days in HORIZONS if days <= self.days)

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """The selector's conditions.

        Raises:
            ValueError: it is none.
        """
        return parse_selector(self.target) if self.target else ()


def short_of(days: int, horizons: Sequence[int]) -> dict[str, str]:
    """By ``14d`` and the like, why nothing is said so far ahead after so many days of history."""
    return {
        f"{ahead}d": f"needs {NEEDED_DAYS[ahead]} days of history, has {days}"
        for ahead in horizons
        if days < NEEDED_DAYS[ahead]
    }
