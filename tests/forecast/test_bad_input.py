"""Series as they should not be, each beside a good one: through a real store as the daemon runs, and as a CSV file."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from forecast.results import Forecast
from forecast.run import make_forecasts
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base.clock import DAY, HOUR, MINUTE
from tests.support.daemon import forewarn
from tests.support.set_clock import SetClock

NOW_MS = int(datetime(2024, 11, 1, 12, tzinfo=UTC).timestamp() * 1000)
"""Five days after Berlin set its clocks back."""
BERLIN = ZoneInfo("Europe/Berlin")
STEP = 30 * MINUTE
KINDS = ("gauge", "fill", "allocation")
POINTS = ("p2.5", "p10", "mean", "p90", "p97.5")
QUANTILES = ("q025", "q10", "q50", "q90", "q975")


@dataclass(frozen=True)
class Samples:
    """Of one series, in the order in which they come."""

    times: np.ndarray
    values: np.ndarray
    counter: bool = False


def every(step: int, days: float, end_ms: int = NOW_MS) -> np.ndarray:
    return np.arange(end_ms - round(days * DAY), end_ms, step, dtype=np.int64)


def wave(times: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 1, times.size)
    return 50 + 20 * np.sin(2 * np.pi * (times % DAY) / DAY) + noise


def good() -> Samples:
    times = every(STEP, 20)
    return Samples(times, wave(times))


def gaps() -> Samples:
    times = every(STEP, 20)
    day = (times - times[0]) / DAY
    kept = (np.random.default_rng(2).random(times.size) < 0.3) & ~((day > 8) & (day < 13))
    return Samples(times[kept], wave(times)[kept])


def duplicates() -> Samples:
    times = np.repeat(every(STEP, 20), 2)
    return Samples(times, np.where(np.arange(times.size) % 2, wave(times), 1e6))


def not_a_number() -> Samples:
    times = every(STEP, 20)
    values = wave(times)
    values[::3], values[1::9], values[2::11] = np.nan, np.inf, -np.inf
    return Samples(times, values)


def nothing_but_nan() -> Samples:
    times = every(STEP, 20)
    return Samples(times, np.full(times.size, np.nan))


def negative_counter() -> Samples:
    """It falls below zero, is reset again and again, and goes backwards."""
    times = every(STEP, 20)
    steps = np.random.default_rng(3).integers(-40, 60, times.size)
    return Samples(times, np.cumsum(steps) % 5000 - 2500.0, counter=True)


def constant() -> Samples:
    times = every(STEP, 20)
    return Samples(times, np.full(times.size, 7.0))


def two_points() -> Samples:
    return Samples(np.array([NOW_MS - 30 * HOUR, NOW_MS - 2 * HOUR]), np.array([1.0, 2.0]))


def ten_years() -> Samples:
    times = every(HOUR, 3652)
    return Samples(times, wave(times) + (times - times[0]) / DAY / 100)


def clock_jumps() -> Samples:
    """The clock is set back five hours, later a day ahead for an hour and right again, and at the end into 2036."""
    times = every(STEP, 20)
    told = times.copy()
    told[300:310] -= 5 * HOUR
    told[500:502] += DAY
    told[-3:] += 4000 * DAY
    return Samples(told, wave(times))


def daylight_saving() -> Samples:
    """Busy from nine to five in Berlin, whose clocks were set back five days ago."""
    times = every(STEP, 20)
    hours = np.array([datetime.fromtimestamp(time / 1000, BERLIN).hour for time in times])
    return Samples(times, np.where((hours >= 9) & (hours < 17), 80.0, 20.0) + wave(times) / 50)


BAD: dict[str, Callable[[], Samples]] = {
    made.__name__: made
    for made in (
        gaps,
        duplicates,
        not_a_number,
        nothing_but_nan,
        negative_counter,
        constant,
        two_points,
        ten_years,
        clock_jumps,
        daylight_saving,
    )
}
Found = dict[tuple[str, str], Forecast]


def stored(path: Path, series: dict[str, Samples]) -> Path:
    """A store as a daemon would have written it, with the clock that it had."""
    clock = SetClock(NOW_MS - DAY)
    store = Store.open(path, StoreSettings(), clock)
    for name, samples in series.items():
        key = SeriesKey.parse(name)
        if name == "clock_jumps":
            for time, value in zip(samples.times.tolist(), samples.values.tolist(), strict=True):
                clock.wall_ms = time
                store.append(Scrape(time, [Sample(key, value)]))
            clock.wall_ms = NOW_MS - DAY
        else:
            store.append_history(key, samples.times, samples.values, counter=samples.counter)
    clock.wall_ms = NOW_MS
    while store.compact():
        pass
    store.close()
    return path


def run(path: Path, kind: str) -> Found:
    rows = [TargetSettings.model_validate({"match": '{__name__=~".+"}', "kind": kind, "limit": 75.0})]
    reader = StoreReader(path)
    try:
        made = list(make_forecasts(reader, ForecastSettings(), rows, NOW_MS))
    finally:
        reader.close()
    return {(one.target.name, one.statistic): one for one in made}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Found]:
    """By kind the forecasts of all series, good and bad, made in one run."""
    path = stored(folder / "all.db", {"good": good(), **{name: made() for name, made in BAD.items()}})
    return {kind: run(path, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Found]:
    """By kind the forecasts of the good series when there is no other."""
    path = stored(folder / "good.db", {"good": good()})
    return {kind: run(path, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_series_is_forecast_as_if_it_were_alone(
    runs: dict[str, Found], alone: dict[str, Found], kind: str
) -> None:
    for statistic in ("mean", "max"):
        ours, its_own = runs[kind]["good", statistic], alone[kind]["good", statistic]
        assert (ours.status, ours.model, ours.reason) == (its_own.status, its_own.model, its_own.reason)
        assert ours.status == "ok"
        for name in POINTS:
            np.testing.assert_allclose(ours.points[name], its_own.points[name], rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BAD)
def test_a_bad_series_has_a_forecast_or_a_reason(runs: dict[str, Found], name: str, kind: str) -> None:
    found = [one for (series, _), one in runs[kind].items() if series == name]
    assert len(found) == (0 if name == "nothing_but_nan" else 2), "nothing is kept of a series that has no number"
    for forecast in found:
        assert forecast.status != "failed", forecast.reason
        if forecast.status == "ok":
            points = np.array([forecast.points[point] for point in POINTS])
            assert np.isfinite(points).all()
            assert (np.diff(points, axis=0) >= 0).all()
            chance = forecast.chance
            assert chance is None or min(chance.curve) >= 0
            assert chance is None or (np.diff(chance.curve) >= 0).all()
        else:
            assert forecast.reason
    if name not in {"two_points", "nothing_but_nan"}:
        assert {forecast.status for forecast in found} == {"ok"}


def level(runs: dict[str, Found], name: str, statistic: str = "mean") -> np.ndarray:
    return np.array(runs["gauge"][name, statistic].points["mean"])


def test_gaps_keep_the_shape_of_the_day(runs: dict[str, Found]) -> None:
    assert np.corrcoef(level(runs, "gaps"), level(runs, "good"))[0, 1] > 0.8


def test_of_samples_at_one_time_the_last_one_counts(runs: dict[str, Found]) -> None:
    for statistic in ("mean", "max"):
        assert level(runs, "duplicates", statistic).max() < 100


def test_what_is_no_number_is_missing(runs: dict[str, Found]) -> None:
    assert np.corrcoef(level(runs, "not_a_number"), level(runs, "good"))[0, 1] > 0.9


def test_a_counter_that_goes_backwards_is_a_rate_and_not_a_negative_one(runs: dict[str, Found]) -> None:
    forecast = runs["gauge"]["negative_counter", "mean"]
    assert forecast.unit == "/s"
    assert min(forecast.points["p2.5"]) >= 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_goes_on(runs: dict[str, Found], kind: str) -> None:
    for statistic in ("mean", "max"):
        np.testing.assert_allclose(runs[kind]["constant", statistic].points["mean"], 7.0, rtol=1e-6)


def test_two_points_are_too_few_and_that_is_said(runs: dict[str, Found]) -> None:
    forecast = runs["gauge"]["two_points", "mean"]
    assert (forecast.status, forecast.reason) == ("not_enough_history", "only 2 hours have a value, 12 are needed")


def test_of_ten_years_the_last_weeks_count(runs: dict[str, Found]) -> None:
    forecast = runs["gauge"]["ten_years", "mean"]
    assert forecast.history_hours <= 28 * 24
    assert 60 < np.mean(forecast.points["mean"]) < 110, "the level that it has now"


def test_samples_from_a_wrong_clock_do_not_count_as_the_future(runs: dict[str, Found]) -> None:
    assert runs["gauge"]["clock_jumps", "mean"].status == "ok"
    assert np.corrcoef(level(runs, "clock_jumps"), level(runs, "good"))[0, 1] > 0.8


def test_five_days_after_the_clocks_were_set_back_the_day_begins_an_hour_later(runs: dict[str, Found]) -> None:
    forecast = runs["gauge"]["daylight_saving", "mean"]
    times = forecast.start_ms + HOUR * np.arange(72)
    busy = np.array(forecast.points["mean"]) > 50
    hours = (times // HOUR) % 24
    assert set(hours[busy]) == set(range(8, 16)), "nine to five in Berlin is eight to four in winter"


def written(path: Path, series: dict[str, Samples]) -> Path:
    """A CSV file; of the series of local time its stamps carry the offset that Berlin had."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("series", "timestamp", "value"))
        for name, samples in series.items():
            zone = BERLIN if name == "daylight_saving" else UTC
            for time, value in zip(samples.times.tolist(), samples.values.tolist(), strict=True):
                stamp = datetime.fromtimestamp(time / 1000, zone).isoformat()
                writer.writerow((name, stamp, "" if value == np.inf else repr(value)))
    return path


