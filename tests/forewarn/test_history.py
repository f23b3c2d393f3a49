"""forewarn backfill --from prometheus, as a person runs it: a new node forecasts on its first day."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from forewarn.base.clock import SystemClock
from forewarn.base.errors import UsageError
from forewarn.config import Config
from forewarn.datadir import DataDir
from forewarn.history import HistoryImport, Wish
from tests.support.daemon import forewarn, running
from tests.support.fleet import UUIDS, fleet
from tests.support.history_servers import HistoryServer, history_server
from tests.support.nvml import FakeNvml, shared_fake

pytestmark = pytest.mark.prometheus

DAYS = 8
CONFIG = '[alerts]\nhostname = "gpu-a"\n[[collector.endpoint]]\nurl = "http://127.0.0.1:8000/metrics"\nname = "llama"\n'
MEMORY = "forewarn_gpu_memory_used_bytes"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryServer]:
    recorded = fleet(time.time_ns() // 1_000_000 - 60_000, DAYS, scrape_ms=300_000)
    with history_server("victoria-metrics", tmp_path_factory.mktemp("history"), recorded) as found:
        yield found


def backfill(server: HistoryServer, *arguments: str) -> list[str]:
    return ["backfill", "--from", "prometheus", server.url, *arguments]


def test_a_new_node_forecasts_on_its_first_day(
    server: HistoryServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nvml = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    nvml.set_gpus(2)
    for gpu, uuid in enumerate(UUIDS["gpu-a"]):
        nvml.text("uuid", uuid, gpu)
    data = tmp_path / "data"
    with running(data, config=CONFIG, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: sum(f"{MEMORY}{{" in series for series in daemon.metrics()) == 2)
        where = ["--data-dir", str(data), "--config", str(data.with_name("data.toml")), "--json"]
        before = orjson.loads(forewarn("forecast", *where).stdout)
        assert not [each for each in before if each["target"].startswith(MEMORY) and each["status"] == "ok"]

        some = ["--match", 'job=~"dcgm|vllm"']
        loaded = forewarn(*backfill(server, *where, *some))
        assert loaded.returncode == 0, loaded.stderr
        report = orjson.loads(loaded.stdout)
        assert report["samples"] == report["new"] > 10_000
        assert report["scrape_seconds"] == {"DCGM": 300, "vllm": 300}
        assert report["step_seconds"] == [300]
        assert [node["name"] for node in report["other_nodes"]] == ["gpu-b"]
        again = orjson.loads(forewarn(*backfill(server, *where, *some)).stdout)
        assert (again["samples"], again["new"]) == (0, 0)

        series = daemon.get(f"/v1/series?match={MEMORY}")["series"]
        assert {(one["labels"]["gpu"], one["labels"]["uuid"]) for one in series} == set(
            zip("01", UUIDS["gpu-a"], strict=True)
        )
        made = orjson.loads(forewarn("forecast", *where, timeout=200).stdout)
        good = [each for each in made if each["target"].startswith(MEMORY) and each["statistic"] == "mean"]
        assert [each["status"] for each in good] == ["ok", "ok"], good
        assert all(len(each["points"]["mean"]) == 72 for each in good)
        waiting = [each for each in made if each["target"].startswith("forewarn_inference_requests_waiting")]
        assert waiting
        assert 'endpoint="llama"' in waiting[0]["target"]


def test_without_a_daemon_and_for_people(server: HistoryServer, tmp_path: Path) -> None:
    where = ["--data-dir", str(tmp_path / "data"), "--hostname", "gpu-b", "--since", "2d"]
    shown = forewarn(*backfill(server, *where, "--dry-run"))
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["DCGM_FI_DEV_FB_USED", MEMORY, "2"] in lines
    assert any(line[:1] == ["DCGM_FI_DEV_XID_ERROR"] and "last code" in " ".join(line) for line in lines)
    assert "10.0.0.2:9100" in shown.stderr
    assert "other nodes: gpu-a" in shown.stderr
    assert not (tmp_path / "data" / "metrics.db").exists()

    loaded = forewarn(*backfill(server, *where))
    assert loaded.returncode == 0, loaded.stderr
    assert "one every 300 s" in loaded.stdout
    again = forewarn(*backfill(server, *where))
    assert again.returncode == 0
    assert again.stdout.startswith("nothing new")


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"since": "yesterday"}, "--since"),
        ({"until": "2000-01-01"}, "--since is to lie before --until"),
        ({"until": "2999-01-01"}, "future"),
        ({"step": "1ms"}, "--step"),
        ({"step": "often"}, "--step"),
        ({"matches": ["job"]}, "--match"),
    ],
)
def test_a_wish_that_makes_no_sense_is_told_before_anything_is_asked(
    tmp_path: Path, wish: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        HistoryImport(Wish("http://127.0.0.1:1", **wish), Config(), DataDir(tmp_path), SystemClock())


def test_a_node_that_the_server_does_not_know_is_status_2(server: HistoryServer, tmp_path: Path) -> None:
    refused = forewarn(*backfill(server, "--data-dir", str(tmp_path / "data"), "--hostname", "nobody"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "gpu-a: 10.0.0.1:8000, 10.0.0.1:9100" in refused.stderr
    assert "--instance" in refused.stderr


def test_a_url_without_its_kind_and_options_of_the_other_kind(tmp_path: Path) -> None:
    assert "--from prometheus" in forewarn("backfill", "http://127.0.0.1:1").stderr
    assert "for files" in forewarn("backfill", "--from", "prometheus", "http://x", "--shift-to-now").stderr
    for header, says in (("X-Scope-OrgID llm", "no header"), ("Authorization: Bearer x", "bearer-token-file")):
        refused = forewarn("backfill", "--from", "prometheus", "http://127.0.0.1:1", "--header", header)
        assert refused.returncode == 2
        assert says in refused.stderr
    file = tmp_path / "h.csv"
    file.write_text("series,timestamp,value\n")
    refused = forewarn("backfill", str(file), "--since", "3d")
    assert refused.returncode == 2
    assert "--since is for a Prometheus" in refused.stderr
