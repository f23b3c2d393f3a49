"""GPU performance monitoring (Hopper and newer): the one owner of its sample buffers.

Buffers shared by two threads have crashed kernels, and two samples must lie at least 100 ms apart (nvml.h), so one
object holds them all and is used by one thread.
"""

import logging
import math
import struct
import time
from collections.abc import Callable
from typing import Any, Final

import pynvml

from collector.nvml.codes import DRIVER_GONE, NOT_SUPPORTED, NvmlError
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.readings.forms import GpmMetric

log = logging.getLogger(__name__)

SHORTEST_SECONDS: Final = 0.1
_METRIC: Final = struct.Struct("=IId24x")
"""nvmlGpmMetric_t: id, return code, value; three pointers to texts follow."""

Metrics = tuple[GpmMetric, ...]
Values = tuple[float | None, ...]
"""One for each metric asked for, in its base unit; None where there is none."""


class _Pair:
    """Two buffers of one GPU or GPU instance that take turns; ``taken`` is when the older one was filled."""

    def __init__(self, older: Any, newer: Any) -> None:
        self.older = older
        self.newer = newer
        self.taken: float | None = None


class _Request:
    """The question for some metrics, laid out once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.structure = pynvml.c_nvmlGpmMetricsGet_t()
        self.structure.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        self.structure.numMetrics = len(metrics)
        for slot, metric in zip(self.structure.metrics, metrics, strict=False):
            slot.metricId = metric.number
        start = pynvml.c_nvmlGpmMetricsGet_t.metrics.offset
        self._answers = memoryview(self.structure).cast("B")[start : start + len(metrics) * _METRIC.size]

    def values(self) -> Values:
        return tuple(
            value / metric.divisor if code == pynvml.NVML_SUCCESS and math.isfinite(value) else None
            for metric, (_, code, value) in zip(self._metrics, _METRIC.iter_unpack(self._answers), strict=True)
        )


class Gpm:
    """Takes a sample of each GPU or GPU instance a round, and says what happened since the one before."""

    def __init__(self, nvml: Nvml, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._nvml = nvml
        self._monotonic = monotonic
        self._pairs: dict[tuple[str, int | None], _Pair] = {}
        self._requests: dict[Metrics, _Request] = {}

    def read(self, device: Device, metrics: Metrics, instance: int | None = None) -> Values:
        """What happened since the last round; nothing in the first one, and where it was less than 100 ms ago.

        Args:
            device: the GPU.
            metrics: what to tell.
            instance: one of its GPU instances, in MIG mode; None for the whole GPU.

        Raises:
            NvmlError: the GPU does not offer it, or the driver failed.
        """
        pair = self._pairs.get((device.uuid, instance))
        if pair is None:
            pair = self._pairs[device.uuid, instance] = self._open(device)
        if pair.taken is not None and self._monotonic() - pair.taken < SHORTEST_SECONDS:
            return (None,) * len(metrics)
        self._sample(device, instance, pair.newer)
        taken = self._monotonic()  # after the call: it may have been a slow one
        values = self._compare(device, pair, metrics) if pair.taken is not None else (None,) * len(metrics)
        pair.older, pair.newer, pair.taken = pair.newer, pair.older, taken
        return values

    def forget(self, uuid: str) -> None:
        """Give back the buffers of a GPU and of its instances.

        Raises:
            NvmlError: the driver is gone.
        """
        for key in [key for key in self._pairs if key[0] == uuid]:
            self._free(self._pairs.pop(key))

    def close(self) -> None:
        """Give all buffers back.

        Raises:
            NvmlError: the driver is gone.
        """
        for uuid in {uuid for uuid, _ in self._pairs}:
            self.forget(uuid)

    def _open(self, device: Device) -> _Pair:
        query = "nvmlGpmQueryDeviceSupport"
        if not self._nvml.call(query, device.handle, gpu=device.gpu).isSupportedDevice:
            raise NvmlError(query, NOT_SUPPORTED)
        return _Pair(self._nvml.call("nvmlGpmSampleAlloc"), self._nvml.call("nvmlGpmSampleAlloc"))

    def _free(self, pair: _Pair) -> None:
        for sample in (pair.older, pair.newer):
            try:
                self._nvml.call("nvmlGpmSampleFree", sample)
            except NvmlError as error:
                if error.code in DRIVER_GONE:
                    raise
                log.info("a GPM buffer was not given back", extra={"code": error.code})

    def _sample(self, device: Device, instance: int | None, sample: Any) -> None:
        if instance is None:
            self._nvml.call("nvmlGpmSampleGet", device.handle, sample, gpu=device.gpu)
        else:
            self._nvml.call("nvmlGpmMigSampleGet", device.handle, instance, sample, gpu=device.gpu)

    def _compare(self, device: Device, pair: _Pair, metrics: Metrics) -> Values:
        request = self._requests.get(metrics)
        if request is None:
            request = self._requests[metrics] = _Request(metrics)
        request.structure.sample1, request.structure.sample2 = pair.older, pair.newer
        self._nvml.call("nvmlGpmMetricsGet", request.structure, gpu=device.gpu)
        return request.values()
