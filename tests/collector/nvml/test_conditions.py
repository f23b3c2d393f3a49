"""Conditions begin and end in words, once each."""

import logging

import pytest

from collector.nvml.health.conditions import EVIDENCE, IDLE_SECONDS, Conditions, Evidence, Place, of_missing
from collector.nvml.health.diagnosis import DIAGNOSES
from collector.nvml.health.expected import KnownGpu
from collector.series import SeriesKey
from tests.support.hand_clock import HandClock

GPU = KnownGpu("GPU-a", "3", "00000000:3B:00.0", "H100")
LOST = Place("gpu_lost", "3", "GPU-a")


EXAMPLES = {
    "fabric_unhealthy": (2.0, 1.0),
    "fabric_limited": (3.0, 1.0),
    "nvlink_down": (0.0, 1.0),
    "persistence_off": (0.0, 1.0),
    "process_idle": (IDLE_SECONDS, IDLE_SECONDS - 1),
}
"""A value that shows the condition and one that does not, where it is not simply a number and 0."""


class Shown:
    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def __call__(self, metric: str) -> list[tuple[SeriesKey, float]]:
        key = SeriesKey.of(metric, gpu="3", uuid="GPU-a")
        return [(key, self.values[metric])] if metric in self.values else []


@pytest.mark.parametrize(
    ("codes", "condition", "detail"),
    [
        ({}, "gpu_missing", "PCI 00000000:3B:00.0"),
        ({"3": 15}, "gpu_lost", "PCI 00000000:3B:00.0, error 15"),
        ({"3": 16}, "gpu_reset_required", "PCI 00000000:3B:00.0, error 16"),
        ({"3": 999, "4": 15}, "gpu_error", "PCI 00000000:3B:00.0, error 999"),
    ],
)
def test_why_a_gpu_is_missing(codes: dict[str, int], condition: str, detail: str) -> None:
    assert of_missing([GPU], codes) == {Place(condition, "3", "GPU-a"): detail}


async def test_it_is_said_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = HandClock()
    conditions = Conditions(clock)
    for detail in ("error 15", "error 15", "error 15, still"):
        conditions.update({LOST: detail})
        await clock.advance(5)
    (row,) = conditions.rows()
    assert (row["condition"], row["gpu"], row["detail"]) == ("gpu_lost", "3", "error 15, still")
    assert row["next_step"] == DIAGNOSES["gpu_lost"].next_step
    conditions.update({})
    conditions.update({})
    begun, ended = caplog.records
    assert (begun.levelno, ended.levelno) == (logging.ERROR, logging.INFO)
    assert begun.getMessage() == f"a GPU has fallen off the bus (error 15): {DIAGNOSES['gpu_lost'].next_step}"
    assert "no longer so" in ended.getMessage()
    assert conditions.rows() == []


def test_what_was_is_0_afterwards_and_what_never_was_is_absent() -> None:
    conditions = Conditions(HandClock())
    assert conditions.samples() == []
    conditions.update({LOST: ""})
    conditions.add({Place("driver_stuck"): ""})  # of the rest nothing is known
    texts = {str(sample.key): sample.value for sample in conditions.samples()}
    lost = 'forewarn_gpu_diagnosis{condition="gpu_lost",gpu="3",uuid="GPU-a"}'
    assert texts == {lost: 1.0, 'forewarn_gpu_diagnosis{condition="driver_stuck"}': 1.0}
    assert [row["condition"] for row in conditions.rows()] == ["driver_stuck", "gpu_lost"]
    conditions.update({})
    assert [sample.value for sample in conditions.samples()] == [0.0, 0.0]


@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda each: each.condition)
async def test_what_metrics_show(evidence: Evidence) -> None:
    metric, after = evidence.metric, evidence.after
    clock, shown = HandClock(), Shown()
    conditions = Conditions(clock, shown)
    bad, good = EXAMPLES.get(evidence.condition, (1.0, 0.0))
    shown.values[metric] = good
    conditions.update({})
    assert conditions.rows() == []
    shown.values[metric] = bad
    conditions.update({})
    assert bool(conditions.rows()) == (after == 0)
    await clock.advance(after)
    conditions.update({})
    (row,) = conditions.rows()
    assert (row["condition"], row["uuid"]) == (evidence.condition, "GPU-a")
    shown.values[metric] = good
    conditions.update({})
    assert conditions.rows() == []


def test_who_is_idle_is_named() -> None:
    key = SeriesKey.of(
        "forewarn_gpu_process_idle_seconds", gpu="3", uuid="GPU-a", command="python", user="ann", unit="vllm.service"
    )
    conditions = Conditions(HandClock(), lambda metric: [(key, 90_000.0)] if metric == key.name else [])
    conditions.update({})
    (row,) = conditions.rows()
    assert (row["condition"], row["gpu"]) == ("process_idle", "3")
    assert row["detail"] == "python, ann, vllm.service for 1 d 1 h"


async def test_only_links_that_were_up_are_missed_and_each_is_named() -> None:
    clock, up = HandClock(), {"0": 1.0, "1": 1.0, "2": 0.0, "3": 1.0}
    name = "forewarn_gpu_nvlink_up"

    def links(metric: str) -> list[tuple[SeriesKey, float]]:
        told = up.items() if metric == name else ()
        return [(SeriesKey.of(name, gpu="3", uuid="GPU-a", link=link), value) for link, value in told]

    conditions = Conditions(clock, links)
    conditions.update({})
    up |= {"1": 0.0, "3": 0.0}
    for _ in range(4):
        conditions.update({})
        await clock.advance(5)
    conditions.update({})
    (row,) = conditions.rows()
    assert (row["condition"], row["gpu"], row["detail"]) == ("nvlink_down", "3", "link 1; link 3")
    up |= {"1": 1.0, "3": 1.0}
    conditions.update({})
    assert conditions.rows() == []
