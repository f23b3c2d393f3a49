"""The recorded hours of a capacity target."""

from api.services import SeriesStore
from collector.series import Matcher, SeriesKey
from collector.store import Series
from forecast.sources import Gauge, Hours, Mean, Rate, Source


def recorded_hours(store: SeriesStore, key: SeriesKey, start_ms: int, end_ms: int) -> Hours | None:
    """The hours in [start, end) that have samples, read as the target's forecasts read them; None without a series."""
    source = _source(store, key)
    if source is None:
        return None
    return source.hours(store, start_ms, end_ms)


def _source(store: SeriesStore, key: SeriesKey) -> Source | None:
    """A gauge as it is, a counter as its rate, a histogram's family as its mean."""
    series = _find(store, key)
    if series is not None:
        return Rate(series.id) if series.counter else Gauge(series.id)
    total = _find(store, SeriesKey(f"{key.name}_sum", key.labels))
    count = _find(store, SeriesKey(f"{key.name}_count", key.labels))
    return Mean(total.id, count.id) if total is not None and count is not None else None


def _find(store: SeriesStore, key: SeriesKey) -> Series | None:
    labels = [Matcher(name, "=", value) for name, value in key.labels]
    found = store.series(Matcher("__name__", "=", key.name), *labels)
    return next((series for series in found if series.key == key), None)
