"""Everything else that can be asked of a GPU without changing it, so that a recording outlives what is read today."""

import contextlib
import inspect
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pynvml

from collector.nvml.devices import Device

_UNWANTED: Final = re.compile(
    r"HandleBy|Vgpu|Metadata|Certificate|Hostname|Pdi|Accounting|Sessions|Licensable|Inforom.*Checksum|_v[12]$"
)
"""Calls that tell of people or machines, change nothing in what is read, or have a newer form that is asked."""

_WITH_NUMBERS: Final = (
    ("nvmlDeviceGetMemoryInfo", ((), (pynvml.nvmlMemory_v2,))),
    ("nvmlDeviceGetTemperature", ((0,),)),
    ("nvmlDeviceGetTemperatureThreshold", tuple((number,) for number in range(9))),
    ("nvmlDeviceGetClockInfo", tuple((number,) for number in range(4))),
    ("nvmlDeviceGetMaxClockInfo", tuple((number,) for number in range(4))),
    ("nvmlDeviceGetViolationStatus", tuple((number,) for number in range(11))),
    ("nvmlDeviceGetRetiredPages", ((0,), (1,))),
    ("nvmlDeviceGetTotalEccErrors", tuple((kind, scope) for kind in range(2) for scope in range(2))),
    ("nvmlDeviceGetNvLinkState", tuple((link,) for link in range(pynvml.NVML_NVLINK_MAX_LINKS))),
    ("nvmlDeviceGetProcessUtilization", ((0,),)),
)
_ALL_LINKS: Final = 0xFFFFFFFF
_FIELDS_AT_ONCE: Final = 64
_GPM_SECONDS: Final = 0.25


def sweep(devices: list[Device]) -> None:
    """Ask every GPU; the answers are the recording library's to note."""
    for function in _functions("nvmlSystemGet", 0):
        _try(function)
    for device in devices:
        for function in _functions("nvmlDeviceGet", 1):
            _try(function, device.handle)
        for name, numbers in _WITH_NUMBERS:
            for some in numbers:
                _try(getattr(pynvml, name), device.handle, *some)
        for fields in _field_blocks():
            _try(pynvml.nvmlDeviceGetFieldValues, device.handle, fields)
        _try(_all_of_gpm, device.handle)


def _functions(prefix: str, parameters: int) -> Iterator[Callable[..., Any]]:
    """The functions of nvidia-ml-py of that name and number of parameters."""
    for name, function in sorted(vars(pynvml).items()):
        if name.startswith(prefix) and inspect.isfunction(function) and not _UNWANTED.search(name):
            needed = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
            if len(needed) == parameters:
                yield function


def _field_blocks() -> Iterator[list[tuple[int, int]]]:
    wanted = [(number, scope) for scope in (0, _ALL_LINKS) for number in range(1, pynvml.NVML_FI_MAX)]
    for first in range(0, len(wanted), _FIELDS_AT_ONCE):
        yield wanted[first : first + _FIELDS_AT_ONCE]


def _all_of_gpm(handle: Any) -> None:
    request = pynvml.c_nvmlGpmMetricsGet_t()
    request.version = pynvml.NVML_GPM_METRICS_GET_VERSION
    request.sample1, request.sample2 = pynvml.nvmlGpmSampleAlloc(), pynvml.nvmlGpmSampleAlloc()
    try:
        pynvml.nvmlGpmSampleGet(handle, request.sample1)
        time.sleep(_GPM_SECONDS)
        pynvml.nvmlGpmSampleGet(handle, request.sample2)
        request.numMetrics = len(request.metrics) - 1
        for place, metric in zip(range(request.numMetrics), request.metrics, strict=False):
            metric.metricId = place + 1
        pynvml.nvmlGpmMetricsGet(request)
    finally:
        pynvml.nvmlGpmSampleFree(request.sample1)
        pynvml.nvmlGpmSampleFree(request.sample2)


def _try(function: Callable[..., Any], *args: Any) -> None:
    with contextlib.suppress(Exception):  # wrappers fail in ways of their own; what the library said is noted by then
        function(*args)
