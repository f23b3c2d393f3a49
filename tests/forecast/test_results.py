import dataclasses
import sqlite3
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.series import SeriesKey
from forecast.book import MIGRATIONS, THIN_DAYS, ForecastBook
from forecast.chance import Chance
from forecast.packing import pack, unpack
from forecast.reference import Reference
from forecast.results import Forecast
from forewarn.base.clock import DAY
from forewarn.base.sqlite import open_writer
from tests.support.hourly import BEGIN_MS, HOUR_MS, forecast

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def book(path: Path) -> ForecastBook:
    return ForecastBook(open_writer(path), path)


def test_a_forecast_survives_json() -> None:
    whole = forecast('x{name="a",self="b\\"c"}', breach_ms=BEGIN_MS + HOUR_MS, breach_early_ms=BEGIN_MS, below=True)
    data = orjson.loads(orjson.dumps(whole.to_dict()))
    assert Forecast.from_dict(data) == whole
    assert data["breach"] == "2025-10-09T10:00:00Z"
    assert data["outlook"].startswith("falls to 200 % on Thu 09 Oct 10:00 UTC, possibly as early as")


def test_a_forecast_without_points_survives_json_and_says_why() -> None:
    none = forecast(status="not_enough_history", model="", points={}, limit=None, reason="has 3.5 h of history")
    assert Forecast.from_dict(orjson.loads(orjson.dumps(none.to_dict()))) == none
    assert none.outlook == "has 3.5 h of history"


def test_the_book_gives_back_what_it_was_given(book: ForecastBook) -> None:
    kept = [
        forecast("x", breach_ms=BEGIN_MS),
        forecast("x", statistic="max"),
        forecast("y", points={}, status="no_data"),
    ]
    book.store(kept)
    found = book.latest()
    assert [(str(one.target), one.statistic) for one in found] == [("x", "max"), ("x", "mean"), ("y", "mean")]
    for one, original in zip(found, [kept[1], kept[0], kept[2]], strict=True):
        assert dataclasses.replace(one, points={}) == dataclasses.replace(original, points={})
        for name, values in original.points.items():
            np.testing.assert_allclose(one.points[name], values, atol=6.5 / 131_000)


def test_the_newest_counts_and_the_older_ones_stay(book: ForecastBook, path: Path) -> None:
    for hour in range(5):
        book.store([forecast(made_ms=BEGIN_MS + hour * HOUR_MS, reason=str(hour))])
    assert [one.reason for one in book.latest()] == ["4"]
    assert [one.reason for one in book.history(forecast().target, "mean", 3)] == ["4", "3", "2"]
    assert book.latest(since_ms=BEGIN_MS + 5 * HOUR_MS) == []
    again = ForecastBook(sqlite3.connect(path), path)
    assert len(again.history(forecast().target, "mean")) == 5


