"""What is unusual is found, what is usual is not."""

import numpy as np
import pytest

from collector.series import SeriesKey
from forecast.anomalies.calibration import score_of, still_score_of
from forecast.anomalies.detector import Detector, Envelope
from forecast.anomalies.events import Anomaly, Standing, Window, follow
from forewarn.base.clock import parse_time
from tests.support.five_minutes import A_DAY, BEGIN_MS, WINDOW, daily, recorded

HOURS = WINDOW / 3_600_000
FAILURE = "realKnownCause/ec2_request_latency_system_failure"


def told(values: np.ndarray, envelope: Envelope | None = None, start_ms: int = BEGIN_MS) -> list[Anomaly]:
    """Every anomaly of one series, as it was last seen."""
    key = SeriesKey("x")
    detector, standings = Detector(1), [Standing(key, 0, None, None)]
    found: dict[int, Anomaly] = {}
    for place, value in enumerate(values):
        now_ms, row = start_ms + place * WINDOW, np.array([value])
        verdict = detector.step(now_ms, row, HOURS, envelope)
        standings = follow([(key, "watts")], standings, Window(now_ms, now_ms + WINDOW, row, verdict, envelope))
        anomaly = standings[0].anomaly
        if anomaly is not None:
            found[anomaly.started_ms] = anomaly
    return list(found.values())


def place_of(anomaly: Anomaly) -> int:
    return (anomaly.started_ms - BEGIN_MS) // WINDOW


def test_a_daily_shape_is_usual() -> None:
    assert told(daily(14)) == []


@pytest.mark.parametrize("value", [0.0, 1.0, 7e9, -3.0])
def test_a_constant_series_is_usual(value: float) -> None:
    assert told(np.full(6 * A_DAY, value)) == []


def test_nothing_is_said_in_the_first_two_days() -> None:
    values = daily(2)
    values[A_DAY : A_DAY + 36] += 500
    assert told(values) == []


def test_a_stretch_is_found_while_it_lasts_and_says_what_was_usual() -> None:
    values = daily(7)
    begin = 5 * A_DAY + 100
    values[begin : begin + 36] += 60
    [found] = told(values)
    assert found.kind == "stretch"
    assert begin <= place_of(found) <= begin + 12
    assert found.ended_ms is not None
    assert found.ended_ms <= BEGIN_MS + (begin + 36 + 24) * WINDOW
    assert found.score > 0.98
    assert "usual at this hour" in found.reason
    assert " W, where " in found.reason


def test_one_window_far_out_is_a_point() -> None:
    values = daily(7)
    values[5 * A_DAY + 7] += 2000
    [found] = told(values)
    assert place_of(found) == 5 * A_DAY + 7
    assert found.score > 0.99


def test_a_level_that_stays_is_called_so_and_becomes_the_usual_one() -> None:
    values = daily(14)
    values[5 * A_DAY :] += 150
    found = told(values)
    assert found[0].kind == "level_shift"
    assert "another level" in found[0].reason
    assert all(place_of(each) < 10 * A_DAY for each in found)


def test_a_series_that_no_longer_varies_is_a_flat_line() -> None:
    values = daily(7)
    values[5 * A_DAY :] = values[5 * A_DAY]
    found = next(each for each in told(values) if each.kind == "flat_line")
    assert place_of(found) < 6 * A_DAY
    assert "has stood still" in found.reason


def test_a_series_that_stands_still_every_night_is_no_flat_line() -> None:
    values = daily(10)
    for day in range(10):
        values[day * A_DAY : day * A_DAY + 96] = 60.0
    assert [each for each in told(values) if each.kind == "flat_line"] == []


def test_missing_hours_and_days_are_no_anomaly() -> None:
    values = daily(14)
    values[6 * A_DAY : 6 * A_DAY + 60] = np.nan
    values[8 * A_DAY : 11 * A_DAY + 31] = np.nan
    values[::7] = np.nan
    assert told(values) == []