def asked(file: Path, names: list[str], kind: str) -> tuple[dict[str, np.ndarray], list[dict[str, str]]]:
    """By series the quantiles of the last origin, [72, 5], and all breaches."""
    folder = file.parent
    origin = datetime.fromtimestamp(NOW_MS / 1000, UTC).isoformat()
    lines = [f"{name},{origin},{threshold}" for name in names for threshold in (40, 75, 1000)]
    (folder / "origins.csv").write_text("series,origin,threshold\n" + "\n".join(lines) + "\n")
    outputs = ("--forecasts", str(folder / "out.csv"), "--breaches", str(folder / "breaches.csv"))
    done = forewarn("backtest", str(file), "--origins", str(folder / "origins.csv"), "--kind", kind, *outputs)
    assert done.returncode == 0, done.stderr
    with (folder / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "breaches.csv").open() as stream:
        breaches = list(csv.DictReader(stream))
    found: dict[str, list[list[float]]] = {}
    for row in rows:
        found.setdefault(row["series"], []).append([float(row[name]) for name in QUANTILES])
    return {name: np.array(values) for name, values in found.items()}, breaches


FILE = {name: made for name, made in BAD.items() if name != "nothing_but_nan"}


@pytest.mark.parametrize("kind", ["auto", "fill"])
def test_a_file_with_bad_series_is_answered_whole(folder: Path, kind: str) -> None:
    names = ["good", *FILE]
    file = written(folder / "all.csv", {"good": good(), **{name: made() for name, made in BAD.items()}})
    found, breaches = asked(file, names, kind)
    assert sorted(found) == sorted(names)
    for name, quantiles in found.items():
        assert quantiles.shape == (72, 5), name
        assert np.isfinite(quantiles).all(), name
        assert (np.diff(quantiles, axis=1) >= 0).all(), name
    chances = np.array([[float(row[column]) for column in ("p24", "p48", "p72")] for row in breaches])
    assert len(chances) == 3 * len(names)
    assert (np.diff(chances, axis=1) >= 0).all()
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_allclose(found["constant"], 7.0, rtol=1e-4)
    alone, _ = asked(written(folder / "good.csv", {"good": good()}), ["good"], kind)
    np.testing.assert_allclose(found["good"][:, 2], alone["good"][:, 2], rtol=1e-4)
    width = np.diff(alone["good"][:, [0, 4]], axis=1)
    assert (np.abs(found["good"] - alone["good"]) < 0.2 * width).all(), (
        "bands learn from all series of a file, a little"
    )
    if kind != "fill":
        hours = (NOW_MS // HOUR + np.arange(72)) % 24
        assert set(hours[found["daylight_saving"][:, 2] > 50]) == set(range(8, 16))


def test_a_series_of_which_nothing_is_a_number_is_named(folder: Path) -> None:
    file = written(folder / "nan.csv", {"good": good(), "nothing_but_nan": nothing_but_nan()})
    done = forewarn("backtest", str(file), "--origins", "2")
    assert done.returncode == 0, done.stderr
    assert "2 windows of 1 series" in done.stderr
