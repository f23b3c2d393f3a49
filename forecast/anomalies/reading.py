"""Five-minute values of capacity targets, read from the store; envelopes, read from their forecasts."""

from collections.abc import Mapping, Sequence

import numpy as np

from collector.series import SeriesKey
from forecast.anomalies.detector import Envelope, Floats
from forecast.results import Forecast
from forecast.sources import WINDOW, Gauge, Mean, Rate, Reader, Source

LOOK_BACK = 12 * WINDOW


def read_windows(reader: Reader, sources: Sequence[Source], start_ms: int, end_ms: int) -> Floats:
    """[windows, series]: the mean of each whole window in [start, end), NaN where it has no samples."""
    values = np.full(((end_ms - start_ms) // WINDOW, len(sources)), np.nan)
    for place, source in enumerate(sources):
        times, found = _values(reader, source, start_ms, end_ms)
        rows = (times - start_ms) // WINDOW
        inside = (rows >= 0) & (rows < values.shape[0]) & np.isfinite(found)
        values[rows[inside], place] = found[inside]
    return values


def _values(reader: Reader, source: Source, start_ms: int, end_ms: int) -> tuple[np.ndarray, Floats]:
    match source:
        case Gauge(series_id):
            found = reader.rollup(series_id, start_ms, end_ms, WINDOW)
            return found.times, np.asarray(found.mean, dtype=np.float64)
        case Rate(series_id):
            found = reader.rollup(series_id, start_ms - LOOK_BACK, end_ms, WINDOW)
            return found.times[1:], found.increase[1:] / (np.diff(found.times) / 1000)
        case Mean(sum_id, count_id):
            sums = reader.rollup(sum_id, start_ms, end_ms, WINDOW)
            counts = reader.rollup(count_id, start_ms, end_ms, WINDOW)
            times, left, right = np.intersect1d(sums.times, counts.times, assume_unique=True, return_indices=True)
            seen = counts.increase[right] > 0
            return times[seen], sums.increase[left][seen] / counts.increase[right][seen]
    raise TypeError(f"a source of kind {type(source).__name__} has no windows")


class Envelopes:
    """Expected mean and 95 % band of the newest usable forecasts, between the middles of two hours."""

    def __init__(self, keys: Sequence[SeriesKey], forecasts: Sequence[Forecast]) -> None:
        usable: Mapping[SeriesKey, Forecast] = {
            each.target: each for each in forecasts if each.status == "ok" and each.statistic == "mean" and each.points
        }
        self._count = len(keys)
        self._known = [(place, usable[key]) for place, key in enumerate(keys) if key in usable]

    def at(self, middle_ms: int) -> Envelope:
        """The envelope of the window with this middle."""
        mean, low, high = np.full((3, self._count), np.nan)
        for place, forecast in self._known:
            hour = (middle_ms - forecast.start_ms) / forecast.step_ms - 0.5
            hours = np.arange(len(forecast.points["mean"]))
            if not -0.5 <= hour <= hours.size - 0.5:
                continue
            for row, name in ((mean, "mean"), (low, "p2.5"), (high, "p97.5")):
                row[place] = np.interp(hour, hours, forecast.points[name])
        return Envelope(mean, low, high)
