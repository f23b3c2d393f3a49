"""How good a back-test's forecasts were, beside same hour yesterday and Prophet."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from forecast import scores
from forecast.backtest.run import Backtest
from forecast.sources import Floats

BOOTSTRAPS = 1000


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over windows; None where there is nothing to take a mean of.

    Attributes:
        series: how many were asked about.
        windows: how many origins.
        scored: how many of those have a scale and something measured after them.
        mase: mean absolute error of the median in units of same-hour-yesterday's in the sample, 20 at most a window.
        mase_yesterday: of same hour yesterday.
        mase_prophet: of Prophet's exact MAP, over the windows that have one.
        to_yesterday: ``mase`` over ``mase_yesterday``.
        to_prophet: the same with Prophet, over the windows that have one.
        to_prophet_95: its 95 % interval, by drawing series with replacement.
        better_than_yesterday: share of windows.
        better_than_prophet: share of the windows that have one.
        coverage_80: share of measured hours within the 80 % band.
        coverage_95: of the 95 % band.
        quantile_score: twice the mean quantile loss over the five quantiles, in the scale's units.
        weighted_quantile_loss: of all windows together, in units of what was measured.
    """

    series: int
    windows: int
    scored: int
    mase: float | None
    mase_yesterday: float | None
    mase_prophet: float | None
    to_yesterday: float | None
    to_prophet: float | None
    to_prophet_95: tuple[float, float] | None
    better_than_yesterday: float | None
    better_than_prophet: float | None
    coverage_80: float | None
    coverage_95: float | None
    quantile_score: float | None
    weighted_quantile_loss: float | None


@dataclass(frozen=True, slots=True)
class BreachSummary:
    """The probability to cross within 72 hours, over the questions whose 72 hours were measured whole.

    Attributes:
        asked: how many questions.
        scored: how many of those.
        crossed: the share that crossed.
        auc: how often what crossed was given more than what did not.
        brier: mean squared distance of the probability from what came.
        calibration_error: how far what was said is from what came, over ten bins.
        recall_at_precision_80: share of crossings found by the limit at which four warnings of five come true.
        time_error_median: hours between t50 and the crossing, of those that have both.
        time_error_p90: the same, nine of ten.
    """

    asked: int
    scored: int
    crossed: float | None
    auc: float | None
    brier: float | None
    calibration_error: float | None
    recall_at_precision_80: float | None
    time_error_median: float | None
    time_error_p90: float | None


def summarise(found: Backtest, seed: int) -> Summary:
    """The figures of the forecasts; ``seed`` draws the series for the interval."""
    actual, quantiles = found.windows.actual, found.answers.quantiles
    scale = scores.mase_scale(found.windows.grid.bridged)
    ours = scores.mase(quantiles[..., 2], actual, scale)
    yesterday = scores.mase(found.answers.yesterday, actual, scale)
    prophet = scores.mase(found.answers.prophet, actual, scale)
    usable = np.isfinite(ours)
    both = usable & np.isfinite(prophet)
    names = np.array([origin.series for origin in found.origins])
    return Summary(
        series=np.unique(names).size,
        windows=len(found.origins),
        scored=int(usable.sum()),
        mase=_mean(ours[usable]),
        mase_yesterday=_mean(yesterday[usable]),
        mase_prophet=_mean(prophet[both]),
        to_yesterday=_ratio(ours[usable], yesterday[usable]),
        to_prophet=_ratio(ours[both], prophet[both]),
        to_prophet_95=_interval(ours[both], prophet[both], names[both], np.random.default_rng(seed)),
        better_than_yesterday=_mean(ours[usable] < yesterday[usable]),
        better_than_prophet=_mean(ours[both] < prophet[both]),
        coverage_80=_mean(scores.coverage(quantiles, actual, scores.BAND_80)[usable]),
        coverage_95=_mean(scores.coverage(quantiles, actual, scores.BAND_95)[usable]),
        quantile_score=_mean(scores.quantile_score(quantiles, actual, scale)[usable]),
        weighted_quantile_loss=_known(scores.weighted_quantile_loss(quantiles[usable], actual[usable])),
    )


def summarise_breaches(found: Backtest) -> BreachSummary:
    """The figures of the breaches."""
    assert found.crossing is not None
    actual = found.windows.actual[found.asked]
    whole = np.isfinite(actual).all(axis=1) & np.isfinite(found.crossing.curve[:, -1])
    said = found.crossing.by(72)[whole]
    at = scores.first_crossing(actual[whole], found.thresholds[whole])
    crossed = np.isfinite(at)
    late = np.abs(scores.lead_time_error(found.crossing.time(0.5)[whole], at))
    return BreachSummary(
        asked=whole.size,
        scored=int(whole.sum()),
        crossed=_mean(crossed),
        auc=_known(scores.auc(said, crossed)),
        brier=_known(scores.brier(said, crossed)),
        calibration_error=_known(scores.calibration_error(said, crossed)),
        recall_at_precision_80=_known(scores.recall_at_precision(said, crossed)),
        time_error_median=_known(float(np.median(late))) if late.size else None,
        time_error_p90=_known(float(np.quantile(late, 0.9))) if late.size else None,
    )


def as_json(summary: Summary | BreachSummary) -> dict[str, Any]:
    """The figures by name, to six digits."""
    return {name: _rounded(value) for name, value in asdict(summary).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _interval(
    ours: Floats, theirs: Floats, names: "np.ndarray[tuple[int], np.dtype[np.str_]]", random: np.random.Generator
) -> tuple[float, float] | None:
    """Of the ratio of means; the windows of a series are no independent observations, so whole series are drawn."""
    _, series = np.unique(names, return_inverse=True)
    count = int(series.max(initial=-1)) + 1
    if count < 2:
        return None
    mine, other = (np.bincount(series, weights=values) for values in (ours, theirs))
    drawn = random.integers(count, size=(BOOTSTRAPS, count))
    ratios = mine[drawn].sum(axis=1) / np.maximum(other[drawn].sum(axis=1), np.finfo(np.float64).tiny)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def _ratio(ours: Floats, theirs: Floats) -> float | None:
    return float(ours.sum() / theirs.sum()) if theirs.size and theirs.sum() > 0 else None


def _mean(values: "Floats | np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float | None:
    return float(values.mean()) if values.size else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
