"""Stored forecasts scored once their hours are over, against plain arithmetic and over a real child."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.catalogue import CATALOGUE
from collector.series import SeriesKey
from collector.store import Store, StoreSettings
from forecast.reference import Reference
from forecast.results import ForecastBook
from forecast.run import make_forecasts
from forecast.scorecard import FEWEST_HOURS, Score, ScoreBook, Scorecard, due_forecasts
from forecast.scorecard_metrics import samples
from forecast.scoring import score_due
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base import frames
from forewarn.base.clock import DAY, SystemClock
from forewarn.base.sqlite import open_reader, open_writer
from tests.support.daemon import forewarn
from tests.support.hourly import BEGIN_MS, HOUR_MS, forecast
from tests.support.memory_series import MemoryReader

HORIZON_MS = 72 * HOUR_MS
OVER_MS = BEGIN_MS + HORIZON_MS
ROWS = [TargetSettings(match="x", limit=30.0), TargetSettings(match="low", limit=-30.0, below=True)]
POINTS = {"p2.5": 0.0, "p10": 5.0, "mean": 12.0, "p90": 20.0, "p97.5": 40.0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def book(path: Path) -> ForecastBook:
    return ForecastBook(open_writer(path), path)


@pytest.fixture
def score_book(book: ForecastBook, path: Path) -> ScoreBook:
    return ScoreBook(open_writer(path), path)


def levels(hours: int = 96) -> np.ndarray:
    """Four days that go up by 4 a day, then three that stay, with one peak of 33 in their 50th hour."""
    values = np.repeat(4.0 * np.arange(hours // 24), 24)
    after = np.full(72, 15.0)
    after[49] = 33.0
    after[60:] = 2.0
    return np.concatenate([values, after])


def add(reader: MemoryReader, name: str, values: np.ndarray) -> None:
    hours = values.size - 72
    reader.add(name, BEGIN_MS + HOUR_MS * (np.arange(values.size) - hours), values)


def steady(**changes: object) -> dict[str, object]:
    return {"points": {name: [value] * 72 for name, value in POINTS.items()}, "limit": 30.0, **changes}


def test_a_score_by_hand(book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader) -> None:
    add(reader, "x", levels())
    parts = {"trend": [10.0] * 72, "weekly": [1.0] * 72, "daily": [0.0] * 72}
    breach = BEGIN_MS + 40 * HOUR_MS
    book.store([forecast("x", **steady(breach_ms=breach, prophet=Reference.of(parts, [])))])
    ((score,),) = score_due(path, reader, ROWS, OVER_MS)
    assert score.hours == 72
    actual = levels()[96:]
    assert score.mase == pytest.approx(np.abs(actual - 12).mean() / 4, rel=1e-3)
    assert score.mase_yesterday == pytest.approx(np.abs(actual - 12).mean() / 4, rel=1e-3)  # the last day was at 12
    assert score.mase_prophet == pytest.approx(np.abs(actual - 11).mean() / 4, rel=1e-3)
    assert score.coverage_80 == pytest.approx(59 / 72)
    assert score.coverage_95 == 1.0
    assert (score.warned, score.crossed, score.rule_warned, score.lead_error_hours) == (True, True, False, -9.0)


def test_the_lower_end_is_crossed_from_above(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader
) -> None:
    values = -levels()
    values[80] = -31.0  # 16 hours before the origin
    add(reader, "low", values)
    points = {name: [-value] * 72 for name, value in zip(POINTS, reversed(POINTS.values()), strict=True)}
    book.store([forecast("low", statistic="min", points=points, limit=-30.0, below=True, breach_ms=None)])
    ((score,),) = score_due(path, reader, ROWS, OVER_MS)
    assert (score.warned, score.crossed, score.rule_warned, score.lead_error_hours) == (False, True, True, None)


def test_nothing_is_asked_of_what_has_no_limit_or_was_crossed_already(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader
) -> None:
    add(reader, "x", levels())
    book.store(
        [
            forecast("x", **steady(limit=None)),
            forecast("x", **steady(breach_ms=BEGIN_MS - HOUR_MS)),
            forecast("x", **steady(kind="saturated", statistic="max")),
        ]
    )
    found = [score for some in score_due(path, reader, ROWS, OVER_MS) for score in some]
    assert len(found) == 3
    assert {(score.warned, score.crossed) for score in found} == {(None, None)}


def test_a_forecast_is_due_once_its_hours_are_over_and_until_it_has_a_score(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader
) -> None:
    add(reader, "x", levels())
    book.store([forecast("x", **steady()), forecast("gone", **steady()), forecast("x", status="no_data", points={})])
    assert list(score_due(path, reader, ROWS, OVER_MS - 1)) == []
    (found,) = score_due(path, reader, ROWS, OVER_MS)  # nobody writes the other series any more
    score_book.store(found)
    assert list(score_due(path, reader, ROWS, OVER_MS)) == []
    connection = open_reader(path)
    assert [due.series for due in due_forecasts(connection, OVER_MS)] == ["gone"]
    assert due_forecasts(connection, OVER_MS + 8 * DAY) == []
    connection.close()


def test_hours_that_nobody_measured_do_not_count(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader
) -> None:
    values = levels()
    values = values[: 96 + FEWEST_HOURS - 1]
    reader.add("x", BEGIN_MS + HOUR_MS * (np.arange(values.size) - 96), values)
    book.store([forecast("x", **steady())])
    ((score,),) = score_due(path, reader, ROWS, OVER_MS)
    assert score == Score(1, FEWEST_HOURS - 1)
    score_book.store([score])
    assert score_book.card(OVER_MS).overall.forecasts == 0


def test_one_target_that_fails_stops_none(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader, caplog: pytest.LogCaptureFixture
) -> None:
    class Torn(MemoryReader):
        def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int):  # noqa: ANN202  as the parent's
            if series_id == 0 and end_ms - start_ms > 30 * DAY:
                raise OSError("torn")
            return super().rollup(series_id, start_ms, end_ms, step_ms)

    torn = Torn()
    add(torn, "low", -levels())
    add(torn, "x", levels())
    book.store([forecast("low", **steady()), forecast("x", **steady())])
    assert [score.forecast_id for some in score_due(path, torn, ROWS, OVER_MS) for score in some] == [2]
    assert "could not be scored" in caplog.text


def test_the_card_adds_up(book: ForecastBook, score_book: ScoreBook) -> None:
    book.store([forecast("x"), forecast("x"), forecast("x"), forecast("y"), forecast("y", made_ms=BEGIN_MS - 40 * DAY)])
    score_book.store(
        [
            Score(1, 72, 1.0, 2.0, None, 0.8, 1.0, 0.5, True, True, True, 4.0),
            Score(2, 72, 2.0, 3.0, 4.0, 0.6, 0.9, 0.7, True, False, True, None),
            Score(3, 70, 0.5, 1.0, 2.0, 0.7, 0.8, 0.3, False, True, False, None),
            Score(4, 72, 3.0, 2.0, None, 0.9, 0.9, 2.5, True, True, False, -8.0),
            Score(5, 72, 9.0, 1.0),
            Score(77, 72, 9.0, 1.0),
        ]
    )
    card = score_book.card(BEGIN_MS + DAY)
    all_of_them = card.overall
    assert all_of_them.forecasts == 4
    assert all_of_them.mase == pytest.approx(6.5 / 4)
    assert all_of_them.to_yesterday == pytest.approx(6.5 / 8)
    assert all_of_them.mase_prophet == pytest.approx(3.0)
    assert all_of_them.to_prophet == pytest.approx(2.5 / 6)
    assert all_of_them.coverage_80 == pytest.approx(0.75)
    assert (all_of_them.came_true, all_of_them.false_warnings, all_of_them.missed) == (2, 1, 1)
    assert (all_of_them.rule_came_true, all_of_them.rule_false_warnings) == (1, 1)
    assert (all_of_them.lead_error_hours, all_of_them.lead_bias_hours) == (6.0, -2.0)
    assert [one.target for one in card.targets] == ["y", "x"]  # y is worse than same hour yesterday
    assert card.targets[1].figures.forecasts == 3
    assert card.to_dict()["targets"][0]["lead_error_hours"] == 8.0


def test_scores_go_with_their_forecasts(book: ForecastBook, score_book: ScoreBook, path: Path) -> None:
    book.store([forecast("x")])
    score_book.store([Score(1, 72, 1.0, 1.0)])
    book.store([forecast("x", made_ms=BEGIN_MS + 91 * DAY)])
    connection = open_reader(path)
    assert connection.execute("SELECT COUNT(*) FROM forecast_scores").fetchone() == (0,)
    connection.close()


def test_metrics_are_in_the_catalogue_and_absent_where_nothing_is_known(
    book: ForecastBook, score_book: ScoreBook
) -> None:
    assert samples(Scorecard()) == []
    book.store([forecast("x")])
    empty = {sample.key.name: sample.value for sample in samples(score_book.card(BEGIN_MS + DAY))}
    assert empty == {"forewarn_forecast_scored": 0.0, "forewarn_forecast_warnings": 0.0}
    score_book.store([Score(1, 72, 1.0, 2.0, 4.0, 0.8, 1.0, 0.5, True, True, True, -4.0)])
    found = samples(score_book.card(BEGIN_MS + DAY))
    values = {str(sample.key): sample.value for sample in found}
    assert values['forewarn_forecast_mase{forecast="prophet"}'] == 4.0
    assert values['forewarn_forecast_warnings{outcome="came_true"}'] == 1.0
    assert values["forewarn_forecast_lead_time_error_seconds"] == 4 * 3600.0
    for sample in found:
        assert {name for name, _ in sample.key.labels} == set(CATALOGUE[sample.key.name].labels)


def test_a_score_survives_its_frame() -> None:
    score = Score(3, 72, 1.0, warned=True, lead_error_hours=-2.5)
    assert Score(**score.to_dict()) == score
    assert dataclasses.asdict(score)["mase_prophet"] is None


def test_the_child_scores_what_is_over_and_the_command_tells(
    tmp_path: Path, real_series: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    now_ms = SystemClock().now_ms()
    store = Store.open(tmp_path / "metrics.db", StoreSettings(), SystemClock())
    for name, (times, values) in real_series.items():
        shift = now_ms // HOUR_MS * HOUR_MS - (int(times[-1]) // HOUR_MS + 1) * HOUR_MS
        store.append_history(SeriesKey.of("forewarn_imported_value", series=name), times + shift, values)
    settings = ForecastSettings(model="prophet_map")
    rows = [TargetSettings(match="forewarn_imported_value", limit=100.0)]
    made = [
        dataclasses.replace(one, made_ms=one.as_of_ms)
        for hours in (80, 76, 73)
        for one in make_forecasts(store, settings, rows, now_ms - hours * HOUR_MS)
    ]
    store.close()
    state = tmp_path / "state.db"
    book, score_book = ForecastBook(connection := open_writer(state), state), ScoreBook(connection, state)
    book.store(made)
    order = {
        "store": str(tmp_path / "metrics.db"),
        "state": str(state),
        "forecast": settings.model_dump(mode="json"),
        "targets": [row.model_dump(mode="json") for row in rows],
        "as_of_ms": now_ms,
        "log_level": "INFO",
    }
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "forecast.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(frames.encode(order))
    child.stdin.flush()
    scored: list[Score] = []
    while (frame := frames.read(child.stdout)) is not None:
        if frame["kind"] == "scores":
            scored += [Score(**one) for one in frame["scores"]]
        last = frame
    child.stdin.close()
    child.stdout.close()
    assert child.wait(20) == 0
    assert last["kind"] == "done"
    ok = sum(one.status == "ok" for one in made)
    assert len(scored) == ok > 20
    score_book.store(scored)
    connection.close()
    shown = forewarn("forecast", "--score", "--json", "--data-dir", str(tmp_path))
    card = orjson.loads(shown.stdout)
    assert card["overall"]["forecasts"] == ok
    assert 0.3 < card["overall"]["mase"] < 8
    assert card["overall"]["coverage_95"] > card["overall"]["coverage_80"] > 0.3
    table = forewarn("forecast", "--score", "--data-dir", str(tmp_path))
    assert f"forecasts scored {ok}" in " ".join(table.stdout.split())
    nothing = forewarn("forecast", "--score", "--data-dir", str(tmp_path), "--as-of", "2020-01-01")
    assert nothing.stdout == "no forecast has been scored yet: each is, once its 72 hours are over\n"


def test_a_node_without_a_daemon_says_so(tmp_path: Path) -> None:
    done = forewarn("forecast", "--score", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "has 'forewarn run' ever run here?" in done.stderr
