"""The watch over a store: sources, restarts, changes of targets; the book; the alert rule."""

from pathlib import Path

import numpy as np
import pytest

from alerts.conditions import readings
from alerts.rule import RuleSettings
from alerts.view import View
from collector.series import SeriesKey
from forecast.anomalies.book import AnomalyBook
from forecast.anomalies.events import Anomaly
from forecast.anomalies.reading import Envelopes, read_windows
from forecast.anomalies.watch import Watch
from forecast.settings import TargetSettings
from forecast.sources import Gauge, Mean, Rate
from forewarn.base.clock import DAY, HOUR, MINUTE
from forewarn.base.sqlite import open_writer
from tests.support.five_minutes import A_DAY, BEGIN_MS, WINDOW, daily, times
from tests.support.hourly import forecast
from tests.support.latest_samples import Forecasts, LatestSamples
from tests.support.memory_series import MemoryReader

POWER = SeriesKey.of("power_watts", gpu="0")
ROWS = (TargetSettings(match="power_watts"),)
LATE = MINUTE
STEP_BEGINS = 4 * A_DAY + 60


def strange() -> np.ndarray:
    values = daily(5)
    values[STEP_BEGINS : STEP_BEGINS + 24] += 400
    return values


def reader_of(values: np.ndarray) -> MemoryReader:
    reader = MemoryReader()
    reader.add(POWER, times(values), values)
    return reader


def at(window: int) -> int:
    """A minute after the window's end."""
    return BEGIN_MS + (window + 1) * WINDOW + LATE


def anomaly(**changes: object) -> Anomaly:
    fields: dict[str, object] = {
        "target": POWER,
        "kind": "stretch",
        "unit": "watts",
        "started_ms": BEGIN_MS,
        "seen_ms": BEGIN_MS + WINDOW,
        "ended_ms": None,
        "score": 0.9996,
        "reason": "500 W, where 100 W is usual at this hour",
    }
    return Anomaly(**{**fields, **changes})  # type: ignore[arg-type]


def test_what_goes_on_is_told_once_it_begins_and_when_it_is_over() -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    assert watch.judge(at(STEP_BEGINS - 2), []) == []
    [begun] = watch.judge(at(STEP_BEGINS + 6), [])
    assert begun.ended_ms is None
    assert watch.latest()[0].anomaly == begun
    [over] = watch.judge(at(STEP_BEGINS + 90), [])
    assert over.started_ms == begun.started_ms
    assert over.ended_ms is not None
    assert watch.latest()[0].anomaly is None


def test_nothing_is_said_of_the_time_before_the_start() -> None:
    assert Watch(reader_of(strange()), ROWS, []).judge(at(5 * A_DAY - 1), []) == []


def test_after_a_restart_the_same_is_said_and_what_went_on_goes_on() -> None:
    reader = reader_of(strange())
    first = Watch(reader, ROWS, [])
    first.judge(at(STEP_BEGINS - 2), [])
    [begun] = first.judge(at(STEP_BEGINS + 6), [])
    second = Watch(reader, ROWS, [begun])
    second.judge(at(STEP_BEGINS + 6), [])
    assert second.latest()[0].anomaly == begun
    assert first.judge(at(STEP_BEGINS + 10), []) == second.judge(at(STEP_BEGINS + 10), [])


def test_a_round_without_a_new_window_says_nothing() -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    watch.judge(at(STEP_BEGINS - 2), [])
    assert watch.judge(at(STEP_BEGINS + 6), [])
    assert watch.judge(at(STEP_BEGINS + 6) + MINUTE, []) == []


def test_a_clock_set_back_says_nothing_twice() -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    watch.judge(at(STEP_BEGINS - 2), [])
    [begun] = watch.judge(at(STEP_BEGINS + 6), [])
    assert watch.judge(at(STEP_BEGINS + 6) - 3 * HOUR, []) == []
    assert watch.latest()[0].anomaly == begun


def test_a_clock_that_was_days_ahead_is_no_end_of_the_watch() -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    watch.judge(at(STEP_BEGINS - 2) + 300 * DAY, [])
    watch.judge(at(STEP_BEGINS - 2), [])
    assert watch.judge(at(STEP_BEGINS + 6), [])


def test_a_target_that_falls_silent_has_no_score() -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    watch.judge(at(5 * A_DAY - 1), [])
    assert watch.latest()[0].score is not None
    watch.judge(at(5 * A_DAY + 30), [])
    assert watch.latest()[0].score is None


