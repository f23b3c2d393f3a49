"""Forecasts written back to real servers, and to ones that refuse."""

from pathlib import Path

import pytest
import urllib3

from collector.remote_write.settings import RemoteWriteSettings
from collector.series import Sample, SeriesKey
from forecast.fleet.service import kept
from forecast.fleet.writing import WriteError, Writer, fleet_samples
from forecast.metrics import samples
from forecast.results import Forecast
from forewarn.base.clock import HOUR, SystemClock
from tests.support.fleet_servers import BOTH, SERVERS
from tests.support.hourly import forecast
from tests.support.listener import listening
from tests.support.ports import free_port
from tests.support.receivers import VictoriaMetrics, started

NOW_MS = SystemClock().now_ms()
DISK = 'disk_used_bytes{instance="%s",job="node",hostname="%s",mountpoint="/data"}'


def of_now(key: str, **changes: object) -> Forecast:
    return forecast(key, start_ms=NOW_MS - NOW_MS % HOUR, made_ms=NOW_MS, as_of_ms=NOW_MS, **changes)


def writer(url: str, pauses: list[float] | None = None, **settings: object) -> Writer:
    waited = pauses if pauses is not None else []
    return Writer(RemoteWriteSettings.model_validate({"url": url, **settings}), sleep=waited.append)


@pytest.mark.parametrize("kind", BOTH)
def test_what_is_written_can_be_asked_for(kind: str, tmp_path: Path) -> None:
    made = [
        of_now(DISK % (f"10.0.0.{n}:9100", f"gpu-{n}"), statistic=which) for n in (1, 2) for which in ("mean", "max")
    ]
    with started(SERVERS[kind], tmp_path / "server") as server:
        found = list(fleet_samples(kept(made), NOW_MS))
        to = writer(server.url, batch_samples=50, labels={"fleet": "b1"})
        assert to.write(found, NOW_MS) == len(found) > 100
        to.close()
        if isinstance(server, VictoriaMetrics):
            urllib3.request("GET", f"{server.base}/internal/force_flush", timeout=60)
        held = server.samples()
    assert len(held) == len(found)
    key = SeriesKey.of(
        "forewarn_forecast_value",
        target='disk_used_bytes{mountpoint="/data"}',
        statistic="mean",
        point="p90",
        horizon="24h",
        mountpoint="/data",
        instance="10.0.0.2:9100",
        hostname="gpu-2",
        job="node",
        fleet="b1",
    )
    index = (NOW_MS + 24 * HOUR - made[2].start_ms) // HOUR
    assert held[key] == {NOW_MS: pytest.approx(made[2].points["p90"][index], rel=1e-10)}
    ages = [key for key in held if key.name == "forewarn_forecast_last_run_timestamp_seconds"]
    assert sorted(key.label("instance") for key in ages) == ["10.0.0.1:9100", "10.0.0.2:9100"]


def test_one_node_s_are_those_of_its_own_page() -> None:
    """But for the labels that a server adds when it scrapes, and those that the target holds."""
    node = {"instance": "10.0.0.1:9464", "hostname": "gpu-1"}
    own = of_now('forewarn_gpu_memory_used_bytes{gpu="0"}', kind="gauge", breach_ms=NOW_MS + HOUR)
    seen = of_now(str(own.target.with_labels(tuple(node.items()))), kind="gauge", breach_ms=NOW_MS + HOUR)
    theirs = {each.key.with_labels(tuple(node.items())): each.value for each in samples([own], NOW_MS)}
    ours = {without(each.key, "gpu"): each.value for each in fleet_samples([seen], NOW_MS)}
    assert ours == theirs


def without(key: SeriesKey, label: str) -> SeriesKey:
    return SeriesKey(key.name, tuple(pair for pair in key.labels if pair[0] != label))


def test_a_source_s_label_that_is_called_as_one_of_ours_is_exported() -> None:
    seen = of_now('x{target="theirs",instance="a",point="5"}')
    for sample in fleet_samples([seen], NOW_MS):
        if sample.key.name == "forewarn_forecast_value":
            assert sample.key.label("target") == 'x{point="5",target="theirs"}'
            assert (sample.key.label("exported_target"), sample.key.label("exported_point")) == ("theirs", "5")


def test_series_of_one_name_on_two_nodes_stay_two() -> None:
    made = [of_now('x{instance="a"}'), of_now('x{instance="b"}'), of_now("x")]
    keys = [sample.key for sample in fleet_samples(made, NOW_MS)]
    assert len(keys) == len(set(keys))
    values = [key for key in keys if key.name == "forewarn_forecast_value"]
    assert {key.label("instance") for key in values} == {"a", "b", ""}
    assert {key.label("target") for key in values} == {"x"}


ONE = [Sample(SeriesKey("x"), 1.0)]


def test_a_receiver_that_is_away_for_a_while_is_asked_again() -> None:
    pauses: list[float] = []
    with listening(204, 503, (429, {"Retry-After": "7"})) as listener:
        assert writer(listener.url, pauses).write(ONE, NOW_MS) == 1
    assert len(listener.requests) == 3
    assert pauses == [1.0, 7.0]


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "remote_write"), (404, "--web.enable-remote-write-receiver"), (400, None)]
)
def test_a_receiver_that_refuses_is_asked_once(status: int, hint: str | None) -> None:
    with listening(status) as listener, pytest.raises(WriteError, match=rf"takes no forecasts \({status}\)") as error:
        writer(listener.url).write(ONE, NOW_MS)
    assert len(listener.requests) == 1
    assert hint is None or hint in (error.value.hint or "")


def test_nobody_is_there() -> None:
    pauses: list[float] = []
    with pytest.raises(WriteError, match="takes no forecasts"):
        writer(f"http://127.0.0.1:{free_port()}/api/v1/write", pauses).write(ONE, NOW_MS)
    assert pauses == [1.0, 2.0, 4.0, 8.0]
