import numpy as np
import pytest

from forecast.results import POINT_NAMES, Forecast
from forecast.run import make_forecasts
from forecast.settings import ForecastSettings, TargetSettings
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
NOW_MS = 489_000 * HOUR_MS + 600_000
NAIVE = ForecastSettings(model="snaive24")


class FrozenClock:
    """A clock that stands still, and then leaps once per look at the monotonic time."""

    def __init__(self, leap: float = 0.0) -> None:
        self.seconds = 0.0
        self.leap = leap

    def now_ms(self) -> int:
        return NOW_MS + 5

    def monotonic(self) -> float:
        self.seconds += self.leap
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"a run never sleeps, not even {seconds} s")


def add(reader: MemoryReader, name: str, values: np.ndarray | list[float], end_ms: int = NOW_MS) -> None:
    times = end_ms - end_ms % HOUR_MS - HOUR_MS * np.arange(len(values), 0, -1) + 60_000
    reader.add(name, times, values)


def run(
    reader: MemoryReader, settings: ForecastSettings = NAIVE, clock: FrozenClock | None = None, **row: object
) -> dict[tuple[str, str], Forecast]:
    rows = [TargetSettings.model_validate({"match": '{__name__=~".+"}', **row})]
    found = make_forecasts(reader, settings, rows, NOW_MS, clock=clock or FrozenClock())
    return {(forecast.target.name, forecast.statistic): forecast for forecast in found}


def test_a_rising_level_is_forecast_and_its_breach_found(reader: MemoryReader) -> None:
    add(reader, "disk_used_bytes", 1e9 * np.arange(24 * 10))
    found = run(reader, ForecastSettings(), kind="fill", limit=250e9)
    mean = found["disk_used_bytes", "mean"]
    assert (mean.model, mean.status, mean.unit, mean.made_ms) == ("fill", "ok", "bytes", NOW_MS + 5)
    assert set(mean.points) == set(POINT_NAMES)
    assert all(len(values) == 72 for values in mean.points.values())
    assert mean.start_ms == NOW_MS // HOUR_MS * HOUR_MS
    assert mean.breach_ms == mean.start_ms + 10 * HOUR_MS
    assert mean.outlook.startswith("reaches 233 GiB on ")
    assert mean.chance is not None
    assert (mean.chance.t50, mean.chance.crossed_lately) == (10, False)
    assert mean.chance.p24 > 0.9
    assert found["disk_used_bytes", "max"].breach_ms == mean.breach_ms


def test_too_little_history_says_how_much_is_missing(reader: MemoryReader) -> None:
    end_ms = NOW_MS - NOW_MS % HOUR_MS + 600_000
    reader.add("queue", end_ms - np.arange(42, 0, -1) * 300_000, np.ones(42))
    forecast = run(reader)["queue", "mean"]
    assert (forecast.status, forecast.points, forecast.model) == ("not_enough_history", {}, "")
    assert forecast.reason == "has 3.5 h of history, 24 h are needed"


def test_one_full_day_is_enough(reader: MemoryReader) -> None:
    add(reader, "short", np.ones(23))
    add(reader, "day", np.ones(24))
    found = run(reader)
    assert found["short", "mean"].status == "not_enough_history"
    assert found["day", "mean"].status == "ok"


def test_a_series_that_ended_has_no_forecast(reader: MemoryReader) -> None:
    add(reader, "ended", np.ones(100), end_ms=NOW_MS - 48 * HOUR_MS)
    add(reader, "ancient", np.ones(100), end_ms=NOW_MS - 2000 * HOUR_MS)
    found = run(reader)
    assert found["ended", "mean"].status == "no_data"
    assert found["ended", "mean"].reason.startswith("no value since ")
    assert found["ancient", "mean"].reason == "no value in the last 28 days"


def test_a_series_of_the_catalogue_that_is_gone_is_no_target_any_more(reader: MemoryReader) -> None:
    add(reader, 'forewarn_gpu_utilization_ratio{gpu="0"}', np.ones(100), end_ms=NOW_MS - 2000 * HOUR_MS)
    assert list(make_forecasts(reader, NAIVE, [], NOW_MS)) == []


ODD = {
    "constant": np.full(200, 3.0),
    "zero": np.zeros(200),
    "huge": np.array([1e308, -1e308] * 100),
    "large": 1e300 * np.arange(1.0, 201.0),
    "tiny": 1e-300 * np.arange(1.0, 201.0),
    "step": np.concatenate([np.zeros(150), np.full(50, 1e12)]),
}


