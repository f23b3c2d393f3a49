"""Stored forecasts against what came: the scores that the forecast child hands to the parent."""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from forecast import scores
from forecast.grid import GRID_HOURS, Grid
from forecast.members.past import Past
from forecast.prepare import regular
from forecast.scorebook import FEWEST_HOURS, Due, due_forecasts
from forecast.scorecard import Score
from forecast.settings import HORIZON_HOURS, TargetSettings
from forecast.sources import Floats, Reader
from forecast.targets import Target, find_targets
from forewarn.base.clock import HOUR
from forewarn.base.sqlite import open_reader

log = logging.getLogger(__name__)


def score_due(state: Path, reader: Reader, rows: Sequence[TargetSettings], now_ms: int) -> Iterator[list[Score]]:
    """The scores of all stored forecasts whose hours are over, target by target.

    Forecasts of series that are no target any more have no score.

    Raises:
        StoreError: the state database cannot be opened.
    """
    connection = open_reader(state)
    try:
        due = due_forecasts(connection, now_ms)
    finally:
        connection.close()
    if not due:
        return
    targets: dict[tuple[str, str], Target] = {
        (str(one.key), one.statistic): one for one in find_targets(reader, rows, now_ms)
    }
    for identity, group in groupby(sorted(due, key=_identity), key=_identity):
        target = targets.get(identity)
        if target is None:
            continue
        try:
            yield score_target(reader, target, list(group))
        except Exception:  # one target's failure, of whatever kind, must not take the others down
            log.exception("a forecast could not be scored", extra={"target": identity[0], "statistic": identity[1]})


def score_target(reader: Reader, target: Target, due: Sequence[Due]) -> list[Score]:
    """The scores of forecasts of one target."""
    starts = np.array([one.start_ms for one in due]) // HOUR
    begin, end = int(starts.min()) - GRID_HOURS, int(starts.max()) + HORIZON_HOURS
    values = np.full(end - begin, np.nan)
    found = target.source.hours(reader, begin * HOUR, end * HOUR)
    if found.times.size:
        known = regular(found, target.statistic, end * HOUR)
        values[values.size - known.size :] = known
    places = starts - begin
    past = np.stack([values[place - GRID_HOURS : place] for place in places])
    return _scores(due, past, np.stack([values[place : place + HORIZON_HOURS] for place in places]))


def _identity(due: Due) -> tuple[str, str]:
    return due.series, due.statistic


def _scores(due: Sequence[Due], past: Floats, actual: Floats) -> list[Score]:
    """One a forecast.

    Args:
        due: the forecasts.
        past: [n, 672] the hours before each.
        actual: [n, 72] its hours.
    """
    quantiles = np.array([one.quantiles for one in due]).transpose(0, 2, 1)
    nothing = [np.nan] * HORIZON_HOURS
    prophet = np.array([nothing if one.prophet is None else one.prophet for one in due])
    known = Past.of(Grid(0, past))
    scale = scores.mase_scale(past)
    columns = {
        "mase": scores.mase(quantiles[..., 2], actual, scale),
        "mase_yesterday": scores.mase(known.repeated(known.day), actual, scale),
        "mase_prophet": scores.mase(prophet, actual, scale),
        "coverage_80": scores.coverage(quantiles, actual, scores.BAND_80),
        "coverage_95": scores.coverage(quantiles, actual, scores.BAND_95),
        "quantile_score": scores.quantile_score(quantiles, actual, scale),
    }
    hours = np.isfinite(actual).sum(axis=1)
    found = []
    for row, one in enumerate(due):
        if hours[row] < FEWEST_HOURS:
            found.append(Score(one.forecast_id, int(hours[row])))
            continue
        figures: dict[str, Any] = {name: _known(values[row]) for name, values in columns.items()}
        found.append(Score(one.forecast_id, int(hours[row]), **figures, **_outcome(one, past[row], actual[row])))
    return found


def _outcome(due: Due, past: Floats, actual: Floats) -> dict[str, Any]:
    """What became of the limit; nothing where there is none, or it was crossed already when the forecast was made."""
    if due.limit is None or due.chance is None:
        return {}
    side = -1.0 if due.below else 1.0
    (hour,) = scores.first_crossing(side * actual[None], np.array([side * due.limit]))
    recent = side * past[-HORIZON_HOURS:]
    crossed = bool(np.isfinite(hour))
    expected = due.chance.t50
    return {
        "p24": due.chance.p24,
        "p48": due.chance.p48,
        "p72": due.chance.p72,
        "crossed": crossed,
        "crossed_hour": int(hour) if crossed else None,
        "rule_warned": bool((recent[np.isfinite(recent)] >= side * due.limit).any()),
        "lead_error_hours": float(expected - hour) if crossed and expected is not None else None,
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