def test_old_forecasts_go_with_their_targets(book: ForecastBook) -> None:
    book.store([forecast(name, start_ms=BEGIN_MS // DAY * DAY) for name in ("gone", "x")])
    book.store([forecast("x", made_ms=BEGIN_MS + 89 * DAY_MS)])
    assert len(book.history(forecast("x").target, "mean")) == 2
    book.store([forecast("x", made_ms=BEGIN_MS + 91 * DAY_MS)])
    assert len(book.history(forecast("x").target, "mean")) == 2
    assert [str(one.target) for one in book.latest()] == ["x"]


def test_old_forecasts_stay_one_a_day(book: ForecastBook) -> None:
    begin_ms = BEGIN_MS // DAY * DAY
    hours = [begin_ms + hour * HOUR_MS for hour in range(49)]
    book.store([forecast("x", made_ms=time, start_ms=time) for time in hours])
    book.store([forecast("gone", made_ms=hours[1], start_ms=hours[1])])
    book.store([forecast("x", made_ms=time, start_ms=time) for time in (hours[25] + THIN_DAYS * DAY,)])
    kept = [one.start_ms for one in book.history(SeriesKey.parse("x"), "mean")]
    assert kept[::-1] == [hours[0], hours[24], *hours[25:], hours[25] + THIN_DAYS * DAY]
    assert len(book.history(SeriesKey.parse("gone"), "mean")) == 1


def test_a_stored_forecast_is_small(book: ForecastBook, path: Path) -> None:
    random = np.random.default_rng(1)
    names = forecast().points
    for hour in range(200):
        points = {name: (1e9 * random.random(72)).tolist() for name in names}
        book.store([forecast(made_ms=BEGIN_MS + hour, points=points)])
    pages = sqlite3.connect(path).execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    assert pages.fetchone()[0] / 200 < 1300, "white noise is the worst case; 360 float64 are 2,880 bytes"


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1.0, 1e300])
def test_packed_rows_lose_at_most_half_a_step(scale: float) -> None:
    rows = (scale * np.random.default_rng(2).normal(size=(5, 72))).tolist()
    span = np.max(rows) - np.min(rows)
    np.testing.assert_allclose(unpack(pack(rows)), rows, atol=span / 131_070 * 1.001, rtol=0)
    extremes = [[-1.7e308, 0.0, 1.7e308]]
    np.testing.assert_allclose(unpack(pack(extremes)), extremes, atol=2.6e303)


def prophets() -> Reference:
    hours = np.arange(72)
    parts = {"trend": 5 + 0.1 * hours, "weekly": np.zeros(72), "daily": np.sin(hours / 24 * 2 * np.pi)}
    return Reference.of(
        {name: values.tolist() for name, values in parts.items()}, [(BEGIN_MS - DAY_MS, -0.25), (BEGIN_MS, 1.5)]
    )


def test_prophets_parts_are_kept_beside_ours(book: ForecastBook, path: Path) -> None:
    whole = forecast(prophet=prophets())
    data = orjson.loads(orjson.dumps(whole.to_dict()))
    assert Forecast.from_dict(data) == whole
    assert data["prophet"]["changepoints"][0] == {"time": "2025-10-08T09:00:00Z", "slope_change_a_day": -0.25}
    book.store([whole, forecast("y")])
    one, other = book.latest()
    assert one.prophet == whole.prophet
    assert other.prophet is None
    expected = 5 + 0.1 * np.arange(72) + np.sin(np.arange(72) / 24 * 2 * np.pi)
    np.testing.assert_allclose(one.prophet.points, expected, atol=1e-3)  # type: ignore[union-attr]
    assert len(whole.prophet.packed) < 400  # type: ignore[union-attr]


def test_a_book_from_before_prophet_was_kept_is_read(path: Path) -> None:
    connection = open_writer(path)
    connection.executescript(
        "CREATE TABLE schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL);"
        f"INSERT INTO schema_versions VALUES ('forecast', 1); {MIGRATIONS[0]};"
        "INSERT INTO forecast_targets VALUES (1, 'x', 'mean', 1);"
        "INSERT INTO forecasts VALUES"
        f" (1, 1, 'gauge', '', {BEGIN_MS}, {BEGIN_MS}, '', 'no_data', 'r', 0, 1, 1, NULL, NULL, 0, NULL, NULL, '')"
    )
    (old,) = ForecastBook(connection, path).latest()
    assert (old.status, old.prophet) == ("no_data", None)
    assert old.chance is None


def chances() -> Chance:
    curve = np.minimum(0.9, np.arange(72) / 80)
    return Chance.of(curve, crossed_lately=True)


def test_the_chance_of_a_breach_is_kept_to_the_digit(book: ForecastBook) -> None:
    whole = forecast(chance=chances())
    data = orjson.loads(orjson.dumps(whole.to_dict()))
    assert Forecast.from_dict(data) == whole
    assert data["chance"]["p24"] == 0.2875
    book.store([whole, forecast("y")])
    one, other = book.latest()
    assert one.chance == whole.chance
    assert other.chance is None
    assert len(whole.chance.packed) == 144  # type: ignore[union-attr]


def test_a_book_from_before_chances_were_kept_is_read(path: Path) -> None:
    connection = open_writer(path)
    connection.executescript(
        "CREATE TABLE schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL);"
        f"INSERT INTO schema_versions VALUES ('forecast', 2); {MIGRATIONS[0]}; {MIGRATIONS[1]};"
        "INSERT INTO forecast_targets VALUES (1, 'x', 'mean', 1);"
        "INSERT INTO forecasts VALUES (1, 1, 'gauge', '', "
        f"{BEGIN_MS}, {BEGIN_MS}, 'combiner', 'ok', '', 90, 1, 1, NULL, 2.0, 0, {BEGIN_MS}, NULL, '', NULL, NULL)"
    )
    (old,) = ForecastBook(connection, path).latest()
    assert (old.model, old.breach_ms, old.chance) == ("combiner", BEGIN_MS, None)
    assert (path.parent / "state.db.forecast-v2.bak").exists()