def test_targets_that_come_later_are_watched_from_then_on() -> None:
    reader = reader_of(strange())
    watch = Watch(reader, (TargetSettings(match='{__name__=~"power_watts|later"}'),), [])
    watch.judge(at(STEP_BEGINS - 20), [])
    assert [each.target for each in watch.latest()] == [POWER]
    reader.add("later", times(daily(5)), daily(5, seed=2))
    watch.judge(at(STEP_BEGINS - 2), [])
    [begun] = watch.judge(at(STEP_BEGINS + 6), [])
    assert begun.target == POWER
    assert {str(each.target) for each in watch.latest()} == {"later", str(POWER)}


def test_metrics_say_scores_and_count_what_began() -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    watch.judge(at(STEP_BEGINS - 2), [])
    watch.judge(at(STEP_BEGINS + 10), [])
    values = {str(sample.key): sample.value for sample in watch.samples()}
    assert values['forewarn_anomaly_score{target="power_watts{gpu=\\"0\\"}"}'] > 0.9
    assert values['forewarn_anomalies_total{kind="flat_line"}'] == 0
    assert sum(value for key, value in values.items() if key.startswith("forewarn_anomalies_total")) >= 1


def test_a_store_without_targets_is_watched_in_vain() -> None:
    assert Watch(MemoryReader(), (), []).judge(at(500), []) == []


def test_windows_of_each_kind_of_source() -> None:
    reader = MemoryReader()
    moments = BEGIN_MS + np.arange(24) * MINUTE
    reader.add("g", moments, np.arange(24.0))
    reader.add("c_total", moments, np.arange(24.0) * 60, counter=True)
    reader.add("h_sum", moments, np.arange(24.0) * 3, counter=True)
    reader.add("h_count", moments, np.arange(24.0), counter=True)
    found = read_windows(reader, [Gauge(0), Rate(1), Mean(2, 3)], BEGIN_MS + WINDOW, BEGIN_MS + 5 * WINDOW)
    assert found[:3].tolist() == [[7.0, 1.0, 3.0], [12.0, 1.0, 3.0], [17.0, 1.0, 3.0]]
    assert found[3, 0] == 21.5


def test_an_envelope_lies_between_the_middles_of_hours() -> None:
    made = forecast(
        str(POWER),
        points={
            "mean": [10.0, 20.0],
            "p2.5": [5.0, 5.0],
            "p10": [6.0, 6.0],
            "p90": [30.0, 30.0],
            "p97.5": [40.0, 50.0],
        },
    )
    envelopes = Envelopes([POWER, SeriesKey("other")], [made, forecast("other", status="failed", points={})])
    half = envelopes.at(made.start_ms + HOUR)
    assert (half.mean[0], half.low[0], half.high[0]) == (15.0, 5.0, 45.0)
    assert np.isnan(half.mean[1])
    assert np.isnan(envelopes.at(made.start_ms + 3 * HOUR).mean[0])


def test_the_book_keeps_each_anomaly_once_and_the_old_ones_not(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "state.db")
    book = AnomalyBook(connection, tmp_path / "state.db")
    book.store([anomaly(), anomaly(started_ms=BEGIN_MS + HOUR, kind="flat_line")], BEGIN_MS + HOUR)
    over = anomaly(kind="level_shift", ended_ms=BEGIN_MS + HOUR, score=0.99991)
    book.store([over], BEGIN_MS + HOUR)
    assert book.recent() == [anomaly(started_ms=BEGIN_MS + HOUR, kind="flat_line"), over]
    book.store([anomaly(started_ms=BEGIN_MS + 91 * DAY)], BEGIN_MS + 91 * DAY)
    assert len(book.recent()) == 1
    connection.close()


@pytest.mark.parametrize(("least", "raised"), [(0.9, True), (0.9999999, False)])
def test_a_rule_tells_of_strong_anomalies_with_their_reason(least: float, *, raised: bool) -> None:
    watch = Watch(reader_of(strange()), ROWS, [])
    watch.judge(at(STEP_BEGINS - 2), [])
    watch.judge(at(STEP_BEGINS + 10), [])
    rule = RuleSettings.model_validate(
        {"name": "Odd", "type": "anomaly", "value": least, "summary": "{series} {kind}: {reason}"}
    )
    now_ms = at(STEP_BEGINS + 10)
    [reading] = readings(rule, View(LatestSamples(), Forecasts(), now_ms, BEGIN_MS, standings=watch))
    assert reading.raised is reading.held is raised
    assert "usual at this hour" in reading.facts["reason"]
    assert dict(reading.labels) == {"gpu": "0", "metric": "power_watts"}
    watch.judge(at(STEP_BEGINS + 120), [])
    [reading] = readings(rule, View(LatestSamples(), Forecasts(), at(STEP_BEGINS + 120), BEGIN_MS, standings=watch))
    assert not reading.held
    assert readings(rule, View(LatestSamples(), Forecasts(), at(STEP_BEGINS + 200), BEGIN_MS, standings=watch)) == []
