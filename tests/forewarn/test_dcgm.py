"""With the switch on, what NVIDIA's Grafana dashboard 12239 asks is answered as dcgm-exporter's page would be."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.store.query.reader import StoreReader
from tests.support.daemon import RunningDaemon, running
from tests.support.nvml import FakeNvml, shared_fake
from tests.support.prometheus import Prometheus, prometheus

pytestmark = pytest.mark.prometheus

CONFIG = '[collector]\ninterval = 1\n[metrics]\ndcgm = true\n[alerts]\nhostname = "gpu-node-1"\n'
SELECTED = '{{instance=~"{instance}", gpu=~"{gpu}"}}'
PANELS = {
    "GPU Temperature": "DCGM_FI_DEV_GPU_TEMP" + SELECTED,
    "GPU Avg. Temp": "avg(DCGM_FI_DEV_GPU_TEMP" + SELECTED + ")",
    "GPU Power Usage": "DCGM_FI_DEV_POWER_USAGE" + SELECTED,
    "GPU Power Total": "sum(DCGM_FI_DEV_POWER_USAGE" + SELECTED + ")",
    "GPU SM Clocks": "DCGM_FI_DEV_SM_CLOCK" + SELECTED + " * 1000000",
    "GPU Utilization": "DCGM_FI_DEV_GPU_UTIL" + SELECTED,
    "GPU Framebuffer Mem Used": "DCGM_FI_DEV_FB_USED" + SELECTED,
    "Tensor Core Utilization": "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE" + SELECTED,
}
OURS = {
    "DCGM_FI_DEV_GPU_TEMP": 'forewarn_gpu_temperature_celsius{sensor="core"}',
    "DCGM_FI_DEV_POWER_USAGE": "forewarn_gpu_power_watts",
    "DCGM_FI_DEV_SM_CLOCK": 'forewarn_gpu_clock_hertz{domain="sm"} / 1e6',
    "DCGM_FI_DEV_GPU_UTIL": "forewarn_gpu_utilization_ratio * 100",
    "DCGM_FI_DEV_FB_USED": "floor(forewarn_gpu_memory_used_bytes / 1048576)",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": "forewarn_gpu_tensor_activity_ratio",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dcgm")


@pytest.fixture(scope="module")
def daemon(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    nvml = FakeNvml(folder / "nvml.state", shared_fake(tmp_path_factory))
    nvml.set_gpus(8)
    with running(folder / "data", config=CONFIG, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: sum("DCGM_FI_PROF_PCIE_TX_BYTES{" in series for series in daemon.metrics()) == 8)
        yield daemon


@pytest.fixture(scope="module")
def scraper(daemon: RunningDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), daemon.url.removeprefix("http://")) as server:
        yield server


def lines(scraper: Prometheus, query: str, count: int) -> list[dict[str, Any]]:
    """What a query finds, once that is as much; a scrape that was late leaves a gap."""
    until = time.monotonic() + 60
    while len(found := scraper.query(query)["data"]["result"]) != count and time.monotonic() < until:
        time.sleep(0.3)
    return found


def label_values(scraper: Prometheus, label: str) -> str:
    """As Grafana fills a variable with "All"."""
    found = {one["metric"][label] for one in lines(scraper, "DCGM_FI_DEV_GPU_TEMP", 8)}
    return "(" + "|".join(sorted(found)) + ")"


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_has_its_lines(scraper: Prometheus, panel: str) -> None:
    variables = {label: label_values(scraper, label) for label in ("instance", "gpu")}
    query = PANELS[panel].format(**variables)
    assert not scraper.query(query).get("warnings")
    added_up = PANELS[panel].startswith(("avg", "sum"))
    result = lines(scraper, query, 1 if added_up else 8)
    if added_up:
        assert len(result) == 1
    else:
        assert sorted(one["metric"]["gpu"] for one in result) == [str(gpu) for gpu in range(8)]
    assert all(math.isfinite(float(one["value"][1])) for one in result)


def test_one_gpu_can_be_picked(scraper: Prometheus) -> None:
    query = PANELS["GPU Framebuffer Mem Used"].format(instance=label_values(scraper, "instance"), gpu="3")
    [line] = lines(scraper, query, 1)
    assert line["metric"]["device"] == "nvidia3"


@pytest.mark.timed
def test_labels_and_values_are_those_of_the_exporter(scraper: Prometheus) -> None:
    moment = time.time() - 0.5
    for theirs, ours in OURS.items():
        shown, meant = (
            {one["metric"]["gpu"]: one for one in scraper.query(query, time=moment)["data"]["result"]}
            for query in (theirs, ours)
        )
        assert len(shown) == len(meant) == 8, theirs
        for gpu, one in shown.items():
            labels = one["metric"]
            assert set(labels) == {
                *("__name__", "job", "instance", "gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname"),
                *("hostname", "DCGM_FI_DRIVER_VERSION"),
            }
            assert labels["UUID"].startswith("GPU-")
            assert labels["hostname"] == labels["Hostname"] == "gpu-node-1"
            assert float(one["value"][1]) == pytest.approx(float(meant[gpu]["value"][1]), abs=1e-4), theirs


def test_counters_still_have_rates_though_they_are_untyped(scraper: Prometheus) -> None:
    deadline = time.monotonic() + 120
    query = "rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[10s]) / 1000 > 0"
    while time.monotonic() < deadline and len(found := scraper.values(query)) < 8:
        time.sleep(0.5)
    assert len(found) == 8


def name_of(series: str) -> str:
    return series.partition("{")[0]


def test_it_is_shown_and_not_stored(daemon: RunningDaemon, folder: Path) -> None:
    daemon.wait_for(lambda: len({name for name in map(name_of, daemon.metrics()) if name.startswith("DCGM_FI_")}) == 25)
    reader = StoreReader(folder / "data" / "metrics.db")
    stored = {series.key.name for series in reader.series()}
    reader.close()
    assert "forewarn_gpu_up" in stored
    assert not any(name.startswith("DCGM") for name in stored)
