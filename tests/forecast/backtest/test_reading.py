"""Files of samples and of origins: what is read, and which line is named where something is wrong."""

from pathlib import Path

import numpy as np
import pytest

from forecast.backtest.hourly import HourlySeries, read_hourly
from forecast.backtest.origins import Origin, read_origins, rolling
from forecast.backtest.windows import Windows
from forecast.grid import GRID_HOURS
from forewarn.base.errors import UsageError
from tests.support.samples import BEGIN_HOUR

HEAD = "series,timestamp,value\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def steady(hours: int, begin: int = 0) -> HourlySeries:
    values = np.arange(float(hours))
    return HourlySeries(begin + np.arange(hours), values, values + 0.5, values + 0.25)


def test_hours_are_means_maxima_and_last_levels_in_any_order(tmp_path: Path) -> None:
    rows = ["a,3000,4", "b,0,7", "a,7199,9", "a,0,1", "a,3599,3.5", "a,3600,5", "a,10800,8"]
    found = read_hourly(written(tmp_path / "x.csv", HEAD + "\n".join(rows)))
    assert list(found) == ["a", "b"]
    a = found["a"]
    assert a.hours.tolist() == [0, 1, 3]
    assert a.mean.tolist() == [pytest.approx(8.5 / 3), 7.0, 8.0]
    assert a.max.tolist() == [4.0, 9.0, 8.0]
    assert a.end.tolist() == [3.5, 9.0, 8.0]
    np.testing.assert_array_equal(a.between(0, 4, "end"), [3.5, 9.0, np.nan, 8.0])


def test_of_samples_of_one_time_the_later_line_is_the_last(tmp_path: Path) -> None:
    found = read_hourly(written(tmp_path / "x.csv", HEAD + "a,60,1\na,60,2\na,30,9\n"))
    assert found["a"].end.tolist() == [2.0]
    assert found["a"].mean.tolist() == [4.0]


def test_hours_that_lie_in_many_blocks_are_whole(tmp_path: Path) -> None:
    times = np.arange(0, 400_000, 5)
    text = HEAD + "".join(f"a_series_with_quite_a_long_name,{time},{time % 7}\n" for time in times)
    assert len(text) > 3 << 20
    found = read_hourly(written(tmp_path / "x.csv", text))["a_series_with_quite_a_long_name"]
    assert found.hours.size == 112
    for hour in (0, 50, 111):
        inside = times[times // 3600 == hour] % 7
        assert found.mean[hour] == pytest.approx(inside.mean())
        assert found.max[hour] == inside.max()


def test_values_that_are_not_known_are_no_samples(tmp_path: Path) -> None:
    rows = "a,0,1\na,3600,nan\na,7200,\na,10800,inf\na,14400,5\n"
    assert read_hourly(written(tmp_path / "x.csv", HEAD + rows))["a"].hours.tolist() == [0, 4]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,noon,1", "'noon' is no time"),
        ("a,60,many", "'many' is no number"),
        ("a,60", "it has 2 columns instead of 3"),
        (",60,1", "it names no series"),
        ("a,99999999999999999999,1", "no time"),
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, row: str, reason: str) -> None:
    path = written(tmp_path / "x.csv", HEAD + "a,0,1\n" + row + "\na,7200,1\n")
    with pytest.raises(UsageError, match=r"x\.csv:3: ") as error:
        read_hourly(path)
    assert reason in error.value.message


def test_a_file_without_samples_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no samples"):
        read_hourly(written(tmp_path / "x.csv", HEAD))


def test_rolling_origins_lie_evenly_and_leave_72_hours() -> None:
    found = rolling({"a": steady(1000, begin=100)}, 4)
    assert [origin.hour for origin in found] == [340, 569, 799, 1028]


@pytest.mark.parametrize(("hours", "expected"), [(312, [240]), (311, [24, 132, 239]), (96, [24]), (22, [11]), (1, [1])])
def test_short_series_have_the_origins_that_fit(hours: int, expected: list[int]) -> None:
    assert [origin.hour for origin in rolling({"a": steady(hours)}, 3)] == expected


def test_origins_and_thresholds_of_a_file(tmp_path: Path) -> None:
    text = "threshold,origin,series\n5,1970-01-02T00:00:00Z,a\n,86400,b\n6.5,1970-01-02,a\n\n"
    origins, questions = read_origins(written(tmp_path / "o.csv", text), {"a": steady(9), "b": steady(9)})
    assert origins == [Origin("a", 24), Origin("b", 24)]
    assert [(question.origin, question.threshold) for question in questions] == [(0, 5.0), (0, 6.5)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,1970-01-02T00:30:00Z,1", "is no whole hour"),
        ("a,someday,1", "'someday' is no time"),
        ("a,9999-12-31T00:00:00Z,1", "'9999-12-31T00:00:00Z' is no time"),  # the 72 hours after it have no date
        ("a,-99999999999,1", "'-99999999999' is no time"),
        ("a,1e300,1", "'1e300' is no time"),
        ("z,86400,1", "no series 'z'"),
        ("a,86400,high", "'high' is no threshold"),
        ("a,86400,nan", "'nan' is no threshold"),
        ("a,86400", "it has 2 columns instead of 3"),
    ],
)
def test_an_origin_that_is_none_is_named(tmp_path: Path, row: str, reason: str) -> None:
    path = written(tmp_path / "o.csv", f"series,origin,threshold\na,3600,1\n{row}\n")
    with pytest.raises(UsageError, match=r"o\.csv:3: ") as error:
        read_origins(path, {"a": steady(9)})
    assert reason in error.value.message


@pytest.mark.parametrize(
    "stamp", ["2024-01-05T05:00:00Z", "2024-01-05 05:00", "2024-01-05T10:30:00+05:30", "1704430800", "1704430800000"]
)
def test_origins_are_written_like_times_of_samples(tmp_path: Path, stamp: str) -> None:
    origins, _ = read_origins(written(tmp_path / "o.csv", f"series,origin\na,{stamp}\n"), {"a": steady(9)})
    assert origins == [Origin("a", 1704430800 // 3600)]


def test_windows_end_before_the_origin_and_actuals_begin_there() -> None:
    windows = Windows.of({"a": steady(900)}, [Origin("a", 700), Origin("a", 3), Origin("a", 890)], "mean")
    values, actual = windows.grid.values, windows.actual
    assert values.shape == (3, GRID_HOURS)
    assert values[0].tolist() == list(range(28, 700))
    assert actual[0].tolist() == list(range(700, 772))
    assert np.isnan(values[1, :-3]).all()
    assert values[1, -3:].tolist() == [0, 1, 2]
    assert np.isfinite(actual[2]).sum() == 10


def test_after_weeks_of_silence_the_same_weekday_stands_in() -> None:
    series = {"a": steady(400, begin=BEGIN_HOUR)}
    (row,) = Windows.of(series, [Origin("a", BEGIN_HOUR + 400 + 5 * 168 + 3)], "mean").grid.values
    assert np.isnan(row[-3:]).all()
    assert row[-4] == 399.0


def test_nothing_before_the_origin_is_nothing() -> None:
    assert not Windows.of({"a": steady(50, begin=10)}, [Origin("a", 5)], "mean").grid.known.any()
