"""How good the probability of the installed weights is, read through the code that serves it, beside plain rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from forecast import scores
from forecast.breach import Crossing, crossing, paths
from forecast.breach.turned import SIDE_HOURS
from forecast.combiner import combine
from forecast.grid import WEEK_HOURS, Flags, Ints
from forecast.members.statistics import median
from forecast.models.prophet_map import fit_many
from forecast.settings import HORIZON_HOURS, Statistic
from forecast.sources import Floats
from forecast.train.reading import Windows, windows
from forecast.train.series import OPEN_SETS, Hourly

G = (-0.5, -0.25, 0.0, 0.25, 0.5, 1.0)
"""Thresholds: the highest value of the last week and so many times its distance from that week's median."""
BINS = 10
CHUNK = 500
_P90_SCORE = NormalDist().inv_cdf(0.9)


@dataclass(frozen=True)
class Asked:
    """Questions on windows, what was said and what came.

    Attributes:
        window: [m] of each its window.
        threshold: [m].
        first: [m] the hour of the first crossing, NaN where there was none.
        said: probabilities to cross within 72 hours, [m], by who says so.
        curve: ours.
    """

    window: Ints
    threshold: Floats
    first: Floats
    said: dict[str, Floats]
    curve: Crossing


def evaluate(sets: Sequence[Hourly], origins: int) -> dict[str, Any]:
    """Figures by statistic and group of series; the net was trained on those of the open sets."""
    result: dict[str, Any] = {}
    for statistic in ("mean", "max"):
        found = windows(sets, statistic, origins)
        found = found.rows(np.asarray(np.isfinite(found.actual).all(axis=1)))
        asked = ask(found, "max" if statistic == "max" else "mean")
        result[statistic] = {name: figures(asked, rows[asked.window]) for name, rows in _groups(found).items()}
    return result


def _groups(of: Windows) -> dict[str, Flags]:
    seen = np.isin(of.source, OPEN_SETS)
    groups = {
        "all": np.ones(seen.size, dtype=np.bool_),
        "sources trained on": seen,
        "sources never seen": ~seen,
        "sources never seen, half for choices": ~seen & of.chosen,
        "sources never seen, half for reading": ~seen & ~of.chosen,
    }
    groups |= {str(name): of.source == name for name in np.unique(of.source)}
    return {name: rows for name, rows in groups.items() if rows.any()}


def ask(found: Windows, statistic: Statistic) -> Asked:
    """Six thresholds a window, but those beyond which one of the last three hours lies already."""
    past = found.grid.values
    top = np.nanmax(past[:, -WEEK_HOURS:], axis=1)
    height = top - median(past[:, -WEEK_HOURS:])
    limits = top[:, None] + np.array(G) * height[:, None]
    above = (past[:, -SIDE_HOURS:, None] >= limits[:, None]).any(axis=1)
    window, place = np.nonzero(~above & (height > 0)[:, None])
    threshold = limits[window, place]
    ours, plain = [], []
    for begin in range(0, len(past), CHUNK):
        grid = found.grid.take(slice(begin, begin + CHUNK))
        mine = (window >= begin) & (window < begin + CHUNK)
        combination = combine(grid, statistic, fit_many(grid))
        rows = window[mine] - begin
        ours.append(crossing(grid, combination, rows, threshold[mine], statistic).curve)
        plain.append(paths.curves(combination.quantiles[rows], grid.values[rows], threshold[mine])[:, -1])
    curve = Crossing(np.concatenate(ours))
    said = {"ours": curve.by(HORIZON_HOURS), "quantiles and past windows": np.asarray(np.concatenate(plain))}
    said |= _peers(found, window, threshold)
    return Asked(window, threshold, scores.first_crossing(found.actual[window], threshold), said, curve)


def _peers(found: Windows, window: Ints, threshold: Floats) -> dict[str, Floats]:
    """Plain rules; those that say yes or no say 1 or 0."""
    recent = found.grid.values[window, -HORIZON_HOURS:]
    with np.errstate(invalid="ignore"):
        lately = (recent >= threshold[:, None]).any(axis=1)
    prophet = found.prophet[window]
    spread = np.maximum((prophet[..., 3] - prophet[..., 2]) / _P90_SCORE, 1e-12)
    margin = ((prophet[..., 2] - threshold[:, None]) / spread).max(axis=1)
    below = np.exp(paths.log_below(-np.nan_to_num(np.clip(margin, -30, 30), nan=-30.0)))
    return {
        "it crossed in the last 72 h": np.asarray(lately, dtype=np.float64),
        "Prophet's yhat crosses": np.asarray((prophet[..., 2] >= threshold[:, None]).any(axis=1), dtype=np.float64),
        "Prophet's normal margin": np.asarray(1 - below),
    }


def figures(asked: Asked, rows: Flags) -> dict[str, Any]:
    """The figures of the questions of some windows."""
    came = np.isfinite(asked.first[rows])
    if not came.any() or came.all():
        return {"questions": int(rows.sum())}
    return {
        "questions": int(rows.sum()),
        "crossed": float(came.mean()),
        "said": {name: _scored(said[rows], came) for name, said in asked.said.items()},
        "lead_time": _lead(asked, rows),
        "reliability": _reliability(asked.said["ours"][rows], came),
        "within": {str(hours): _within(asked, rows, hours) for hours in (24, 48)},
    }


def _scored(said: Floats, came: Flags) -> dict[str, float]:
    return {
        "auc": scores.auc(said, came),
        "brier": scores.brier(said, came),
        "calibration_error": scores.calibration_error(said, came),
        "recall_at_precision_80": scores.recall_at_precision(said, came),
        "f1": scores.f1(said >= 0.5, came),
    }


def _within(asked: Asked, rows: Flags, hours: int) -> dict[str, float]:
    return _scored(asked.curve.by(hours)[rows], np.nan_to_num(asked.first[rows], nan=np.inf) < hours)


def _lead(asked: Asked, rows: Flags) -> dict[str, float]:
    """Hours between t50 and the crossing, of those that have both, and how many crossings have a t50."""
    half, first = asked.curve.time(0.5)[rows], asked.first[rows]
    late = np.abs(scores.lead_time_error(half, first))
    crossed = np.isfinite(first)
    return {
        "with_t50": float(np.isfinite(half[crossed]).mean()),
        "median": float(np.median(late)) if late.size else float("nan"),
        "p90": float(np.quantile(late, 0.9)) if late.size else float("nan"),
    }


def _reliability(said: Floats, came: Flags) -> list[list[float]]:
    """Of each tenth of probability: what was said, what came, how often."""
    place = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    return [
        [float(said[place == one].mean()), float(came[place == one].mean()), int((place == one).sum())]
        for one in np.unique(place)
    ]