@pytest.mark.parametrize("kind", ["gauge", "fill"])
def test_odd_series_stop_nobody(reader: MemoryReader, kind: str) -> None:
    for name, values in ODD.items():
        add(reader, name, values)
    reader.add("two_points", [NOW_MS - 100 * HOUR_MS, NOW_MS - 2 * HOUR_MS], [1.0, 2.0])
    reader.add("not_a_number", [NOW_MS - 2 * HOUR_MS], [np.nan])
    add(reader, "good", np.tile(np.arange(24.0), 10))
    found = run(reader, ForecastSettings(), kind=kind, limit=10.0)
    assert len(found) == 2 * (len(ODD) + 3)
    for forecast in found.values():
        assert forecast.status == "ok" or forecast.reason
        if forecast.status == "ok":
            points = np.array([forecast.points[name] for name in ("p2.5", "p10", "mean", "p90", "p97.5")])
            assert np.isfinite(points).all()
            assert (np.diff(points, axis=0) >= 0).all()
    assert found["good", "mean"].status == found["constant", "max"].status == "ok"
    np.testing.assert_allclose(found["constant", "mean"].points["mean"], 3.0, rtol=1e-6)
    assert found["two_points", "mean"].status == "not_enough_history"


class BrokenReader(MemoryReader):
    """A store of which one series cannot be read."""

    def rollup(self, series_id: int, *window: int):  # type: ignore[no-untyped-def]  # noqa: ANN201
        if series_id == 0:
            raise OSError("disk error")
        return super().rollup(series_id, *window)


def test_a_series_that_cannot_be_read_fails_alone() -> None:
    reader = BrokenReader()
    add(reader, "broken", np.ones(100))
    add(reader, "good", np.ones(100))
    found = run(reader)
    assert (found["broken", "mean"].status, found["broken", "mean"].reason) == ("failed", "OSError: disk error")
    assert found["good", "mean"].status == "ok"


def test_the_deadline_makes_the_rest_cheap(reader: MemoryReader) -> None:
    for name in ("a", "b"):
        add(reader, name, np.random.default_rng(1).random(24 * 8))
    found = run(reader, ForecastSettings(deadline=5, model="prophet"), FrozenClock(leap=1.5))
    assert sorted(forecast.model for forecast in found.values()) == ["prophet", "prophet", "snaive24", "snaive24"]
    late = next(forecast for forecast in found.values() if forecast.model == "snaive24")
    assert late.reason == "the run's 5 s were used up"
    assert late.prophet is not None, "what was there in time stays"


def test_a_run_that_is_late_asks_neither_the_combiner_nor_prophet(reader: MemoryReader) -> None:
    add(reader, "a", np.random.default_rng(1).random(24 * 8))
    found = run(reader, ForecastSettings(deadline=5), FrozenClock(leap=6))
    assert {(one.model, one.prophet, one.reason) for one in found.values()} == {
        ("snaive24", None, "the run's 5 s were used up")
    }


def test_progress_and_order(reader: MemoryReader) -> None:
    for name in "abc":
        add(reader, name, np.ones(30))
    seen: list[tuple[int, int]] = []
    rows = [TargetSettings(match='{__name__=~".+"}')]
    made = list(make_forecasts(reader, NAIVE, rows, NOW_MS, lambda done, total: seen.append((done, total))))
    assert seen == [(done, 6) for done in range(7)]
    assert len({(str(one.target), one.statistic) for one in made}) == 6


def test_nothing_after_the_moment_asked_for_is_looked_at(reader: MemoryReader) -> None:
    add(reader, "queue", np.arange(300.0), end_ms=NOW_MS + 100 * HOUR_MS)
    forecast = run(reader)["queue", "mean"]
    np.testing.assert_allclose(forecast.points["mean"][:24], np.arange(176.0, 200.0))


def test_real_series(real_reader: MemoryReader, real_series: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Forecasts of real series, three days before their end, against what came."""
    inside, near = [], []
    for name, (times, values) in real_series.items():
        as_of_ms = int(times[-1]) - 72 * HOUR_MS
        row = TargetSettings(match=f'forewarn_imported_value{{series="{name}"}}')
        for forecast in make_forecasts(real_reader, ForecastSettings(), [row], as_of_ms):
            assert (forecast.status, forecast.model) == ("ok", "combiner"), forecast.reason
            assert forecast.prophet is not None
            if forecast.statistic != "mean":
                continue
            hours = [
                values[(times >= begin) & (times < begin + HOUR_MS)].mean()
                for begin in range(forecast.start_ms, forecast.start_ms + 71 * HOUR_MS, HOUR_MS)
            ]
            low, high = np.array(forecast.points["p2.5"][:71]), np.array(forecast.points["p97.5"][:71])
            inside.append(np.mean((hours >= low) & (hours <= high)))
            past = values[times < as_of_ms]
            near.append(np.abs(np.array(hours) - forecast.points["mean"][:71]).mean() < 2 * past.std())
    assert len(inside) == len(real_series) == 5
    assert np.mean(inside) > 0.5
    assert sum(near) >= 4, "one of them ends in a failure that nobody could foresee"
