import numpy as np
import pytest

from collector.catalogue import CATALOGUE, Metric
from collector.series import Matcher, SeriesKey
from forecast.prepare import bridged, read_history
from forecast.settings import TargetSettings
from forecast.sources import Rate
from forecast.targets import find_targets, unit_of
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
NOW_MS = 489_000 * HOUR_MS


def constant(reader: MemoryReader, key: SeriesKey, value: float, *, counter: bool = False) -> None:
    reader.add(key, [NOW_MS - 10 * MINUTE_MS, NOW_MS - 5 * MINUTE_MS], [value, value], counter=counter)


LEVELS_BELOW = [metric for metric in CATALOGUE.values() if metric.kind and metric.limit and metric.limit.metric]


def test_the_catalogue_declares_the_capacities_of_a_node() -> None:
    capacities = {metric.name for metric in CATALOGUE.values() if metric.kind is not None}
    assert {"forewarn_gpu_memory_used_bytes", "forewarn_gpu_utilization_ratio"} <= capacities
    assert any("filesystem" in name for name in capacities)
    assert any("node_memory" in name for name in capacities)
    assert any("inference" in name for name in capacities)


@pytest.mark.parametrize("metric", LEVELS_BELOW, ids=lambda metric: metric.name)
def test_a_limit_that_hangs_on_another_metric_is_found(reader: MemoryReader, metric: Metric) -> None:
    labels = dict.fromkeys(metric.labels, "1")
    constant(reader, SeriesKey(metric.name, tuple(sorted(labels.items()))), 5.0)
    limit = metric.limit
    assert limit is not None
    assert limit.metric is not None
    holder = CATALOGUE[limit.metric]
    constant(reader, SeriesKey(holder.name, tuple(sorted((label, "1") for label in holder.labels))), 1000.0)
    if holder.labels:
        constant(reader, SeriesKey(holder.name, tuple(sorted((label, "2") for label in holder.labels))), 7.0)
    found = [target for target in find_targets(reader, [], NOW_MS) if target.key.name == metric.name]
    assert [target.statistic for target in found] == ["mean", "min" if limit.below else "max"]
    assert {target.limit for target in found} == {1000.0 * limit.share}
    assert {target.below for target in found} == {limit.below}


@pytest.mark.parametrize("ago_minutes", [17, 50, 26 * 60])
def test_a_limit_is_what_was_known_by_then(reader: MemoryReader, ago_minutes: int) -> None:
    """A total that changes within the hour, and within the five minutes, in which the forecast looks ahead."""
    as_of_ms = NOW_MS + 17 * MINUTE_MS
    key = SeriesKey.of("forewarn_gpu_memory_used_bytes", gpu="0", uuid="u")
    constant(reader, key, 5.0)
    times = [as_of_ms - ago_minutes * MINUTE_MS, as_of_ms + MINUTE_MS, as_of_ms + 10 * MINUTE_MS]
    reader.add(SeriesKey("forewarn_gpu_memory_total_bytes", key.labels), times, [1000.0, 7.0, 8.0])
    share = CATALOGUE["forewarn_gpu_memory_used_bytes"].limit.share  # type: ignore[union-attr]
    assert {target.limit for target in find_targets(reader, [], as_of_ms)} == {1000.0 * share}


def test_rows_win_and_the_first_that_matches_counts(reader: MemoryReader) -> None:
    constant(reader, SeriesKey.of("forewarn_gpu_utilization_ratio", gpu="0"), 0.5)
    constant(reader, SeriesKey.of("forewarn_gpu_utilization_ratio", gpu="1"), 0.5)
    constant(reader, SeriesKey.of("orders", shop="x"), 5)
    rows = [
        TargetSettings(match='forewarn_gpu_utilization_ratio{gpu="1"}', limit=0.7),
        TargetSettings(match="forewarn_gpu_utilization_ratio", limit=0.1, kind="allocation"),
        TargetSettings(match='{shop=~".+"}', limit=2, below=True),
    ]
    found = {(str(target.key), target.statistic): target for target in find_targets(reader, rows, NOW_MS)}
    assert len(found) == 6
    first = found['forewarn_gpu_utilization_ratio{gpu="1"}', "max"]
    assert (first.limit, first.kind, first.declared, first.unit) == (0.7, "gauge", True, "ratio")
    assert found['forewarn_gpu_utilization_ratio{gpu="0"}', "mean"].kind == "allocation"
    assert found['orders{shop="x"}', "min"].below


def test_what_is_no_capacity_is_left_alone(reader: MemoryReader) -> None:
    constant(reader, SeriesKey.of("forewarn_gpu_power_watts", gpu="0"), 300)
    assert find_targets(reader, [], NOW_MS) == []


def test_units_come_from_the_catalogue_or_the_name() -> None:
    assert unit_of("forewarn_gpu_memory_used_bytes") == "bytes"
    assert unit_of("app_queue_seconds") == "seconds"
    assert unit_of("http_response_bytes_total") == "bytes"
    assert unit_of("megabytes") == ""


