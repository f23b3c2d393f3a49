"""What needs no library: same hour yesterday, the last value, PromQL's predict_linear, rates by hour of the day."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HORIZON, DAY, WEEK = 72, 24, 168


def yesterday(bridged: Floats) -> Floats:
    """Same hour yesterday, [n, 72]."""
    return np.tile(bridged[:, -DAY:], (1, HORIZON // DAY))


def last(bridged: Floats) -> Floats:
    """The last value, [n, 72]."""
    return np.repeat(bridged[:, -1:], HORIZON, axis=1)


def predict_linear(past: Floats, hours: int) -> Floats:
    """PromQL's predict_linear over so many hours before the origin, at the end of each of the 72 hours, [n, 72].

    Least squares over the samples in the range, as prometheus/promql/functions.go has it (linearRegression); a
    recording rule's hourly value carries the time of the hour's end. NaN where the range holds fewer than two.

    Args:
        past: [n, hours], NaN where there is no sample.
        hours: length of the range.
    """
    y = past[:, -hours:]
    x = np.broadcast_to(np.arange(1 - hours, 1, dtype=np.float64), y.shape)
    known = np.isfinite(y)
    count = known.sum(axis=1)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = (x * y).sum(axis=1) - x.sum(axis=1) * y.sum(axis=1) / count
        variance = (x * x).sum(axis=1) - x.sum(axis=1) ** 2 / count
        slope = covariance / variance
        intercept = (y.sum(axis=1) - slope * x.sum(axis=1)) / count
    return np.asarray(intercept[:, None] + slope[:, None] * np.arange(1, HORIZON + 1))


def rate_by_hour_of_day(levels: Floats) -> Floats:
    """The mean growth of each hour of the day over 7 days, integrated from the last level, [n, 72]."""
    steps = np.diff(levels, axis=1)[:, -WEEK:]
    rate = np.nanmean(steps.reshape(len(steps), -1, DAY), axis=1)
    return np.asarray(levels[:, -1:] + np.cumsum(np.tile(rate, (1, HORIZON // DAY)), axis=1))
