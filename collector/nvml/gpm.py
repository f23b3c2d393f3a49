"""GPU performance monitoring (Hopper and newer): the one owner of its sample buffers.

Buffers shared by two threads have crashed kernels, and two samples must lie at least 100 ms apart (nvml.h), so one
object holds them all and is used by one thread.
"""

import math
import struct
import time
from collections.abc import Callable
from typing import Any, Final

import pynvml

from collector.nvml.devices import Device
from collector.nvml.library import NOT_SUPPORTED, Nvml, NvmlError
from collector.nvml.readings import GPM

SHORTEST_SECONDS: Final = 0.1
_METRIC: Final = struct.Struct("=IId24x")
"""nvmlGpmMetric_t: id, return code, value; three pointers to texts follow."""
_NOTHING: Final = (None,) * len(GPM)

Values = tuple[float | None, ...]
"""One for each metric of the table, in its base unit; None where there is none."""


class _Pair:
    """Two buffers of one GPU that take turns; ``taken`` is when the older one was filled."""

    def __init__(self, older: Any, newer: Any) -> None:
        self.older = older
        self.newer = newer
        self.taken: float | None = None


class Gpm:
    """Takes a sample of each GPU a round, and says what happened since the one before."""

    def __init__(self, nvml: Nvml, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._nvml = nvml
        self._monotonic = monotonic
        self._pairs: dict[str, _Pair] = {}
        self._request = pynvml.c_nvmlGpmMetricsGet_t()
        self._request.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        self._request.numMetrics = len(GPM)
        for slot, metric in zip(self._request.metrics, GPM, strict=False):
            slot.metricId = metric.number
        start = pynvml.c_nvmlGpmMetricsGet_t.metrics.offset
        self._answers = memoryview(self._request).cast("B")[start : start + len(GPM) * _METRIC.size]

    def read(self, device: Device) -> Values:
        """What happened since the last round; nothing in the first one, and where it was less than 100 ms ago.

        Raises:
            NvmlError: the GPU does not offer it, or the driver failed.
        """
        pair = self._pairs.get(device.uuid)
        if pair is None:
            pair = self._pairs[device.uuid] = self._open(device)
        now = self._monotonic()
        if pair.taken is not None and now - pair.taken < SHORTEST_SECONDS:
            return _NOTHING
        self._nvml.call("nvmlGpmSampleGet", device.handle, pair.newer, gpu=device.gpu)
        values = self._compare(device, pair) if pair.taken is not None else _NOTHING
        pair.older, pair.newer, pair.taken = pair.newer, pair.older, now
        return values

    def close(self) -> None:
        """Give the buffers back.

        Raises:
            NvmlError: the driver failed.
        """
        pairs, self._pairs = self._pairs, {}
        for pair in pairs.values():
            for sample in (pair.older, pair.newer):
                self._nvml.call("nvmlGpmSampleFree", sample)

    def _open(self, device: Device) -> _Pair:
        query = "nvmlGpmQueryDeviceSupport"
        if not self._nvml.call(query, device.handle, gpu=device.gpu).isSupportedDevice:
            raise NvmlError(query, NOT_SUPPORTED)
        return _Pair(self._nvml.call("nvmlGpmSampleAlloc"), self._nvml.call("nvmlGpmSampleAlloc"))

    def _compare(self, device: Device, pair: _Pair) -> Values:
        self._request.sample1, self._request.sample2 = pair.older, pair.newer
        self._nvml.call("nvmlGpmMetricsGet", self._request, gpu=device.gpu)
        return tuple(
            value / metric.divisor if code == pynvml.NVML_SUCCESS and math.isfinite(value) else None
            for metric, (_, code, value) in zip(GPM, _METRIC.iter_unpack(self._answers), strict=True)
        )
