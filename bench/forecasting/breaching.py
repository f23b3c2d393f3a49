"""The probability to cross a threshold within 72 hours: Forewarn's, and what peers' forecasts say of the same."""

from dataclasses import dataclass

import numpy as np

from bench.forecasting.accuracy import Method
from bench.forecasting.windows import Flags, Floats, Ints, Windows
from bench.report import Table
from forecast import scores

STEPS = (-0.5, -0.25, 0.0, 0.25, 0.5, 1.0)
"""A threshold is the last week's maximum and so many times what that lies over the week's median."""
WEEK_HOURS, RECENT_HOURS, SIDE_HOURS = 168, 72, 3
CRITERIA = ("AUC", "Brier", "recall at precision .8", "calibration error", "F1")


@dataclass(frozen=True)
class Questions:
    """Thresholds of windows, and which of them were crossed.

    Attributes:
        window: [m] the window's place.
        column: [m] place of the threshold's step in ``STEPS``.
        threshold: [m].
        crossed: [m].
    """

    window: Ints
    column: Ints
    threshold: Floats
    crossed: Flags

    def rows(self, rows: Flags) -> "Questions":
        """Some of them."""
        return Questions(self.window[rows], self.column[rows], self.threshold[rows], self.crossed[rows])


@dataclass(frozen=True)
class Verdict:
    """How good a probability, or any other number that rises with the danger, is.

    Attributes:
        warned: at which number it warns; for F1.
        probability: whether the number is one.
    """

    said: Floats
    warned: float = 0.0
    probability: bool = False

    def criteria(self, crossed: Flags) -> dict[str, float | None]:
        """By name; None for what only probabilities have."""
        brier, error = (
            (scores.brier(self.said, crossed), scores.calibration_error(self.said, crossed))
            if self.probability
            else (None, None)
        )
        values = (
            scores.auc(self.said, crossed),
            brier,
            scores.recall_at_precision(self.said, crossed),
            error,
            scores.f1(self.said >= self.warned, crossed),
        )
        return dict(zip(CRITERIA, values, strict=True))


def thresholds(of: Windows) -> Floats:
    """[n, steps]; NaN where one of the last three hours is at or above it already."""
    week = of.past[:, -WEEK_HOURS:]
    high, middle = np.nanmax(week, axis=1), np.nanmedian(week, axis=1)
    found = high[:, None] + np.array(STEPS) * (high - middle)[:, None]
    now = np.nan_to_num(of.past[:, -SIDE_HOURS:], nan=-np.inf).max(axis=1)
    return np.where(now[:, None] >= found, np.nan, found)


def questions(of: Windows, asked: Floats) -> Questions:
    """Those of windows whose 72 hours were measured whole."""
    whole = np.isfinite(of.actual).all(axis=1)
    window, column = np.nonzero(np.isfinite(asked) & np.asarray(whole)[:, None])
    level = asked[window, column]
    return Questions(window, column, level, np.isfinite(scores.first_crossing(of.actual[window], level)))


def peers(of: Windows, asked: Questions, methods: dict[str, Method], maxima: Floats | None) -> dict[str, Verdict]:
    """By name: each peer's distance of forecast and threshold, Prophet's draws, and the plain rule.

    Args:
        maxima: [n, draws] of the hours ahead; NaN where Prophet said nothing.
    """
    scale = of.scale[asked.window]
    found: dict[str, Verdict] = {}
    for name, one in methods.items():
        found[f"{name}: forecast"] = Verdict((one.point.max(axis=1)[asked.window] - asked.threshold) / scale)
        if one.quantiles is not None:
            upper = one.quantiles[..., 3].max(axis=1)[asked.window]
            found[f"{name}: upper edge of 80 %"] = Verdict((upper - asked.threshold) / scale)
    if maxima is not None:
        share = (maxima[asked.window] >= asked.threshold[:, None]).mean(axis=1)
        found["Prophet: share of its draws that cross"] = Verdict(share, 0.5, probability=True)
    recent = np.nanmax(of.past[:, -RECENT_HOURS:], axis=1)[asked.window]
    found["highest of the last 72 h (rule: it crossed then)"] = Verdict((recent - asked.threshold) / scale)
    return found


def by_verdict(title: str, found: dict[str, Verdict], crossed: Flags) -> Table:
    """Every account of the danger."""
    rows = []
    for name, one in found.items():
        criteria = one.criteria(crossed)
        rows.append([name, *("" if value is None else f"{value:.3f}" for value in criteria.values())])
    rows.append(["the base rate", "0.500", f"{crossed.mean() * (1 - crossed.mean()):.3f}", "", "", ""])
    return Table(title, ["", *CRITERIA], rows)
