"""Hourly histories from real servers, beside those of the store."""

from pathlib import Path

import numpy as np
import pytest

from collector.history.prometheus import Line, Prometheus
from collector.series import parse_selector
from collector.store import StoreReader
from forecast.fleet.processes import Processes
from forecast.fleet.reading import FleetReader
from forecast.fleet.run import forecast_fleet
from forecast.fleet.wanted import Wanted, of_catalogue
from forecast.prepare import History, read_history
from forecast.results import Forecast
from forecast.run import forecast_targets, make_forecasts
from forecast.settings import ForecastSettings, TargetSettings
from forecast.targets import Target, find_targets
from forewarn.base.clock import DAY, HOUR
from forewarn.base.errors import UsageError
from tests.forecast.fleet.conftest import DAYS, NOW_MS, node
from tests.support.fleet_servers import fleet_server, record
from tests.support.history_servers import series
from tests.support.receivers import Receiver, VictoriaMetrics, started

SETTINGS = ForecastSettings()
HISTORY_MS = round(SETTINGS.history * 1000)
AS_OF_MS = NOW_MS + 10 * 60_000


def looked(server: Receiver, selector: str, **more: object) -> FleetReader:
    wanted = Wanted(parse_selector(selector), **more)  # type: ignore[arg-type]
    return FleetReader(Prometheus(server.base), [wanted], AS_OF_MS, HISTORY_MS)


def histories(found: FleetReader) -> dict[tuple[str, str], History]:
    read: dict[tuple[str, str], History] = {}
    for part in found.parts():
        for target in part.targets:
            history = read_history(part.reader, target, AS_OF_MS, HISTORY_MS)
            assert history is not None
            read[str(target.key), target.statistic] = history
    return read


def stored_histories(store: StoreReader, **row: object) -> dict[tuple[str, str], History]:
    rows = [TargetSettings.model_validate(row)]
    found = {}
    for target in find_targets(store, rows, AS_OF_MS):
        history = read_history(store, target, AS_OF_MS, HISTORY_MS)
        assert history is not None
        found[str(target.key), target.statistic] = history
    return found


def assert_alike(ours: dict[tuple[str, str], History], stored: dict[tuple[str, str], History], rtol: float) -> None:
    assert list(ours) == list(stored)
    for name, history in stored.items():
        assert (ours[name].start_ms, ours[name].hours) == (history.start_ms, history.hours)
        np.testing.assert_allclose(ours[name].values, history.values, rtol=rtol, err_msg=str(name))


@pytest.mark.parametrize("below", [False, True])
def test_gauges_are_those_of_the_store(server: Receiver, store: StoreReader, below: bool) -> None:  # noqa: FBT001
    ours = histories(looked(server, "queue_length", below=below))
    assert_alike(ours, stored_histories(store, match="queue_length", below=below), 1e-10)
    assert {statistic for _, statistic in ours} == {"mean", "min" if below else "max"}
    with_gap = next(history for (key, _), history in ours.items() if "10.0.0.3" in key)
    assert np.isnan(with_gap.values).sum() == 10


def test_counters_are_rates(server: Receiver, store: StoreReader) -> None:
    """Prometheus extrapolates growth to the ends of its windows, and one window around each reset is off."""
    ours = histories(looked(server, "requests_total"))
    stored = stored_histories(store, match="requests_total")
    assert list(ours) == list(stored)
    for name, history in stored.items():
        ratio = ours[name].values[1:] / history.values[1:]
        assert abs(np.median(ratio) - 1) < 0.01, name
        assert np.mean(np.abs(ratio - 1) < 0.15) > 0.97, name


def test_forecasts_are_those_of_the_store(server: Receiver, store: StoreReader) -> None:
    row = TargetSettings(match="queue_length", limit=75.0)
    stored = {each_name(each): each for each in make_forecasts(store, SETTINGS, [row], AS_OF_MS)}
    ours = [
        each
        for part in looked(server, "queue_length", limit=75.0).parts()
        for each in forecast_targets(part.reader, SETTINGS, part.targets, AS_OF_MS)
    ]
    assert len(ours) == len(stored) == 6
    for each in ours:
        like = stored[each_name(each)]
        assert (
            (each.status, each.model, each.limit) == (like.status, like.model, like.limit) == ("ok", "combiner", 75.0)
        )
        for point, values in like.points.items():
            np.testing.assert_allclose(each.points[point], values, rtol=1e-8, err_msg=f"{each_name(each)} {point}")
        assert each.outlook == like.outlook


