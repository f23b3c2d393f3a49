"""Which processes are on each GPU, and how busy each kept it, as the driver lists them.

Sources: nvml.h for the calls; a process stands in the compute list and, as it uses graphics or MPS, in those too. The
driver tells an idle GPU's utilisation by NOT_FOUND, or by an answer without samples, which nvidia-ml-py raises as error
0. Numbers are handed on as they come, impossible ones too: :mod:`collector.attribution` judges them.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

from collector.nvml.codes import DRIVER_GONE, GPU_IS_LOST, NOT_OFFERED, NvmlError
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.readings.mig import Slice
from collector.nvml.readings.not_offered import NotOffered
from forewarn.base.frames import Frame

log = logging.getLogger(__name__)

PROCESS_SECONDS: Final = 5.0
"""The driver's own window of utilisation is under a second; each look asks for all samples since the one before."""
ASK_AGAIN_SECONDS: Final = 300.0
"""After so long, what was not offered is asked for again: MIG may have been switched off."""

_LISTS: Final = (
    ("C", "nvmlDeviceGetComputeRunningProcesses"),
    ("G", "nvmlDeviceGetGraphicsRunningProcesses"),
    ("M", "nvmlDeviceGetMPSComputeRunningProcesses"),
)
_UTILIZATION: Final = "nvmlDeviceGetProcessUtilization"
_IDLE: Final = frozenset({0, 6})
_REFUSALS: Final = NOT_OFFERED - {2, 6}
"""Answers that another look will give again; a slice that was taken away meanwhile is an invalid argument."""
_NO_INSTANCE: Final = 0xFFFFFFFF
_MOST_PERCENT: Final = 100

_Slot = tuple[int, str]
"""A process on one GPU instance: its number, and the instance's (empty without MIG)."""


class ProcessLists:
    """Asks for the lists when they are due.

    Args:
        nvml: makes the calls.
        absences: told what is not offered.
        interval: seconds between two rounds.
        monotonic: seconds that never go backwards.
        wall_us: microseconds since the epoch, the time that the driver's samples carry.
    """

    def __init__(
        self,
        nvml: Nvml,
        absences: NotOffered,
        interval: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._nvml = nvml
        self._absences = absences
        self._every = max(interval, PROCESS_SECONDS)
        self._monotonic = monotonic
        self._wall_us = wall_us
        self._due = self._forgets = float("-inf")
        self._not_offered: set[tuple[str, str]] = set()
        self._since: dict[str, int] = {}
        self._failing: dict[str, int] = {}

    def read(self, gpus: Iterable[tuple[Device, Sequence[Slice]]]) -> Frame | None:
        """The lists of every GPU that gives them, None where they are not due.

        A GPU that is cut into slices is asked slice by slice: of the whole only root may ask.

        ``{"kind": "processes", "every": seconds, "gpus": [{"gpu", "uuid", "processes"}]}``, each process a list of
        number, kinds, memory in bytes or null, GPU instance, share of the multiprocessors' time or null.

        Raises:
            NvmlError: the driver is gone.
        """
        now = self._monotonic()
        if now < self._due:
            return None
        self._due = now + self._every
        if now >= self._forgets:
            self._forgets = now + ASK_AGAIN_SECONDS
            self._not_offered.clear()
        told = []
        for device, slices in gpus:
            listed = self._list(device, slices)
            if listed is not None:
                told.append({"gpu": device.gpu, "uuid": device.uuid, "processes": listed})
        return {"kind": "processes", "every": self._every, "gpus": told}

    def _list(self, device: Device, slices: Sequence[Slice]) -> list[list[Any]] | None:
        memory: dict[_Slot, int | None] = {}
        kinds: defaultdict[_Slot, str] = defaultdict(str)
        try:
            lists = [self._entries(device, slices, kind, call) for kind, call in _LISTS]
        except NvmlError as error:
            if error.code in DRIVER_GONE:
                raise
            self._say(device, error)
            return None  # half a list would make processes vanish for a round
        self._failing.pop(device.uuid, None)
        if all(entries is None for entries in lists):
            return None
        for kind, instance, entry in chain.from_iterable(entries or () for entries in lists):
            slot = _slot(entry, instance)
            known, used = memory.get(slot), entry.usedGpuMemory
            memory[slot] = used if known is None else max(known, used or 0)
            kinds[slot] += kind if kind not in kinds[slot] else ""
        busy = self._busy(device)
        return [
            [slot[0], kinds[slot], used, slot[1], None if busy is None else busy.get(slot[0], 0.0)]
            for slot, used in memory.items()
        ]

    def _entries(
        self, device: Device, slices: Sequence[Slice], kind: str, call: str
    ) -> list[tuple[str, str, Any]] | None:
        """One list, with its kind and the GPU instances; None where it is not offered."""
        whose = [(one.handle, str(one.instance)) for one in slices] or [(device.handle, "")]
        answers = [(instance, self._ask(device, call, handle)) for handle, instance in whose]
        if all(entries is None for _, entries in answers):
            return None
        return [(kind, instance, entry) for instance, entries in answers for entry in entries or ()]

    def _busy(self, device: Device) -> dict[int, float] | None:
        """Mean share of the multiprocessors' time since the last look, by process; None where it cannot be had."""
        since = min(self._since.get(device.uuid, 0), self._wall_us())  # the clock may have been set back
        try:
            samples = self._ask(device, _UTILIZATION, device.handle, since)
        except NvmlError as error:
            if error.code in DRIVER_GONE:
                raise
            return {} if error.code in _IDLE else None
        if samples is None:
            return None
        newest = self._since[device.uuid] = max((sample.timeStamp for sample in samples), default=since)
        since = max(since, newest - int(self._every * 1e6))  # at the first look there are samples of long ago
        shares: defaultdict[int, list[float]] = defaultdict(list)
        for sample in samples:
            if sample.timeStamp > since and sample.smUtil <= _MOST_PERCENT:
                shares[sample.pid].append(sample.smUtil / 100)
        return {pid: sum(values) / len(values) for pid, values in shares.items()}

    def _ask(self, device: Device, call: str, *args: Any) -> Any:
        """The answer, None where the GPU does not offer it.

        Raises:
            NvmlError: it failed, or says that there is nothing.
        """
        if (device.uuid, call) in self._not_offered:
            return None
        try:
            return self._nvml.call(call, *args, gpu=device.gpu)
        except NvmlError as error:
            if error.code in _REFUSALS:
                self._not_offered.add((device.uuid, call))
                self._absences.add(device.gpu, call, error.code)
                return None
            raise

    def _say(self, device: Device, error: NvmlError) -> None:
        """Say once of a GPU that its lists cannot be had, and why."""
        if self._failing.get(device.uuid) != error.code and error.code != GPU_IS_LOST:  # a lost GPU is told of already
            self._failing[device.uuid] = error.code
            log.warning("process list failed", extra={"gpu": device.gpu, "call": error.call, "code": error.code})


def _slot(entry: Any, instance: str) -> _Slot:
    return entry.pid, instance if entry.gpuInstanceId == _NO_INSTANCE else str(entry.gpuInstanceId)
