"""Questions that only a real GPU answers, and that what is collected rests on."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import pynvml

from collector.nvml.codes import NvmlError, code_name
from collector.nvml.devices import Device
from collector.nvml.library import Nvml

_GROWTH_SECONDS: Final = 2.0
_GPM_SECONDS: Final = 0.25
_MIB: Final = 2**20
_PARTS: Final = ("used", "reserved", "free", "total")
_PCIE: Final = ((197, "bytes sent over PCIe"), (198, "bytes received over PCIe"))
_THROTTLES: Final = (
    (74, "power", 0, 4),
    (269, "software thermal", None, 32),
    (270, "hardware thermal", None, 64),
    (271, "power brake", None, 128),
)
"""Field, reason, number of the older call's policy that counts the same, bit of the clocks' event reasons."""
_UNITS: Final = ((1e9, "ns"), (1e6, "µs"), (1e3, "ms"), (1.0, "s"))


Answer = tuple[str, str, str]
"""Question, answer, and what it rests on."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question, as it was answered for one GPU."""

    gpu: str
    question: str
    answer: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """For the recording."""
        return asdict(self)


def checks(nvml: Nvml, devices: list[Device]) -> list[Check]:
    """All questions to every GPU; takes seconds, in which counters grow."""
    before = [(_fields(nvml, device), _reasons(nvml, device)) for device in devices]
    begun = time.monotonic()
    time.sleep(_GROWTH_SECONDS)
    found = []
    for device, (fields, reasons) in zip(devices, before, strict=True):
        grown = _growth(fields, _fields(nvml, device), time.monotonic() - begun)
        answers = (*_memory(nvml, device), *_presence(grown), *_units(nvml, device, grown, reasons), _gpm(nvml, device))
        found += [Check(device.gpu, *answer) for answer in answers]
    return found


def _memory(nvml: Nvml, device: Device) -> Iterator[Answer]:
    question = "is 'used' of memory v2 without what is reserved?"
    try:
        first = nvml.call("nvmlDeviceGetMemoryInfo", device.handle)
        second = nvml.call("nvmlDeviceGetMemoryInfo", device.handle, pynvml.nvmlMemory_v2)
    except NvmlError as error:
        yield question, "not offered", str(error)
        return
    sizes = {"v1 used": first.used} | {f"v2 {part}": getattr(second, part) for part in _PARTS}
    parts = ", ".join(f"{name} {size / _MIB:.0f} MiB" for name, size in sizes.items())
    without = second.total - second.reserved - second.used - second.free
    including = second.total - second.used - second.free
    answer = "unclear" if not second.reserved else "yes" if abs(without) < abs(including) else "no"
    yield question, answer, parts


@dataclass(frozen=True, slots=True)
class _Counter:
    """A field at the end of a while, what it grew by in a second, or why it is missing."""

    value: int = 0
    growth: float = 0.0
    missing: str = ""

    @classmethod
    def of(cls, before: int | str, after: int | str, seconds: float) -> "_Counter":
        if isinstance(before, str) or isinstance(after, str):
            return cls(missing=str(before))
        return cls(after, (after - before) / seconds)

    def __str__(self) -> str:
        return self.missing or f"{self.value}, {self.growth:.0f} a second"


def _growth(before: dict[int, int | str], after: dict[int, int | str], seconds: float) -> dict[int, _Counter]:
    return {number: _Counter.of(before[number], after[number], seconds) for number in before}


def _presence(grown: dict[int, _Counter]) -> Iterator[Answer]:
    for number, what in _PCIE:
        counter = grown[number]
        yield f"is field {number} ({what}) there?", "no" if counter.missing else "yes", str(counter)


def _units(nvml: Nvml, device: Device, grown: dict[int, _Counter], reasons: int) -> Iterator[Answer]:
    for number, reason, policy, bit in _THROTTLES:
        answer, detail = _unit(grown[number], _violation(nvml, device, policy), held=bool(reasons & bit))
        yield f"in which unit does field {number} ({reason}) count?", answer, detail


def _unit(counter: _Counter, older: int, *, held: bool) -> tuple[str, str]:
    """By the older call, which counts nanoseconds; else by the growth while the reason held the clocks."""
    if counter.missing:
        return "not offered", counter.missing
    if older and counter.value:
        return _nearest(1e9 * counter.value / older), f"{counter}; nvmlDeviceGetViolationStatus says {older} ns"
    if held and counter.growth:
        return _nearest(counter.growth), f"{counter}, while the reason held"
    return "not seen", f"{counter}; the reason did not hold"


def _nearest(per_second: float) -> str:
    scale, unit = min(_UNITS, key=lambda one: max(per_second / one[0], one[0] / per_second))
    return unit if 0.3 < per_second / scale < 3 else "unclear"


def _violation(nvml: Nvml, device: Device, policy: int | None) -> int:
    if policy is None:
        return 0
    try:
        return int(nvml.call("nvmlDeviceGetViolationStatus", device.handle, policy).violationTime)
    except NvmlError:
        return 0


def _fields(nvml: Nvml, device: Device) -> dict[int, int | str]:
    """Each counter's value, or why there is none."""
    numbers = [number for number, *_ in (*_PCIE, *_THROTTLES)]
    try:
        answers = nvml.call("nvmlDeviceGetFieldValues", device.handle, numbers)
    except NvmlError as error:
        return dict.fromkeys(numbers, str(error))
    return {
        number: code_name(answer.nvmlReturn) if answer.nvmlReturn else int(answer.value.ullVal)
        for number, answer in zip(numbers, answers, strict=True)
    }


def _reasons(nvml: Nvml, device: Device) -> int:
    try:
        return int(nvml.call("nvmlDeviceGetCurrentClocksEventReasons", device.handle))
    except NvmlError:
        return 0


def _gpm(nvml: Nvml, device: Device) -> Answer:
    question = "does GPM answer a user who is not root?"
    if device.info.get("mig_mode") == "enabled":
        return question, "not asked", "the GPU is cut into slices (MIG)"
    answer, detail = _ask_gpm(nvml, device)
    if os.geteuid() == 0:
        return question, "not asked", f"this was root, whom it answers: {answer}; record as another user ({detail})"
    return question, answer, f"asked as user {os.geteuid()}: {detail}"


def _ask_gpm(nvml: Nvml, device: Device) -> tuple[str, str]:
    samples: list[Any] = []
    try:
        if not nvml.call("nvmlGpmQueryDeviceSupport", device.handle).isSupportedDevice:
            return "no", "the GPU does not have it"
        samples += [nvml.call("nvmlGpmSampleAlloc"), nvml.call("nvmlGpmSampleAlloc")]
        metric = _graphics_activity(nvml, device, samples)
    except NvmlError as error:
        return "no", str(error)
    finally:
        for sample in samples:
            nvml.call("nvmlGpmSampleFree", sample)
    return ("no", code_name(metric.nvmlReturn)) if metric.nvmlReturn else ("yes", f"graphics {metric.value:.1f} %")


def _graphics_activity(nvml: Nvml, device: Device, samples: list[Any]) -> Any:
    for sample, pause in zip(samples, (_GPM_SECONDS, 0.0), strict=True):
        nvml.call("nvmlGpmSampleGet", device.handle, sample)
        time.sleep(pause)
    request = pynvml.c_nvmlGpmMetricsGet_t()
    request.version, request.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, 1
    request.sample1, request.sample2 = samples
    request.metrics[0].metricId = pynvml.NVML_GPM_METRIC_GRAPHICS_UTIL
    return nvml.call("nvmlGpmMetricsGet", request).metrics[0]