def each_name(forecast: Forecast) -> tuple[str, str]:
    return str(forecast.target), forecast.statistic


def test_what_fills_has_the_limit_that_a_query_gives(server: Receiver) -> None:
    query = "node_filesystem_size_bytes * 0.05"
    found = looked(server, "node_filesystem_avail_bytes", limit_query=query, below=True, kind="fill")
    targets = [target for part in found.parts() for target in part.targets]
    assert [(target.key.label("instance"), target.limit) for target in targets[::2]] == [
        ("10.0.0.1:9100", pytest.approx(0.05 * (200e9 + 1))),
        ("10.0.0.2:9100", pytest.approx(0.05 * (200e9 + 2))),
    ]
    assert {(target.kind, target.unit, target.statistic) for target in targets} == {
        ("fill", "bytes", "mean"),
        ("fill", "bytes", "min"),
    }


def test_nan_infinity_and_the_mark_of_an_end_are_no_values(server: Receiver) -> None:
    read = histories(looked(server, "odd"))
    cases = {(key.split('"')[1], statistic) for key, statistic in read}
    assert cases == {(case, statistic) for case in ("broken", "ended", "young") for statistic in ("mean", "max")}
    broken = read['odd{case="broken"}', "mean"]
    assert np.flatnonzero(np.isnan(broken.values)).tolist() in ([DAYS * 24 - 7, DAYS * 24 - 5], [DAYS * 24 - 7])
    assert np.isfinite(broken.values[-4:]).all()
    ended = read['odd{case="ended"}', "mean"]
    assert np.isnan(ended.values[-1])
    assert np.isfinite(ended.values[:-1]).all()
    assert read['odd{case="young"}', "mean"].hours == pytest.approx(3 + 10 / 60)


def test_a_limit_that_no_series_has(server: Receiver) -> None:
    with pytest.raises(UsageError, match="answers no_such_size with nothing"):
        list(looked(server, "queue_length", limit_query="no_such_size").parts())


def test_a_selector_that_fits_nothing(server: Receiver) -> None:
    with pytest.raises(UsageError, match=r'has no series like \{__name__="no_such_series"\} with samples on the day'):
        looked(server, "no_such_series")
    with pytest.raises(UsageError, match="no node's Forewarn writes to"):
        FleetReader(Prometheus(server.base), of_catalogue(), AS_OF_MS, HISTORY_MS)


def test_what_was_written_back_is_not_forecast(server: Receiver) -> None:
    with pytest.raises(UsageError, match="has no series like"):
        looked(server, '{__name__=~"forewarn_.+"}')


def test_a_series_belongs_to_the_first_row_that_names_it(server: Receiver) -> None:
    rows = [
        Wanted(parse_selector('queue_length{instance="10.0.0.2:9100"}'), limit=1.0),
        Wanted(parse_selector('{__name__=~"queue_length|requests_total"}'), limit=2.0),
    ]
    found = FleetReader(Prometheus(server.base), rows, AS_OF_MS, HISTORY_MS)
    targets: list[Target] = [target for part in found.parts() for target in part.targets]
    assert [(target.key.name, target.key.label("instance"), target.limit) for target in targets[::2]] == [
        ("queue_length", "10.0.0.2:9100", 1.0),
        ("queue_length", "10.0.0.1:9100", 2.0),
        ("queue_length", "10.0.0.3:9100", 2.0),
        ("requests_total", "10.0.0.1:9100", 2.0),
    ]


