"""What the breach's net sees of series and of thresholds, in units of each series' scale.

Inputs of a question never fall with the hours ahead and never rise with its threshold: so what a net with positive
weights makes of them is monotone in both.
"""

import numpy as np

from forecast.breach.paths import log_below, normal_scores, reached
from forecast.breach.turned import AT, KNOTS, Turned
from forecast.grid import DAY_HOURS, GRID_HOURS, WEEK_HOURS, Ints
from forecast.members.statistics import mean, median
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

BLUR = 0.15
"""A past window that nearly reached a threshold counts in part; how near, in units of the windows' spread."""
SMALLEST_SHARE = 1e-6
NEVER_HOURS = 1000
_RECORDS = (-2.0, 3.0)
_STILL = 1e-9


def of_series(seen: Turned, *, extreme: bool) -> Floats:
    """What is known whatever the threshold, [n, inputs]; ``extreme`` where hours are maxima or minima."""
    return np.concatenate([np.arcsinh(_levels(seen)), _sizes(seen), _shapes(seen, extreme=extreme)], axis=1)


def _levels(seen: Turned) -> Floats:
    values, quantiles = seen.values, seen.quantiles
    found = [seen.now, values[:, -1], seen.zero]
    found += [mean(values[:, -hours:]) for hours in (DAY_HOURS, 3 * DAY_HOURS, GRID_HOURS)]
    found += [seen.highest(hours) for hours in (DAY_HOURS, 3 * DAY_HOURS, WEEK_HOURS, GRID_HOURS)]
    found += [seen.lowest(hours) for hours in (DAY_HOURS, WEEK_HOURS, GRID_HOURS)]
    found += [quantiles[..., 2].mean(axis=1), *(quantiles[..., place].max(axis=1) for place in (1, 2, 3, 4))]
    return np.stack(found, axis=1)


def _sizes(seen: Turned) -> Floats:
    """Logarithms of movements and of the forecast's bands."""
    values, last = seen.values, seen.quantiles[:, -1]
    found = [mean(np.abs(values[:, hours:] - values[:, :-hours])) for hours in (1, 6, 72, WEEK_HOURS)]
    found += [last[:, high] - last[:, low] for low, high in ((2, 3), (1, 2), (0, 4))]
    found += [seen.quantiles[:, 0, 4] - seen.quantiles[:, 0, 0], seen.height]
    return np.log(np.maximum(np.nan_to_num(np.stack(found, axis=1)), 1e-3))


def _shapes(seen: Turned, *, extreme: bool) -> Floats:
    """Length, stillness, and how often and by how much past windows went beyond the week before them."""
    known = np.isfinite(seen.values)
    length = known.sum(axis=1)
    still = (np.abs(np.diff(seen.values, axis=1)) <= _STILL).sum(axis=1) / length
    at_top = (known & (seen.values >= seen.highest(GRID_HOURS)[:, None] - _STILL)).sum(axis=1) / length
    records = np.clip(seen.excesses[..., -1], *_RECORDS)
    found = [seen.doubt, np.log(length / WEEK_HOURS), still, at_top, np.isfinite(records).sum(axis=1) / 10]
    found += [np.full(length.size, float(extreme)), np.nan_to_num(mean(records)), np.nan_to_num(median(records))]
    return np.stack([*found, (records > 0).mean(axis=1)], axis=1)


def of_questions(seen: Turned, asked: Ints, thresholds: Floats) -> Floats:
    """What is known of each threshold by each knot, [m, knots, inputs], rising with the hours, falling with it.

    Args:
        seen: the series.
        asked: [m] of each question its series.
        thresholds: [m] in the turned series' unit.
    """
    limit = seen.limits(asked, thresholds)
    inputs = [*_forecast(seen, asked, limit), *_past(seen, asked, limit), *_standing(seen, asked, limit)]
    inputs += [np.repeat(ahead[None], limit.size, axis=0) for ahead in (KNOTS / HORIZON_HOURS, np.log(KNOTS))]
    return np.stack(inputs, axis=2)