def test_an_anomaly_ends_when_the_values_do() -> None:
    values = daily(7)
    values[5 * A_DAY + 10 : 5 * A_DAY + 40] += 80
    values[5 * A_DAY + 40 :] = np.nan
    [found] = told(values)
    assert found.ended_ms == found.seen_ms <= BEGIN_MS + (5 * A_DAY + 40) * WINDOW


@pytest.mark.parametrize("hours", [1, -1])
def test_a_change_of_the_clocks_is_nothing_strong(hours: int) -> None:
    values = daily(12)
    values[8 * A_DAY :] = np.roll(values, 12 * hours)[8 * A_DAY :]
    assert [each for each in told(values) if each.score >= 0.9995] == []


def test_bursts_that_come_every_day_are_heard_less() -> None:
    seldom, often = daily(15, noise=0.5), daily(15, noise=0.5)
    seldom[14 * A_DAY + 50 : 14 * A_DAY + 68] += 100
    for day in range(3, 15):
        often[day * A_DAY + 17 * day : day * A_DAY + 17 * day + 18] += 100
    both, detector = np.stack([seldom, often], axis=1), Detector(2)
    deviations = [detector.step(BEGIN_MS + place * WINDOW, row, HOURS).deviation for place, row in enumerate(both)]
    first, habit = np.max(deviations[14 * A_DAY :], axis=0)
    assert first > 1.3 * habit


def test_what_the_forecast_expects_is_no_anomaly() -> None:
    values = daily(7)
    values[5 * A_DAY + 100 : 5 * A_DAY + 136] += 60
    wide = Envelope(np.array([100.0]), np.array([-100.0]), np.array([300.0]))
    assert told(values, wide) == []


def test_what_leaves_the_forecasts_band_is_told_with_the_band() -> None:
    values = daily(7)
    values[5 * A_DAY + 100 : 5 * A_DAY + 112] += 900
    [found] = told(values, Envelope(np.array([100.0]), np.array([50.0]), np.array([150.0])))
    assert "the forecast has 100 W (95 %: 50 W to 150 W)" in found.reason


def test_many_series_at_once_are_judged_as_each_alone() -> None:
    rows = np.stack([daily(6, seed=seed, noise=seed) for seed in (1, 2, 3)], axis=1)
    rows[4 * A_DAY :, 1] += 90
    rows[300:500, 2] = np.nan
    together = Detector(3)
    alone = [Detector(1) for _ in range(3)]
    for place, row in enumerate(rows):
        now_ms = BEGIN_MS + place * WINDOW
        verdict = together.step(now_ms, row, HOURS)
        for column, one in enumerate(alone):
            each = one.step(now_ms, row[column : column + 1], HOURS)
            assert np.array_equal(each.deviation, verdict.deviation[column : column + 1], equal_nan=True)


def test_a_failure_that_really_happened_is_found_and_nothing_else_is_told() -> None:
    """NAB's labels: windows around 14 March 09:06, 18 March 22:41 (the one found) and 21 March 03:01, 2014."""
    moments, values = recorded("nab.csv.gz", FAILURE)
    grid = np.full((moments[-1] - moments[0]) // WINDOW + 1, np.nan)
    grid[(moments - moments[0]) // WINDOW] = values
    [found] = told(grid, start_ms=int(moments[0]))
    assert abs(found.started_ms - parse_time("2014-03-18T22:41:00Z")) < 3_600_000


def test_a_score_is_what_normal_time_leaves() -> None:
    assert score_of(0.0) == 0.0
    assert score_of(1.53) == pytest.approx(0.95)
    assert score_of(24.1) == pytest.approx(0.999)
    rising = [score_of(each) for each in np.geomspace(0.01, 1e15, 50)]
    assert rising == sorted(rising)
    assert 0.0 <= rising[0] <= rising[-1] <= 1.0
    assert still_score_of(8.0) == pytest.approx(0.9998)
