"""What each figure is to reach, what a prototype reached and what Prophet's defaults do, in the order of the table."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.report import Figure, Within

PROTOTYPE, PROPHET = "prototype", "Prophet here"


@dataclass(frozen=True)
class Goal:
    """One row of the table.

    Attributes:
        reach: where the number is to lie.
        stretch: where at best.
        prototype: what a prototype reached, on series of the same sets.
    """

    name: str
    unit: str
    reach: Within
    stretch: Within | None = None
    prototype: str = ""


@dataclass(frozen=True)
class Measured:
    """What was measured for a goal; ``prophet`` is the same of Prophet, where it says anything."""

    value: float | None
    note: str = ""
    prophet: float | None = None


def _most(number: float) -> Within:
    return Within(most=number)


def _least(number: float) -> Within:
    return Within(least=number)


GOALS: Mapping[str, Goal] = {
    "mase": Goal("mean MASE relative to Prophet's default, 72 h", "", _most(0.66), _most(0.60), "0.671"),
    "mase_unseen": Goal("the same on sources that training never saw", "", _most(0.64), _most(0.58), "0.636"),
    "mase_read": Goal("the same on series for reading only", "", _most(0.66), _most(0.60)),
    "better_prophet": Goal("windows better than Prophet", "%", _least(80), _least(85), "77"),
    "better_yesterday": Goal("windows better than same hour yesterday", "%", _least(74), _least(80), "72"),
    "worst_set": Goal(
        "worst set against the better of same hour yesterday and last value", "x", _most(1.00), _most(0.95), "1.02"
    ),
    "cover_80": Goal("80 % band covers, pooled", "%", Within(78, 82), Within(79, 81), "79"),
    "cover_95": Goal("95 % band covers, pooled", "%", Within(94, 96), None, "94.4"),
    "cover_95_worst": Goal("95 % band covers, worst set", "%", _least(91), _least(93), "90"),
    "loss": Goal("scaled quantile score relative to Prophet's", "", _most(0.65), _most(0.60), "0.67"),
    "auc": Goal("P(cross in 72 h), hourly means: AUC", "", _least(0.86), _least(0.88), "0.848"),
    "brier": Goal("the same: Brier score", "", _most(0.135), _most(0.125), "0.139"),
    "recall": Goal("the same: recall at precision .8", "", _least(0.55), _least(0.65), "0.48"),
    "calibration": Goal("the same: expected calibration error", "", _most(0.03), _most(0.02), "0.023"),
    "auc_max": Goal("P(cross in 72 h), hourly maxima: AUC", "", _least(0.86), _least(0.88)),
    "brier_max": Goal("the same: Brier score", "", _most(0.135), _most(0.125)),
    "recall_max": Goal("the same: recall at precision .8", "", _least(0.55), _least(0.65)),
    "calibration_max": Goal("the same: expected calibration error", "", _most(0.03), _most(0.02)),
    "fill_f1": Goal("fill within 72 h: F1", "", _least(0.87), _least(0.90), "0.816"),
    "fill_median": Goal("the same: time error, median", "h", _most(3), _most(2), "4"),
    "fill_p90": Goal("the same: time error, 90th percentile", "h", _most(20), _most(15), "27"),
    "cold_24": Goal("MASE with 24 h of history / same hour yesterday's", "x", _most(0.92), None, "0.94"),
    "cold_72": Goal("MASE with 72 h of history / same hour yesterday's", "x", _most(0.82), None, "0.83"),
    "cold_168": Goal("MASE with 168 h of history / same hour yesterday's", "x", _most(0.76), None, "0.77"),
    "fit": Goal("batched exact MAP of a series", "ms", _most(1.0), _most(0.5), "0.7 to 1.6"),
    "below_stan": Goal("its objective at or below Stan's", "% of series", _least(100), None, "100"),
    "moved": Goal("Stan started from our maximum: furthest move", "of the largest value", _most(1e-6)),
    "answer": Goal("one series, features to calibrated forecast and breach", "ms", _most(1.5), _most(0.7), "about 1.2"),
    "refresh": Goal("whole refresh of 500 series, one core", "s", _most(3.0), _most(1.5)),
    "refresh_mib": Goal("the same: memory", "MiB", _most(120)),
    "refresh_imports": Goal("the same: pandas, prophet, torch imported", "", _most(0)),
    "refresh_both": Goal("whole refresh of 500 series, means and maxima of each", "s", _most(3.0), _most(1.5)),
}


def figures(measured: Mapping[str, Measured]) -> list[Figure]:
    """The table's rows, of what was measured."""
    return [_figure(goal, measured[name]) for name, goal in GOALS.items() if name in measured]


def _figure(goal: Goal, measured: Measured) -> Figure:
    peer = "" if measured.prophet is None else f"{measured.prophet:.3g}"
    beside = {PROTOTYPE: goal.prototype, PROPHET: peer}
    return Figure(goal.name, measured.value, goal.unit, goal.reach, measured.note, goal.stretch, beside)
