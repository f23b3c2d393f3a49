"""Stored forecasts scored once their hours are over, against plain arithmetic and over a real child."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from alerts.settings import AlertsSettings
from alerts.shipped import warning_bars
from collector.catalogue import CATALOGUE
from collector.series import SeriesKey
from collector.store import Store, StoreSettings
from forecast.book import ForecastBook
from forecast.reference import Reference
from forecast.run import make_forecasts
from forecast.scorebook import FEWEST_HOURS, MIGRATIONS, ScoreBook, due_forecasts
from forecast.scorecard import Score, Scorecard
from forecast.scorecard_metrics import samples
from forecast.scoring import score_due
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base import frames
from forewarn.base.clock import DAY, SystemClock
from forewarn.base.sqlite import open_reader, open_writer
from tests.support.daemon import forewarn
from tests.support.hourly import BEGIN_MS, HOUR_MS, chance, forecast
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
    likely = chance({24: 0.2, 41: 0.6, 72: 0.75})
    book.store([forecast("x", **steady(chance=likely, prophet=Reference.of(parts, [])))])
    ((score,),) = score_due(path, reader, ROWS, OVER_MS)
    assert score.hours == 72
    actual = levels()[96:]
    assert score.mase == pytest.approx(np.abs(actual - 12).mean() / 4, rel=1e-3)
    assert score.mase_yesterday == pytest.approx(np.abs(actual - 12).mean() / 4, rel=1e-3)  # the last day was at 12
    assert score.mase_prophet == pytest.approx(np.abs(actual - 11).mean() / 4, rel=1e-3)
    assert score.coverage_80 == pytest.approx(59 / 72)
    assert score.coverage_95 == 1.0
    assert (score.p24, score.p48, score.p72) == (0.2, 0.6, 0.75)
    assert (score.crossed, score.crossed_hour, score.rule_warned, score.lead_error_hours) == (True, 49, False, -9.0)


def test_the_lower_end_is_crossed_from_above(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader
) -> None:
    values = -levels()
    values[80] = -31.0  # 16 hours before the origin
    add(reader, "low", values)
    points = {name: [-value] * 72 for name, value in zip(POINTS, reversed(POINTS.values()), strict=True)}
    book.store([forecast("low", statistic="min", points=points, limit=-30.0, below=True, chance=chance({9: 0.3}))])
    ((score,),) = score_due(path, reader, ROWS, OVER_MS)
    assert (score.p72, score.crossed, score.rule_warned, score.lead_error_hours) == (0.3, True, True, None)


def test_nothing_is_asked_of_what_has_no_limit_or_was_crossed_already(
    book: ForecastBook, score_book: ScoreBook, path: Path, reader: MemoryReader
) -> None:
    add(reader, "x", levels())
    book.store(
        [
            forecast("x", **steady(limit=None)),
            forecast("x", **steady(breach_ms=BEGIN_MS - HOUR_MS)),
            forecast("x", **steady(kind="saturated", statistic="max", chance=chance({9: 0.9}))),
        ]
    )
    found = [score for some in score_due(path, reader, ROWS, OVER_MS) for score in some]
    assert len(found) == 3
    assert {(score.p72, score.crossed) for score in found} == {(None, None)}


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


def asked(number: int, p: float, crossed_hour: int | None = None, *, rule: bool = False, **more: object) -> Score:
    """A score of a forecast that gave this probability at 24, 48 and 72 hours."""
    chances = {"p24": p, "p48": p, "p72": p, "crossed": crossed_hour is not None, "crossed_hour": crossed_hour}
    return Score(number, 72, 1.0, 1.0, rule_warned=rule, **chances, **more)  # type: ignore[arg-type]


def test_the_card_adds_up(book: ForecastBook, score_book: ScoreBook) -> None:
    book.store([forecast("x"), forecast("x"), forecast("x"), forecast("y"), forecast("y", made_ms=BEGIN_MS - 40 * DAY)])
    score_book.store(
        [
            Score(1, 72, 1.0, 2.0, None, 0.8, 1.0, 0.5, lead_error_hours=4.0),
            Score(2, 72, 2.0, 3.0, 4.0, 0.6, 0.9, 0.7),
            Score(3, 70, 0.5, 1.0, 2.0, 0.7, 0.8, 0.3),
            Score(4, 72, 3.0, 2.0, None, 0.9, 0.9, 2.5, lead_error_hours=-8.0),
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
    assert (all_of_them.judged, all_of_them.brier, all_of_them.brier_rule) == (0, None, None)
    assert (all_of_them.lead_error_hours, all_of_them.lead_bias_hours) == (6.0, -2.0)
    assert [one.target for one in card.targets] == ["y", "x"]  # y is worse than same hour yesterday
    assert card.targets[1].figures.forecasts == 3
    assert card.to_dict()["targets"][0]["lead_error_hours"] == 8.0


def test_brier_scores_by_hand(book: ForecastBook, score_book: ScoreBook) -> None:
    book.store([forecast("x") for _ in range(4)])
    score_book.store(
        [
            asked(1, 0.9, 30, rule=True),  # within 48 h, not within 24
            asked(2, 0.5, rule=True),
            asked(3, 0.1),
            asked(4, 0.2, 10),
        ]
    )
    figures = score_book.card(BEGIN_MS + DAY).overall
    assert (figures.judged, figures.crossed) == (4, 2)
    assert figures.brier == pytest.approx((0.1**2 + 0.5**2 + 0.1**2 + 0.8**2) / 4)
    assert figures.brier_48 == figures.brier
    assert figures.brier_24 == pytest.approx((0.9**2 + 0.5**2 + 0.1**2 + 0.8**2) / 4)
    assert figures.brier_rule == pytest.approx(0.25)  # its yes came true in one of two, so did its no
    assert figures.calibration_error is None


def test_calibration_is_told_once_there_are_enough(book: ForecastBook, score_book: ScoreBook) -> None:
    book.store([forecast("x") for _ in range(100)])
    rows = [asked(1 + number, 0.75, 5 if number < 30 else None) for number in range(50)]
    rows += [asked(51 + number, 0.25, 5 if number < 10 else None) for number in range(50)]
    score_book.store(rows[:80])
    assert score_book.card(BEGIN_MS + DAY).overall.calibration_error == pytest.approx((50 * 0.15 + 30 * 1 / 12) / 80)
    score_book.store(rows)
    card = score_book.card(BEGIN_MS + DAY)
    assert card.overall.calibration_error == pytest.approx((50 * 0.15 + 50 * 0.05) / 100)
    assert [(one.tenth, one.forecasts, one.stated) for one in card.reliability] == [(2, 50, 0.25), (7, 50, 0.75)]
    assert card.to_dict()["reliability"][1]["seen"] == 0.6


def hourly_scores(book: ForecastBook, score_book: ScoreBook, name: str, rows: list[tuple[float, int | None]]) -> None:
    """A forecast an hour, each with its probability and the hour of the crossing, counted from the first one."""
    count = book._connection.execute("SELECT COUNT(*) FROM forecasts").fetchone()[0]
    starts = [BEGIN_MS + hour * HOUR_MS for hour in range(len(rows))]
    book.store([forecast(name, start_ms=start, made_ms=start) for start in starts])
    score_book.store(
        asked(count + 1 + hour, p, None if crossed is None else crossed - hour, rule=p > 0.9)
        for hour, (p, crossed) in enumerate(rows)
    )


def test_warnings_are_counted_once_however_many_forecasts_repeat_them(
    book: ForecastBook, score_book: ScoreBook
) -> None:
    rows: list[tuple[float, int | None]] = [(0.7, 20), (0.5, 20), (0.8, 20), (0.3, 20)]  # one warning, came true
    rows += [(0.65, None)] * 3 + [(0.1, None)] * 5  # one false
    rows += [(0.2, 40), (0.3, 40)]  # missed
    hourly_scores(book, score_book, "x", rows)
    card = score_book.card(BEGIN_MS + 2 * DAY)
    figures = card.overall
    assert (figures.came_true, figures.false_warnings, figures.missed) == (1, 1, 1)
    assert figures.lead_hours == 20
    assert (figures.rule_came_true, figures.rule_false_warnings, figures.rule_missed) == (0, 0, 2)
    assert card.targets[0].figures.came_true == 1


def test_the_bar_is_the_one_that_the_rule_of_a_target_has(book: ForecastBook, score_book: ScoreBook) -> None:
    hourly_scores(book, score_book, "x", [(0.5, 9), (0.5, 9)])
    hourly_scores(book, score_book, "y", [(0.5, 9), (0.5, 9)])
    rule = {"name": "Early", "type": "forecast_breach", "match": "x", "probability": 0.3}
    alerts = AlertsSettings.model_validate({"rule": [rule], "shipped_rules": False})
    card = score_book.card(BEGIN_MS + DAY, warning_bars(alerts))
    assert {one.target: (one.figures.came_true, one.figures.missed) for one in card.targets} == {
        "x": (1, 0),
        "y": (0, 1),
    }


def test_scores_from_before_chances_are_read(path: Path, book: ForecastBook) -> None:
    book.store([forecast("x")])
    old = open_writer(path)
    old.executescript(
        f"{MIGRATIONS[0]}; INSERT INTO schema_versions VALUES ('scorecard', 1);"
        "INSERT INTO forecast_scores VALUES (1, 72, 1.0, 2.0, 4.0, 0.8, 1.0, 0.5, 1, 1, 0, -4.0)"
    )
    figures = ScoreBook(old, path).card(BEGIN_MS + DAY).overall
    assert (figures.forecasts, figures.mase, figures.judged, figures.brier) == (1, 1.0, 0, None)
    assert (figures.lead_error_hours, figures.crossed) == (4.0, 0)


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
    score_book.store([asked(1, 0.75, 5, mase_prophet=4.0, coverage_80=0.8, lead_error_hours=-4.0)])
    found = samples(score_book.card(BEGIN_MS + DAY))
    values = {str(sample.key): sample.value for sample in found}
    assert values['forewarn_forecast_mase{forecast="prophet"}'] == 4.0
    assert values['forewarn_forecast_warnings{outcome="came_true"}'] == 1.0
    assert values['forewarn_forecast_brier_ratio{forecast="forewarn"}'] == 0.0625
    assert values["forewarn_forecast_lead_time_error_seconds"] == 4 * 3600.0
    for sample in found:
        assert {name for name, _ in sample.key.labels} == set(CATALOGUE[sample.key.name].labels)


def test_a_score_survives_its_frame() -> None:
    score = Score(3, 72, 1.0, crossed=True, crossed_hour=4, lead_error_hours=-2.5)
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
    assert card["overall"]["judged"] == sum(one.chance is not None for one in made) > 0
    assert 0 <= card["overall"]["brier"] < 1
    table = forewarn("forecast", "--score", "--data-dir", str(tmp_path))
    assert f"forecasts scored {ok}" in " ".join(table.stdout.split())
    nothing = forewarn("forecast", "--score", "--data-dir", str(tmp_path), "--as-of", "2020-01-01")
    assert nothing.stdout == "no forecast has been scored yet: each is, once its 72 hours are over\n"


def test_a_node_without_a_daemon_says_so(tmp_path: Path) -> None:
    done = forewarn("forecast", "--score", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "has 'forewarn run' ever run here?" in done.stderr
