"""One GPU's readings: what it does not offer is found out once, one failing call does not take the others along."""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from collector.catalogue import CATALOGUE
from collector.nvml.devices import Device
from collector.nvml.gpm import Gpm
from collector.nvml.library import DRIVER_GONE, GPU_IS_LOST, NOT_OFFERED, Nvml, NvmlError, code_name
from collector.nvml.readings import FAST, FIELDS, MEDIUM, VALUE_MEMBERS, Field, Reading
from collector.series import Labels

log = logging.getLogger(__name__)

WireSample = tuple[str, Labels, float, bool]
"""Name, labels, value, whether it is a counter: as it travels to the parent."""

_UNAVAILABLE: Final = frozenset({0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})


class Absences:
    """What GPUs do not offer, gathered so that the log names each reading once for all of them."""

    def __init__(self) -> None:
        self._named: set[tuple[str, str]] = set()
        self._new: dict[str, list[str]] = defaultdict(list)

    def add(self, gpu: str, title: str, code: int) -> None:
        """Note that the GPU does not offer the reading."""
        if (gpu, title) not in self._named:
            self._named.add((gpu, title))
            self._new[f"{title}: {code_name(code)}"].append(gpu)

    def report(self) -> None:
        """Write down what is new."""
        new, self._new = self._new, defaultdict(list)
        for title, gpus in new.items():
            log.info("not offered, its series stay away", extra={"reading": title, "gpus": ",".join(gpus)})


class DeviceReader:
    """Reads one GPU."""

    def __init__(self, device: Device, nvml: Nvml, gpm: Gpm, absences: Absences) -> None:
        self.device = device
        self._nvml = nvml
        self._gpm = gpm
        self._absences = absences
        self._fast: list[Reading] = list(FAST)
        self._medium: list[Reading] = list(MEDIUM)
        self._fields: list[Field] = list(FIELDS)
        self._gpm_offered = True
        self._held: list[WireSample] = []
        self._failing: dict[str, int] = {}
        self._failures: list[NvmlError] = []
        self._keys: dict[tuple[str, Labels], tuple[str, Labels, bool]] = {}
        self._info = self._wire("info", tuple(device.info.items()), 1.0)

    def read(self, *, medium: bool) -> list[WireSample]:
        """The GPU's samples; those of medium cadence are asked for when due and held in between.

        Raises:
            NvmlError: the GPU is lost, answers nothing at all, or the driver is gone.
        """
        self._failures = []
        found = [*self._ask_all(self._fast), *self._ask_fields(), *self._ask_gpm()]
        if medium:
            self._held = self._ask_all(self._medium)
        if self._failures and not found:
            raise self._failures[-1]
        return [self._info, *found, *self._held]

    def _ask_all(self, readings: list[Reading]) -> list[WireSample]:
        found: list[WireSample] = []
        kept: list[Reading] = []
        for reading in readings:
            offered = self._ask(reading, found)
            if offered is not None:
                kept.append(offered)
        readings[:] = kept
        return found

    def _ask(self, reading: Reading, found: list[WireSample]) -> Reading | None:
        """Add the answer to what was found; returns the reading to ask for next time, None where there is none."""
        try:
            answer = self._nvml.call(reading.call, self.device.handle, *reading.args, gpu=self.device.gpu)
        except NvmlError as error:
            if error.code not in NOT_OFFERED:
                self._fail(reading.title, error)
                return reading
            self._absences.add(self.device.gpu, reading.title, error.code)
            return self._ask(reading.otherwise, found) if reading.otherwise else None
        self._failing.pop(reading.title, None)
        if not (isinstance(answer, int) and answer in _UNAVAILABLE):
            found.extend(self._wire(output.metric, output.labels, output.pick(answer)) for output in reading.outputs)
        return reading

    def _ask_fields(self) -> list[WireSample]:
        if not self._fields:
            return []
        call = "nvmlDeviceGetFieldValues"
        wanted = [(field.number, field.scope) for field in self._fields]
        try:
            answers = self._nvml.call(call, self.device.handle, wanted, gpu=self.device.gpu)
        except NvmlError as error:
            if error.code in NOT_OFFERED:
                self._absences.add(self.device.gpu, call, error.code)
                self._fields.clear()
            else:
                self._fail(call, error)
            return []
        return self._field_values(zip(self._fields[:], answers, strict=True))

    def _field_values(self, answers: Iterable[tuple[Field, Any]]) -> list[WireSample]:
        found: list[WireSample] = []
        for field, answer in answers:
            title, code = f"field {field.number}", answer.nvmlReturn
            if code in NOT_OFFERED:
                self._absences.add(self.device.gpu, title, code)
                self._fields.remove(field)
            elif code:
                self._fail(title, NvmlError(title, code))
            elif 0 <= answer.valueType < len(VALUE_MEMBERS):
                self._failing.pop(title, None)
                value = getattr(answer.value, VALUE_MEMBERS[answer.valueType])
                if value not in _UNAVAILABLE:
                    found.append(self._wire(field.metric, field.labels, value * field.factor))
        return found

    def _ask_gpm(self) -> list[WireSample]:
        if not self._gpm_offered:
            return []
        try:
            values = self._gpm.read(self.device)
        except NvmlError as error:
            if error.code in NOT_OFFERED:
                self._gpm_offered = False
                self._absences.add(self.device.gpu, error.call, error.code)
            else:
                self._fail("GPM", error)
            return []
        self._failing.pop("GPM", None)
        return [self._wire(metric, (), value) for metric, value in values if math.isfinite(value)]

    def _fail(self, title: str, error: NvmlError) -> None:
        """Note a failure that may pass; one that cannot, goes on to the caller."""
        if error.code in DRIVER_GONE or error.code == GPU_IS_LOST:
            raise error
        self._failures.append(error)
        if self._failing.get(title) != error.code:
            self._failing[title] = error.code
            log.warning("reading failed", extra={"reading": title, "gpu": self.device.gpu, "code": error.code})

    def _wire(self, metric: str, labels: Labels, value: float) -> WireSample:
        known = self._keys.get((metric, labels))
        if known is None:
            name = f"forewarn_gpu_{metric}"
            pairs = tuple(sorted((*self.device.labels, *((key, text) for key, text in labels if text))))
            known = self._keys[metric, labels] = (name, pairs, CATALOGUE[name].type == "counter")
        name, pairs, counter = known
        return name, pairs, float(value), counter
