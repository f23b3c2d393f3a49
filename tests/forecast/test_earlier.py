"""Bands that learn from the forecasts that this node stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecast.adaptive import EVERY_HOURS, LOOK_BACK_HOURS
from forecast.book import ForecastBook
from forecast.earlier import read_earlier, tallies
from forecast.grid import GRID_HOURS, Grid
from forecast.run import make_forecasts
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base.sqlite import open_writer
from tests.support.hourly import HOUR_MS, forecast
from tests.support.memory_series import MemoryReader

STEP_MS = EVERY_HOURS * HOUR_MS
NOW_MS = 10_200 * STEP_MS + 30 * HOUR_MS + 600_000
EDGES = {"mean": 0.0, "p2.5": -2.0, "p10": -1.0, "p90": 1.0, "p97.5": 2.0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def stored(path: Path, starts: list[int], middle: float = 10.0, **changes: object) -> None:
    """Forecasts of the series ``x`` around one level, made a minute after they start."""
    points = {name: [middle + edge] * 72 for name, edge in EDGES.items()}
    fields = {"model": "combiner", "points": points, **changes}
    book = ForecastBook(open_writer(path), path)
    book.store(forecast(made_ms=start + 60_000, as_of_ms=start, start_ms=start, **fields) for start in starts)


def test_those_that_began_at_whole_multiples_of_48_hours_are_read(path: Path) -> None:
    newest = NOW_MS // STEP_MS * STEP_MS
    starts = [newest + hours * HOUR_MS for hours in (0, -1, -47, -48, -96, -LOOK_BACK_HOURS)]
    stored(path, starts, widening=(1.5, 0.75))
    stored(path, starts[:1], target=forecast("other").target, model="fill")
    found = read_earlier(path, NOW_MS)
    assert list(found) == [("x", "mean")]
    each = found["x", "mean"]
    assert [(newest - one.start_ms) // HOUR_MS for one in each] == [0, 48, 96]
    assert each[0].widening == (1.5, 0.75)
    np.testing.assert_allclose(each[0].quantiles, np.tile([8.0, 9.0, 10.0, 11.0, 12.0], (72, 1)), atol=1e-3)
    assert read_earlier(path, newest + 60_000)["x", "mean"][0].start_ms == newest - STEP_MS, "nothing of it is over"


def test_what_counts_is_where_bands_lay_before_they_were_widened(path: Path) -> None:
    newest = NOW_MS // STEP_MS * STEP_MS
    values = np.full((1, GRID_HOURS), 10.0)
    values[0, ::2] = 10.9
    grid = Grid(NOW_MS // HOUR_MS * HOUR_MS, values)
    stored(path, [newest - STEP_MS], points={name: [10 + edge] * 72 for name, edge in EDGES.items()})
    as_made = tallies(grid, [read_earlier(path, NOW_MS)["x", "mean"]])
    twice = {name: [10 + 2 * edge] * 72 for name, edge in EDGES.items()}
    stored(path, [newest - STEP_MS], points=twice, widening=(2.0, 2.0), target=forecast("wide").target)
    widened = tallies(grid, [read_earlier(path, NOW_MS)["wide", "mean"]])
    assert as_made.sum() > 0
    np.testing.assert_allclose(as_made, widened)
    assert tallies(grid, [()]).sum() == 0


def test_a_target_whose_bands_missed_gets_wider_ones(path: Path) -> None:
    random = np.random.default_rng(2)
    values = 50 + random.normal(0, 5, LOOK_BACK_HOURS)
    reader = MemoryReader()
    end_ms = NOW_MS - NOW_MS % HOUR_MS
    reader.add("x", end_ms - HOUR_MS * np.arange(values.size, 0, -1) + 60_000, values)
    newest = NOW_MS // STEP_MS * STEP_MS
    stored(path, [newest - back * STEP_MS for back in range(1, 14)], middle=50.0)
    rows = [TargetSettings(match="x")]

    def mean(**more: object) -> tuple[tuple[float, float], np.ndarray]:
        made = list(make_forecasts(reader, ForecastSettings(), rows, NOW_MS, **more))  # type: ignore[arg-type]
        found = next(one for one in made if one.statistic == "mean")
        return found.widening, np.array(found.points["p97.5"]) - np.array(found.points["mean"])

    before, width = mean()
    after, wider = mean(earlier=read_earlier(path, NOW_MS))
    assert before == (1.0, 1.0)
    assert min(after) > 1.1
    np.testing.assert_allclose(wider, after[0] * width, rtol=1e-6)


def test_what_was_stored_before_bands_were_widened_counts_as_it_was(path: Path) -> None:
    stored(path, [NOW_MS // STEP_MS * STEP_MS])
    connection = open_writer(path)
    with connection:
        connection.execute("UPDATE forecasts SET widening_95 = NULL, widening_80 = NULL")
    assert read_earlier(path, NOW_MS)["x", "mean"][0].widening == (1.0, 1.0)
    assert ForecastBook(connection, path).latest()[0].widening == (1.0, 1.0)


def test_widening_and_demand_survive_the_book_and_json(path: Path) -> None:
    one = forecast(widening=(1.25, 0.5), demand=tuple(1 + hour / 100 for hour in range(72)))
    book = ForecastBook(open_writer(path), path)
    book.store([one])
    (back,) = book.latest()
    assert back.widening == one.widening
    np.testing.assert_allclose(back.demand, one.demand, atol=1e-4)
    again = type(one).from_dict(one.to_dict())
    assert (again.widening, again.demand) == (one.widening, one.demand)
    assert replace(one, demand=()).to_dict()["demand"] == ()
