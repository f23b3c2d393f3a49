"""What the daemon's own forecasts of this hour say already, so that plan and page speak with one voice."""

import sqlite3
from pathlib import Path

from collector.series import SeriesKey
from forecast.chance import Chance
from forecast.results import decides
from forewarn.base.clock import HOUR
from forewarn.base.errors import StoreError
from forewarn.base.sqlite import open_reader


def read_chances(state: Path, as_of_ms: int) -> dict[SeriesKey, Chance]:
    """By series the chance of its deciding statistic, of the newest forecasts, where they start in this hour.

    Empty where there is no book of forecasts, or one that an older daemon keeps: then all is worked out anew.
    """
    try:
        connection = open_reader(state)
    except StoreError:
        return {}
    try:
        rows = connection.execute(
            "SELECT series, statistic, kind, chance, crossed_lately"
            " FROM forecast_targets JOIN forecasts ON forecasts.id = newest"
            " WHERE start_ms = ? AND chance IS NOT NULL ORDER BY statistic = 'mean' DESC",
            (as_of_ms - as_of_ms % HOUR,),
        ).fetchall()
    except sqlite3.Error:
        return {}
    finally:
        connection.close()
    found: dict[SeriesKey, Chance] = {}
    for series, statistic, kind, packed, lately in rows:  # means come first: an extreme takes their place
        chance = Chance.stored(packed, lately)
        if chance is not None and decides(kind, statistic):
            found[SeriesKey.parse(series)] = chance
    return found
