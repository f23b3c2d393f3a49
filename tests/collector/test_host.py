import time
from typing import NamedTuple

import psutil
import pytest

from collector.catalogue import metric_of_sample
from collector.samplers.host import Host, cpu_seconds
from collector.series import Sample
from collector.settings import HostSettings


class Times(NamedTuple):
    """As psutil gives them; the kernel adds guest to user."""

    user: float = 10
    nice: float = 1
    system: float = 4
    idle: float = 78
    iowait: float = 5
    guest: float = 2


def work(seconds: float) -> None:
    """Keep one processor busy."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def two_rounds(settings: HostSettings, between: float = 0.05) -> tuple[list[Sample], list[Sample]]:
    source = Host(settings, patience=5)
    first = list(await source.collect())
    work(between)
    second = list(await source.collect())
    await source.close()
    return first, second


def value(samples: list[Sample], name: str) -> float:
    (sample,) = [sample for sample in samples if sample.key.name == name]
    return sample.value


async def test_every_sample_is_in_the_catalogue_with_its_labels_and_type() -> None:
    _, samples = await two_rounds(HostSettings(ignore_interfaces=(), ignore_devices=()))
    for sample in samples:
        metric = metric_of_sample(sample.key.name)
        assert metric is not None, sample.key
        assert tuple(name for name, _ in sample.key.labels) == metric.labels
        assert sample.counter == (metric.type == "counter")
    assert len({sample.key for sample in samples}) == len(samples)


async def test_utilisation_needs_two_rounds_and_sees_work() -> None:
    first, second = await two_rounds(HostSettings(), between=0.5)
    assert "forewarn_node_cpu_utilization_ratio" not in {sample.key.name for sample in first}
    # One processor was busy: 1 / n of all, of which at least half must be seen.
    assert 0.5 / value(second, "forewarn_node_cpus") < value(second, "forewarn_node_cpu_utilization_ratio") <= 1


def test_neither_idling_nor_waiting_for_a_disk_is_work_and_guests_count_once() -> None:
    assert cpu_seconds(Times()) == (15, 98)


async def test_memory_is_what_the_kernel_says() -> None:
    _, samples = await two_rounds(HostSettings())
    assert value(samples, "forewarn_node_memory_total_bytes") == psutil.virtual_memory().total
    available = value(samples, "forewarn_node_memory_available_bytes")
    assert available == pytest.approx(psutil.virtual_memory().available, rel=0.2)


async def test_interfaces_and_what_is_left_out() -> None:
    _, every = await two_rounds(HostSettings(ignore_interfaces=()))
    _, some = await two_rounds(HostSettings(ignore_interfaces=("l?",)))
    name = "forewarn_node_network_receive_bytes_total"
    devices = {sample.key.label("device") for sample in every if sample.key.name == name}
    assert devices == set(psutil.net_io_counters(pernic=True))
    left = {sample.key.label("device") for sample in some if sample.key.name == name}
    assert devices - left == {"lo"}


async def test_parts_can_be_switched_off() -> None:
    off = {"cpu": False, "disks": False, "network": False}
    _, samples = await two_rounds(HostSettings.model_validate(off))
    assert {sample.key.name for sample in samples} == {
        "forewarn_node_memory_available_bytes",
        "forewarn_node_memory_total_bytes",
    }