def _forecast(seen: Turned, asked: Ints, limit: Floats) -> list[Floats]:
    """What quantiles and members say, each [m, knots]."""
    scores = normal_scores(seen.quantiles[asked], limit)
    tops = np.maximum.accumulate(seen.quantiles[asked], axis=1)[:, AT]
    members = np.maximum.accumulate(seen.members[asked], axis=2)[..., AT]
    exist = np.isfinite(members[..., 0]).sum(axis=1)[:, None]
    hours_above = np.cumsum(-np.expm1(log_below(scores)), axis=1)[:, AT]
    return [
        _logit(reached(scores)[:, AT]),
        *(np.arcsinh(tops[..., place] - limit[:, None]) for place in (2, 3, 4)),
        _logit(((members >= limit[:, None, None]).sum(axis=1) + 0.5) / (exist + 1)),
        np.log(hours_above + 0.02),
    ]


def _past(seen: Turned, asked: Ints, limit: Floats) -> list[Floats]:
    """What past windows say, each [m, knots]."""
    peaks, rises, excesses = seen.peaks[asked], seen.rises[asked], seen.excesses[asked]
    rise = limit - seen.now[asked]
    excess = (limit - seen.top[asked]) / seen.height[asked]
    alike = seen.likeness[asked]
    return [
        _logit(_share(peaks, limit)),
        _logit(_share(rises, rise)),
        _logit(_share(excesses, excess)),
        _logit(_share(seen.weekly_peaks[asked], limit)),
        _logit(_weighted(peaks, limit, alike)),
        _logit(_weighted(rises, rise, alike)),
    ]


def _standing(seen: Turned, asked: Ints, limit: Floats) -> list[Floats]:
    """How far the threshold is from what was seen, and since when; the same at every knot."""
    found = [np.arcsinh(seen.highest(hours)[asked] - limit) for hours in (DAY_HOURS, 3 * DAY_HOURS, GRID_HOURS)]
    found += [np.arcsinh(seen.now[asked] - limit), np.arcsinh((seen.top[asked] - limit) / seen.height[asked])]
    for count in (7, seen.days.shape[1]):
        days = seen.days[asked, -count:]
        reached_on = (days >= limit[:, None]).sum(axis=1)
        found.append(_logit((reached_on + 0.5) / (np.isfinite(days).sum(axis=1) + 1)))
    above = seen.values[asked] >= limit[:, None]
    since = np.where(above.any(axis=1), above[:, ::-1].argmax(axis=1), NEVER_HOURS)
    beyond = (limit - seen.highest(GRID_HOURS)[asked]) * seen.scale[asked]  # in units of the largest value seen
    found += [-np.log1p(since), -np.log1p(np.maximum(beyond, 0.0))]
    return [np.repeat(one[:, None], KNOTS.size, axis=1) for one in found]


def _share(peaks: Floats, limit: Floats) -> Floats:
    """The share of past windows that reached a limit, [m, knots], as with one more window of which half did."""
    known = np.isfinite(peaks[..., 0])
    last = np.where(known, peaks[..., -1], np.nan)
    blur = BLUR * np.nan_to_num(mean(np.abs(last - mean(last)[:, None]))) + 1e-3
    apart = np.clip(np.nan_to_num(peaks - limit[:, None, None]) / blur[:, None, None], -30.0, 30.0)
    near = np.where(known[..., None], 1 / (1 + np.exp(-apart)), 0.0)
    return np.asarray((near.sum(axis=1) + 0.5) / (known.sum(axis=1) + 1)[:, None])


def _weighted(peaks: Floats, limit: Floats, weights: Floats) -> Floats:
    """The same without a blur, windows counting by their weights, [m, knots]."""
    weights = np.where(np.isfinite(peaks[..., 0]), weights, 0.0)
    hit = np.einsum("mw,mwk->mk", weights, peaks >= limit[:, None, None])
    return np.asarray((hit + 0.25) / (weights.sum(axis=1) + 0.5)[:, None])


def _logit(share: Floats) -> Floats:
    share = np.clip(share, SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    return np.asarray(np.log(share / (1 - share)))
