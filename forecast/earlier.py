"""Forecasts that this node stored in the last weeks, for the bands of the next to learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecast import adaptive
from forecast.grid import GRID_HOURS, Grid
from forecast.packing import unpack
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forewarn.base.clock import HOUR
from forewarn.base.sqlite import open_reader

MODEL = "combiner"


@dataclass(frozen=True, slots=True)
class Earlier:
    """One stored forecast of the combiner.

    Attributes:
        start_ms: its first hour.
        packed: its points, as ``forecast.packing`` packs rows.
        widening: what its 95 % and its 80 % band had been multiplied by.
    """

    start_ms: int
    packed: bytes
    widening: tuple[float, float]

    @property
    def quantiles(self) -> Floats:
        """As they were stored, [72, 5]."""
        mean, *edges = unpack(self.packed)
        return np.array([*edges[:2], mean, *edges[2:]]).T


Past = Mapping[tuple[str, str], Sequence[Earlier]]
"""By series and statistic."""


def read_earlier(state: Path, as_of_ms: int) -> Past:
    """Stored forecasts of the four weeks before a moment, those that began at whole multiples of 48 hours.

    Raises:
        StoreError: the state database cannot be opened.
    """
    step = adaptive.EVERY_HOURS * HOUR
    newest = as_of_ms // HOUR * HOUR - HOUR
    found: dict[tuple[str, str], dict[int, Earlier]] = {}
    connection = open_reader(state)
    try:
        for start_ms in range(newest // step * step, newest - adaptive.LOOK_BACK_HOURS * HOUR, -step):
            rows = connection.execute(
                "SELECT series, statistic, points, widening_95, widening_80 FROM forecasts"
                " JOIN forecast_targets ON forecast_targets.id = target_id"
                " WHERE made_ms BETWEEN ? AND ? AND start_ms = ? AND model = ? AND points IS NOT NULL",
                (start_ms, start_ms + 2 * HOUR, start_ms, MODEL),
            )
            for series, statistic, points, *factors in rows:
                widening = (factors[0] or 1.0, factors[1] or 1.0)
                found.setdefault((series, statistic), {})[start_ms] = Earlier(start_ms, points, widening)
    finally:
        connection.close()
    return {identity: tuple(each.values()) for identity, each in found.items()}


def tallies(grid: Grid, earlier: Sequence[Sequence[Earlier]]) -> Floats:
    """How the bands of each series' earlier forecasts held, [n, 2, bins], as ``forecast.adaptive`` counts.

    Args:
        grid: what was measured.
        earlier: of each of its series.
    """
    flat = [(row, one) for row, some in enumerate(earlier) for one in some]
    count = grid.values.shape[0]
    if not flat:
        return np.zeros((count, len(adaptive.BANDS), adaptive.BINS))
    owner = np.array([row for row, _ in flat], dtype=np.int64)
    ages = np.array([(grid.end_ms - one.start_ms) // HOUR for _, one in flat], dtype=np.int64)
    column = GRID_HOURS - ages[:, None] + np.arange(HORIZON_HOURS)
    inside = (column >= 0) & (column < GRID_HOURS)
    actual = np.where(inside, grid.values[owner[:, None], np.where(inside, column, 0)], np.nan)
    stored = np.stack([one.quantiles for _, one in flat])
    told = adaptive.widened(stored, 1 / np.array([one.widening for _, one in flat]))
    places = adaptive.places(told, actual)
    return adaptive.tally(places, ages, owner, count)
