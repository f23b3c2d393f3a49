"""What fills up: real rates summed into levels, and when each of eight capacities is full."""

from pathlib import Path

import numpy as np

from bench.forecasting.accuracy import Method
from bench.forecasting.asking import Said
from bench.forecasting.ours import CHANCES, backtest_cut
from bench.forecasting.windows import Flags, Floats, Windows
from bench.peers.plain import DAY, WEEK, predict_linear, rate_by_hour_of_day
from bench.report import Table
from forecast import scores
from forewarn.base.clock import HOUR

SHARES = np.array([0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0])
"""Capacities, in units of what really comes in within 72 hours: half of them fill."""
LEAST_VARIATION = 0.1
"""Rates that hardly move over a week are no question."""
WINDOWS_A_SERIES = 2
OURS = "Forewarn"


class Fills:
    """Levels of n windows, and what came of them.

    Attributes:
        levels: [n, 672] at each hour's end.
        capacities: [n, 8].
        full: [n, 8] the hour in which the level reached it, NaN where that lies beyond the horizon.
        chosen: [n] whether the series is of the half for choices.
    """

    def __init__(self, windows: Windows) -> None:
        rates, usable = windows.grid.bridged, _usable(windows)
        rates, actual = rates[usable], windows.actual[usable]
        filled = np.where(np.isfinite(actual), actual, np.nanmean(actual, axis=1)[:, None])
        self.chosen: Flags = windows.chosen[usable]
        self.levels: Floats = np.where(np.isfinite(rates), np.nancumsum(rates, axis=1), np.nan)
        growth = np.cumsum(filled, axis=1)
        self.capacities: Floats = self.levels[:, -1:] + growth[:, -1:] * SHARES
        self.full: Floats = self.reached(self.levels[:, -1:] + growth)

    def reached(self, levels: Floats) -> Floats:
        """The hour in which levels [n, 72] reach each capacity, [n, 8]."""
        many = np.repeat(levels, SHARES.size, axis=0)
        return scores.first_crossing(many, self.capacities.ravel()).reshape(-1, SHARES.size)

    def methods(self, work: Path, prophet: Said | None) -> dict[str, Floats]:
        """By name the hour at which each method says that a capacity is full, [n, 8]."""
        answers = backtest_cut(self.levels, work, self.capacities, "--kind", "fill", value_at=HOUR // 2)
        found = {OURS: answers.chances[..., CHANCES.index("t50")]}
        paths = {
            "hour-of-day rate over 7 d, integrated": rate_by_hour_of_day(self.levels),
            "predict_linear 72 h": predict_linear(self.levels, 72),
            "predict_linear 24 h": predict_linear(self.levels, DAY),
            "predict_linear 7 d": predict_linear(self.levels, WEEK),
            "predict_linear 6 h (node-mixin)": predict_linear(self.levels, 6),
        }
        if prophet is not None:
            paths["Prophet on the level"] = Method(prophet.quantiles[..., 2]).point
        return found | {name: self.reached(path) for name, path in paths.items()}

    def criteria(self, said: Floats, rows: Flags | None = None) -> tuple[float, float, float]:
        """F1 of filling within 72 h, and median and 90th percentile of the hours' error where both are known."""
        part = np.ones(len(said), dtype=np.bool_) if rows is None else rows
        mine, real = said[part].ravel(), self.full[part].ravel()
        error = np.abs(scores.lead_time_error(mine, real))
        return scores.f1(np.isfinite(mine), np.isfinite(real)), float(np.median(error)), float(np.quantile(error, 0.9))

    def by_method(self, found: dict[str, Floats]) -> Table:
        """Every method's criteria."""
        rows = []
        for name, said in found.items():
            every, read = self.criteria(said), self.criteria(said, ~self.chosen)
            rows.append([name, *(f"{one[0]:.3f}" for one in (every, read)), f"{every[1]:.0f} / {every[2]:.0f}"])
        header = ["", "F1", "F1, series for reading only", "hours off, median / p90"]
        share = np.isfinite(self.full).mean()
        return Table(f"What fills up: {self.full.size} questions, {share:.0%} fill within 72 h", header, rows)


def _usable(windows: Windows) -> Flags:
    """The middle and the last window of each series, of those whose values are rates, move, and bring something in."""
    picked = np.zeros(len(windows), dtype=np.bool_)
    for name in np.unique(windows.names):
        rows = np.flatnonzero(windows.names == name)
        picked[rows[np.linspace(0, rows.size - 1, WINDOWS_A_SERIES + 1).astype(int)[1:]]] = True
    week = windows.grid.bridged[:, -WEEK:]
    mean = week.mean(axis=1)
    moves = week.std(axis=1) >= LEAST_VARIATION * mean
    flows = (np.nanmin(windows.past, axis=1) >= 0) & (np.nansum(windows.actual, axis=1) > 0)
    return np.asarray(picked & flows & moves & (mean > 0))
