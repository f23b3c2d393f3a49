"""How others tell anomalies: each gives a score that reaches its own threshold where it would raise one."""

import logging

import numpy as np

from bench.labelled import Floats, Series

DAY_SECONDS = 86400
MAD_THRESHOLD = 3.5
NETDATA_THRESHOLD = 0.99
PROPHET_THRESHOLD = 1.0
HUGE = 1e9


def median_mad(series: Series) -> Floats:
    """Modified z-score against the day before.

    0.6745 |x - median| / MAD, and where the MAD is 0 |x - median| / (1.253314 mean absolute deviation): Iglewicz and
    Hoaglin, How to Detect and Handle Outliers, 1993, which takes 3.5 as threshold.
    """
    values, width = series.values, DAY_SECONDS // series.step
    score = np.full(values.size, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    for place in range(width, values.size):
        past = windows[place - width][np.isfinite(windows[place - width])]
        if not past.size:
            continue
        away = np.abs(past - np.median(past))
        unit = np.median(away) / 0.6745 or away.mean() * 1.253314
        distance = abs(values[place] - np.median(past))
        score[place] = distance / unit if unit else HUGE * bool(distance)
    return score


def netdata(series: Series) -> Floats:
    """k-means with two centres over six hours, 18 models three hours apart, of which all must agree.

    As ml-configuration.md and the notebook of netdata/netdata have it: differences of neighbours, mean of three, the
    five values before, absolute; distance to the centres, scaled by the smallest and largest in training; an anomaly
    from 0.99 on. Six hours of 5-minute values are 72, and as many are taken of hourly ones. All are trained on, not one
    in five, for there are few.
    """
    values = _carried(series.values)
    smooth = np.convolve(np.diff(values, prepend=values[0]), np.ones(3) / 3)[: values.size]
    features = np.abs(np.stack([np.roll(smooth, lag) for lag in range(6)], axis=1))
    features[:9] = 0.0
    width = max(6 * 3600 // series.step, 72)
    every = max(3 * 3600 // series.step, width // 2)
    draw = np.random.default_rng(1)
    models: list[tuple[Floats, float, float]] = []
    score = np.full(values.size, np.nan)
    for place in range(width, values.size, every):
        past = features[place - width : place]
        if past.std() > 0:
            centres = _two_means(past, draw)
            far = _distance(past, centres)
            models = [*models, (centres, float(far.min()), float(far.max()))][-18:]
        now = features[place : place + every]
        each = [
            (_distance(now, centres) - low) / (high - low) if high > low else HUGE * (_distance(now, centres) > high)
            for centres, low, high in models
        ]
        if each:
            score[place : place + every] = np.min(each, axis=0)
    return np.where(np.isfinite(series.values), score, np.nan)


def prophet_interval(series: Series) -> Floats:
    """Distance from yhat over that of the 99 % interval's edge.

    Fitted anew each day to at most 28 days of hourly and 14 of 5-minute values.
    """
    import cmdstanpy  # noqa: F401, PLC0415  its import sets the level of its logger
    import pandas as pd  # noqa: PLC0415  heavy, and only for this peer

    for name in ("cmdstanpy", "prophet", "prophet.plot"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
        logging.getLogger(name).addHandler(logging.NullHandler())
    from prophet import Prophet  # noqa: PLC0415

    values, step = series.values, series.step  # noqa: PD011  no frame of pandas
    day, past = DAY_SECONDS // step, (28 if step == 3600 else 14) * DAY_SECONDS // step
    stamps = pd.to_datetime(series.start + np.arange(values.size) * step, unit="s")
    score = np.full(values.size, np.nan)
    for place in range(series.warm, values.size, day):
        known = slice(max(0, place - past), place)
        if np.isfinite(values[known]).sum() < 2:
            continue
        np.random.seed(1)  # noqa: NPY002  Prophet draws from it
        model = Prophet(interval_width=0.99, uncertainty_samples=500)
        model.fit(pd.DataFrame({"ds": stamps[known], "y": values[known]}), seed=1)
        told = model.predict(pd.DataFrame({"ds": stamps[place : place + day]}))
        middle, low, high = (told[name].to_numpy() for name in ("yhat", "yhat_lower", "yhat_upper"))
        now = values[place : place + day]
        edge = np.where(now >= middle, high - middle, middle - low)
        score[place : place + day] = np.abs(now - middle) / np.maximum(edge, 1e-12)
    return score


def _carried(values: Floats) -> Floats:
    """The last value where one is missing."""
    place = np.where(np.isfinite(values), np.arange(values.size), 0)
    return np.nan_to_num(values[np.maximum.accumulate(place)])


def _two_means(points: Floats, draw: np.random.Generator) -> Floats:
    centres = points[draw.choice(len(points), 2, replace=False)]
    for _ in range(1000):
        nearest = ((points[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
        moved = np.stack(
            [points[nearest == one].mean(axis=0) if (nearest == one).any() else centres[one] for one in (0, 1)]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    return np.asarray(centres)


def _distance(points: Floats, centres: Floats) -> Floats:
    return np.asarray(np.sqrt(((points[:, None] - centres) ** 2).sum(axis=-1)).sum(axis=1))
