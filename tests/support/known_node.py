"""Nodes whose demand is known to the day."""

from collections.abc import Sequence

import numpy as np

from collector.series import SeriesKey, labels_of
from forecast.plan.answer import Plan, Resource
from forecast.plan.asking import Ask
from forecast.plan.making import make_plan
from forecast.settings import TargetSettings
from forecast.targets import find_targets
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
NOW_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS


class KnownNode:
    """Series of hourly samples that all end now."""

    def __init__(self, reader: MemoryReader | None = None) -> None:
        self.reader = reader or MemoryReader()

    def add(self, series: str, hours: np.ndarray, /, *, counter: bool = False, **labels: str) -> None:
        times = NOW_MS - HOUR_MS * np.arange(hours.size, 0, -1) + 1
        self.reader.add(SeriesKey.parse(series).with_labels(labels_of(labels)), times, hours, counter=counter)

    def gpus(self, loads: Sequence[np.ndarray], model: str = "H100") -> None:
        for place, load in enumerate(loads):
            labels = {"gpu": str(place), "uuid": f"GPU-{model}-{place}"}
            self.add("forewarn_gpu_info", np.ones(load.size), **labels, name=model)
            self.add("forewarn_gpu_utilization_ratio", load, **labels)

    def plan(self, ask: Ask | None = None, rows: Sequence[TargetSettings] = ()) -> Plan:
        return make_plan(self.reader, find_targets(self.reader, rows, NOW_MS), NOW_MS, ask)


def resource(plan: Plan, name: str) -> Resource:
    found = [one for one in plan.resources if one.target.startswith(name)]
    assert len(found) == 1, [one.target for one in plan.resources]
    return found[0]