def test_nothing_after_the_moment_asked_for_is_looked_at(server: Receiver) -> None:
    wanted = [Wanted(parse_selector("queue_length"))]
    earlier_ms = AS_OF_MS - 24 * HOUR
    found = FleetReader(Prometheus(server.base), wanted, earlier_ms, HISTORY_MS)
    whole = histories(looked(server, "queue_length"))
    for part in found.parts():
        for target in part.targets:
            history = read_history(part.reader, target, earlier_ms, HISTORY_MS)
            assert history is not None
            np.testing.assert_array_equal(
                history.values, whole[str(target.key), target.statistic].values[: history.values.size]
            )


class Counting(Prometheus):
    """Counts what comes back."""

    lines = 0
    most_points = 0
    requests = 0

    def range(self, expression: str, start_ms: int, end_ms: int, step_ms: int) -> list[Line]:
        found = super().range(expression, start_ms, end_ms, step_ms)
        self.lines += len(found)
        self.requests += 1
        self.most_points = max(self.most_points, sum(len(line.values) for line in found))
        return found


@pytest.mark.slow
@pytest.mark.victoriametrics
def test_five_thousand_series_are_read_a_part_at_a_time(tmp_path: Path) -> None:
    """Whatever tells them apart: here one label of each, and an unlucky mix of others."""
    times = np.arange(NOW_MS - 30 * HOUR, NOW_MS, HOUR, dtype=np.int64) + 60_000
    recorded = {
        series("many", {"pod": f"pod-{n:04d}", **node(n % 7), **({"zone": str(n % 3)} if n % 5 else {})}): (
            times,
            np.full(len(times), float(n)),
        )
        for n in range(5000)
    }
    with fleet_server("victoria-metrics", tmp_path, recorded) as server:
        counting = Counting(server.base)
        found = FleetReader(counting, [Wanted(parse_selector("many"))], AS_OF_MS, HISTORY_MS)
        assert found.count == 5000
        seen: dict[str, float] = {}
        for part in found.parts():
            assert part.asked <= 64
            seen |= {str(target.key): part.reader.mean[row // 2, -1] for row, target in enumerate(part.targets)}
    assert seen == {str(key): values[0] for key, (_, values) in recorded.items()}
    assert counting.lines == 2 * 5000, "each is asked for once"
    assert counting.most_points <= 64 * 30


class SmallVictoria(VictoriaMetrics):
    """It gives 200 points of a series at a time."""

    def command(self) -> list[str]:
        return [*super().command(), "-search.maxPointsPerTimeseries=200"]


@pytest.mark.victoriametrics
def test_a_server_that_gives_little_is_asked_for_less_at_a_time(tmp_path: Path) -> None:
    times = np.arange(NOW_MS - 20 * DAY, NOW_MS, HOUR, dtype=np.int64) + 60_000
    with started(SmallVictoria, tmp_path / "small") as server:
        record(server, {series("x", {}): (times, np.arange(480.0))})
        counting = Counting(server.base)
        found = FleetReader(counting, [Wanted(parse_selector("x"))], AS_OF_MS, HISTORY_MS)
        (part,) = found.parts()
    np.testing.assert_array_equal(part.reader.mean[0, -480:], np.arange(480.0))
    assert counting.most_points <= 200
    assert 2 * 4 <= counting.requests <= 2 * 6


def test_forecasts_come_in_order_and_progress_is_told(server: Receiver) -> None:
    rows = [Wanted(parse_selector("queue_length"), limit=75.0), Wanted(parse_selector("requests_total"))]
    found = FleetReader(Prometheus(server.base), rows, AS_OF_MS, HISTORY_MS)
    told: list[tuple[int, int]] = []
    with Processes(2) as spread:
        made = list(
            forecast_fleet(
                found, SETTINGS, spread, made_ms=NOW_MS, progress=lambda done, total: told.append((done, total))
            )
        )
    assert [(each.target.name, each.target.label("instance"), each.statistic) for each in made] == [
        (name, f"10.0.0.{number}:9100", statistic)
        for name, numbers in (("queue_length", (1, 2, 3)), ("requests_total", (1,)))
        for number in numbers
        for statistic in ("mean", "max")
    ]
    assert told == [(3, 4), (4, 4)]
    assert {each.made_ms for each in made} == {NOW_MS}
    assert made[-1].unit == "/s"