def read(reader: MemoryReader, match: str, statistic: str, as_of_ms: int = NOW_MS) -> np.ndarray:
    (target,) = [t for t in find_targets(reader, [TargetSettings(match=match)], as_of_ms) if t.statistic == statistic]
    history = read_history(reader, target, as_of_ms, 28 * 24 * HOUR_MS)
    assert history is not None
    assert history.end_ms == as_of_ms // HOUR_MS * HOUR_MS
    return history.values


def test_hours_of_a_gauge_with_a_gap_and_only_complete_ones(reader: MemoryReader) -> None:
    times = NOW_MS - 5 * HOUR_MS + np.arange(0, 5 * 60, 10) * MINUTE_MS
    values = np.arange(30.0)
    keep = (np.arange(30) // 6) != 2
    reader.add("queue", times[keep], values[keep])
    np.testing.assert_array_equal(read(reader, "queue", "mean"), [2.5, 8.5, np.nan, 20.5, 26.5])
    np.testing.assert_array_equal(read(reader, "queue", "max"), [5, 11, np.nan, 23, 29])
    np.testing.assert_array_equal(read(reader, "queue", "max", NOW_MS - 20 * MINUTE_MS), [5, 11, np.nan, 23])


def test_a_counter_is_seen_as_its_rate_and_a_gap_is_no_burst(reader: MemoryReader) -> None:
    times = NOW_MS - 6 * HOUR_MS + np.arange(0, 6 * 60) * MINUTE_MS
    total = 2.0 * np.arange(360) * 60
    total[200:] -= total[200]  # a restart
    keep = (times < NOW_MS - 3 * HOUR_MS) | (times >= NOW_MS - 2 * HOUR_MS)
    reader.add("requests_total", times[keep], total[keep], counter=True)
    mean = read(reader, "requests_total", "mean")
    np.testing.assert_allclose(mean[[1, 2, 4, 5]], 2.0, rtol=0.05)
    assert np.isnan(mean[3])
    assert read(reader, "requests_total", "max")[4] <= 2.05


@pytest.mark.parametrize("before_minutes", [30, 600])
def test_a_gap_that_began_before_the_hours_asked_for_is_no_burst(reader: MemoryReader, before_minutes: int) -> None:
    minutes = np.arange(-2000, 180)
    keep = (minutes < -before_minutes) | (minutes >= 20)
    times, total = NOW_MS - 3 * HOUR_MS + minutes * MINUTE_MS, 120.0 * minutes
    key = reader.add("requests_total", times[keep], total[keep], counter=True)
    [series] = reader.series(Matcher("__name__", "=", key.name))
    hours = Rate(series.id).hours(reader, NOW_MS - 3 * HOUR_MS, NOW_MS)
    assert hours.times.tolist() == [NOW_MS - hour * HOUR_MS for hour in (3, 2, 1)]
    np.testing.assert_allclose(hours.mean, 2.0, rtol=0.05)
    np.testing.assert_allclose(hours.high, 2.0, rtol=0.05)


def test_a_histogram_is_seen_as_its_mean(reader: MemoryReader) -> None:
    times = NOW_MS - 3 * HOUR_MS + np.arange(0, 3 * 60) * MINUTE_MS
    count = 10.0 * np.arange(180)
    slow = np.where((np.arange(180) >= 90) & (np.arange(180) < 95), 2.0, 0.5)
    reader.add('latency_seconds_sum{m="x"}', times, np.cumsum(10 * slow), counter=True)
    reader.add('latency_seconds_count{m="x"}', times, count, counter=True)
    reader.add('latency_seconds_sum{m="y"}', times, np.cumsum(10 * slow), counter=True)
    mean, highest = read(reader, "latency_seconds", "mean"), read(reader, "latency_seconds", "max")
    np.testing.assert_allclose(mean[[0, 2]], 0.5, rtol=0.1)
    assert 0.55 < mean[1] < 0.75
    np.testing.assert_allclose(highest[1], 2.0)


def test_a_young_series_knows_its_age_in_parts_of_an_hour(reader: MemoryReader) -> None:
    as_of_ms = NOW_MS + 30 * MINUTE_MS
    reader.add("queue", as_of_ms - np.arange(210, 0, -5) * MINUTE_MS, np.ones(42))
    (target, _) = find_targets(reader, [TargetSettings(match="queue")], as_of_ms)
    history = read_history(reader, target, as_of_ms, 28 * 24 * HOUR_MS)
    assert history is not None
    assert history.hours == 3.5
    reader.add("new", as_of_ms - np.arange(15, 0, -5) * MINUTE_MS, np.ones(3))
    (target, _) = find_targets(reader, [TargetSettings(match="new")], as_of_ms)
    history = read_history(reader, target, as_of_ms, 28 * 24 * HOUR_MS)
    assert history is not None
    assert (history.hours, history.values.size) == (0.25, 0)


def test_only_short_gaps_are_bridged() -> None:
    values = np.array([0.0, *[np.nan] * 6, 7.0, *[np.nan] * 7, 15.0, np.nan])
    bridge = bridged(values)
    np.testing.assert_allclose(bridge[:8], np.arange(8.0))
    assert np.isnan(bridge[8:15]).all()
    assert np.isnan(bridge[-1])
