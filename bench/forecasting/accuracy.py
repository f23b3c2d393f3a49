"""Points and bands: MASE, wins, quantile score and coverage, of Forewarn and of each peer, on the same windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.forecasting.windows import Flags, Floats, Windows
from bench.peers.plain import DAY, WEEK, last, predict_linear, yesterday
from bench.report import Table
from forecast import scores

OURS, PROPHET, YESTERDAY, LAST = "Forewarn", "Prophet", "same hour yesterday", "last value"
BOOTSTRAPS = 2000
LARGEST_RANGES = 3.0
"""Peers' forecasts are cut at 0 where the past never was below, and at so many ranges over its maximum."""


@dataclass
class Method:
    """One way to forecast.

    Attributes:
        point: [n, 72].
        quantiles: [n, 72, 5]; None where it gives none.
        milliseconds: of processor time for a series; None where that is next to nothing.
    """

    point: Floats
    quantiles: Floats | None = None
    milliseconds: float | None = None


@dataclass
class Reading:
    """All methods' errors on the same windows.

    Attributes:
        mase: [n] by method.
        loss: scaled quantile score, [n] by method.
        inside: share of hours within the 80 % and the 95 % band, [n] each, by method.
    """

    windows: Windows
    methods: Mapping[str, Method]
    mase: dict[str, Floats] = field(default_factory=dict)
    loss: dict[str, Floats] = field(default_factory=dict)
    inside: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scale, actual = self.windows.scale, self.windows.actual
        for name, one in self.methods.items():
            self.mase[name] = scores.mase(one.point, actual, scale)
            if one.quantiles is not None:
                self.loss[name] = scores.quantile_score(one.quantiles, actual, scale)
                bands = (scores.BAND_80, scores.BAND_95)
                self.inside[name] = tuple(scores.coverage(one.quantiles, actual, band) for band in bands)  # type: ignore[assignment]

    def ratio(self, to: str, rows: Flags, of: str = OURS) -> float:
        """Of mean MASE."""
        return float(self.mase[of][rows].mean() / self.mase[to][rows].mean())

    def better(self, to: str, rows: Flags, of: str = OURS) -> float:
        """In how many percent of the windows."""
        return float(100 * (self.mase[of][rows] < self.mase[to][rows]).mean())

    def to_better_naive(self, rows: Flags, of: str = OURS) -> float:
        """Mean MASE over that of the better of same hour yesterday and the last value."""
        return max(self.ratio(YESTERDAY, rows, of), self.ratio(LAST, rows, of))

    def covered(self, band: int, rows: Flags, of: str = OURS) -> float:
        """Percent of the measured hours."""
        return float(100 * self.inside[of][band][rows].mean())

    def loss_ratio(self, rows: Flags, of: str = OURS) -> float:
        """Of the scaled quantile score to Prophet's."""
        return float(self.loss[of][rows].mean() / self.loss[PROPHET][rows].mean())

    def interval(self, rows: Flags, of: str = OURS) -> tuple[float, float]:
        """95 % of the ratio to Prophet, by drawing whole series: windows of one are no independent observations."""
        _, series = np.unique(self.windows.names[rows], return_inverse=True)
        mine, other = (np.bincount(series, weights=self.mase[name][rows]) for name in (of, PROPHET))
        drawn = np.random.default_rng(1).integers(mine.size, size=(BOOTSTRAPS, mine.size))
        low, high = np.quantile(mine[drawn].sum(axis=1) / other[drawn].sum(axis=1), (0.025, 0.975))
        return float(low), float(high)


def plain_methods(of: Windows) -> dict[str, Method]:
    """What needs no library."""
    bridged = of.grid.bridged
    linear = {
        f"predict_linear {name}": predict_linear(of.past, hours) for name, hours in (("24 h", DAY), ("7 d", WEEK))
    }
    found = {YESTERDAY: yesterday(bridged), LAST: last(bridged), **linear}
    return {
        name: Method(bounded(np.where(np.isfinite(point), point, last(bridged)), of)) for name, point in found.items()
    }


def bounded(values: Floats, of: Windows) -> Floats:
    """A peer's forecasts [n, 72] or [n, 72, 5] within what the past makes possible."""
    low, high = np.nanmin(of.past, axis=1), np.nanmax(of.past, axis=1)
    floor = np.where(low >= 0, 0.0, -np.inf)
    shape = (-1,) + (1,) * (values.ndim - 1)
    top = high + LARGEST_RANGES * (high - low)
    return np.asarray(np.clip(values, floor.reshape(shape), top.reshape(shape)))


