"""Chances of stored forecasts."""

import sqlite3
from pathlib import Path

from collector.series import SeriesKey
from forecast.book import ForecastBook
from forecast.plan.stored import read_chances
from forewarn.base.sqlite import open_writer
from tests.support.hourly import BEGIN_MS, chance, forecast


def test_those_of_this_hour_that_decide(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = open_writer(path)
    ForecastBook(connection, path).store(
        [
            forecast("a", statistic="mean", chance=chance({5: 0.1})),
            forecast("a", statistic="max", chance=chance({5: 0.3})),
            forecast("b", kind="saturated", statistic="mean", chance=chance({5: 0.2})),
            forecast("b", kind="saturated", statistic="max", chance=chance({5: 0.9})),
            forecast("c"),
        ]
    )
    connection.close()
    found = read_chances(path, BEGIN_MS + 60_000)
    assert {str(key): one.p24 for key, one in found.items()} == {"a": 0.3, "b": 0.2}
    assert SeriesKey.parse("a") in found
    assert read_chances(path, BEGIN_MS + 3_600_000) == {}


def test_without_a_book_there_are_none(tmp_path: Path) -> None:
    assert read_chances(tmp_path / "none.db", BEGIN_MS) == {}
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).close()
    empty.touch()
    assert read_chances(empty, BEGIN_MS) == {}