def by_method(reading: Reading) -> Table:
    """Every method over all windows."""
    every = np.ones(len(reading.windows), dtype=np.bool_)
    rows = []
    for name, one in reading.methods.items():
        low, high = reading.interval(every, name)
        banded = one.quantiles is not None
        rows.append(
            [
                name,
                f"{reading.mase[name].mean():.3f}",
                f"{np.median(reading.mase[name]):.3f}",
                f"{reading.ratio(PROPHET, every, name):.3f} ({low:.3f} to {high:.3f})",
                f"{reading.better(PROPHET, every, name):.0f}",
                f"{reading.better(YESTERDAY, every, name):.0f}",
                f"{reading.covered(0, every, name):.1f} / {reading.covered(1, every, name):.1f}" if banded else "",
                f"{reading.loss_ratio(every, name):.3f}" if banded else "",
                f"{one.milliseconds:.1f}" if one.milliseconds is not None else "",
            ]
        )
    header = ["", "MASE", "median", "/ Prophet (95 %)", "% better than Prophet", "% than yesterday"]
    header += ["80 / 95 % covers", "quantile score / Prophet", "ms a series"]
    return Table(f"All methods, {len(reading.windows)} windows", header, rows)


def by_part(reading: Reading, title: str) -> Table:
    """Forewarn, over each group of windows."""
    rows = []
    for name, part in parts(reading.windows).items():
        rows.append(
            [
                name,
                f"{part.sum()} of {np.unique(reading.windows.names[part]).size}",
                f"{reading.mase[OURS][part].mean():.3f}",
                f"{reading.ratio(PROPHET, part):.3f}",
                f"{reading.to_better_naive(part):.3f}",
                f"{reading.better(PROPHET, part):.0f} / {reading.better(YESTERDAY, part):.0f}",
                f"{reading.covered(0, part):.1f} / {reading.covered(1, part):.1f}",
                f"{reading.covered(0, part, PROPHET):.1f} / {reading.covered(1, part, PROPHET):.1f}",
                f"{reading.loss_ratio(part):.3f}",
            ]
        )
    header = ["windows of", "windows of series", "MASE", "/ Prophet", "/ better of yesterday and last"]
    header += ["% better than Prophet / yesterday", "80 / 95 % covers", "Prophet's", "quantile score / Prophet"]
    return Table(title, header, rows)


def otherwise(reading: Reading, uncut: Floats) -> Table:
    """The ratio to Prophet, read in other ways.

    Args:
        uncut: [n, 72] Prophet's forecasts as they came.
    """
    ours, theirs = reading.mase[OURS], reading.mase[PROPHET]
    _, series = np.unique(reading.windows.names, return_inverse=True)
    weight = 1 / np.bincount(series)[series]
    raw = scores.mase(uncut, reading.windows.actual, reading.windows.scale)
    readings = {
        "means over all windows, Prophet's forecasts cut to what is possible": ours.mean() / theirs.mean(),
        "the same, Prophet's forecasts as they come": ours.mean() / raw.mean(),
        "each series the same weight": np.average(ours, weights=weight) / np.average(theirs, weights=weight),
        "each series the same weight, Prophet's as they come": (
            np.average(ours, weights=weight) / np.average(raw, weights=weight)
        ),
        "medians": np.median(ours) / np.median(theirs),
        "geometric mean of the windows' ratios (0.02 added to each)": np.exp(
            np.mean(np.log((ours + 0.02) / (theirs + 0.02)))
        ),
    }
    rows = [[name, f"{value:.3f}"] for name, value in readings.items()]
    return Table("MASE relative to Prophet's, read otherwise", ["", "ratio"], rows)


def parts(of: Windows) -> dict[str, Flags]:
    """All windows, those of sources never seen, both halves of the series, each set."""
    groups = {
        "all": np.ones(len(of), dtype=np.bool_),
        "series for choices": of.chosen,
        "series for reading only": ~of.chosen,
        "sources that training may see": ~of.unseen,
        "sources never seen": of.unseen,
        "sources never seen, for choices": of.unseen & of.chosen,
        "sources never seen, for reading only": of.unseen & ~of.chosen,
    }
    groups |= {source: of.source == source for source in np.unique(of.source).tolist()}
    return {name: rows for name, rows in groups.items() if rows.any()}
