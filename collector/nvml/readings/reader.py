"""One GPU's readings: what it does not offer is found out once, one failing call does not take the others along."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from collector.nvml.codes import DRIVER_GONE, GPU_IS_LOST, NOT_OFFERED, NvmlError, code_name
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.readings.calls import FAST, MEDIUM, SLOW
from collector.nvml.readings.fields import GPM, GPM_LINKS, MEDIUM_FIELDS, SLOW_FIELDS, fast_fields
from collector.nvml.readings.forms import Field, Reading
from collector.nvml.readings.gpm import Gpm
from collector.nvml.readings.mig import Slice, Slices
from collector.nvml.readings.not_offered import NotOffered
from collector.nvml.readings.nvlink import NvLinks
from collector.nvml.readings.questions import CallQuestion, FieldsQuestion, GpmQuestion, Question
from collector.nvml.readings.rota import Rota
from collector.nvml.wire import Cell, Row

log = logging.getLogger(__name__)

MEDIUM_SECONDS: Final = 30.0
SLOW_SECONDS: Final = 300.0
_SHIFT: Final = 5
NO_RATES: Final[Mapping[str, Cell]] = {}


class DeviceReader:
    """Reads one GPU into rows of values: what is fast every round, the rest in turn, held in between.

    What it does not offer is probed once; whoever wants it probed anew makes a new reader.
    """

    def __init__(self, device: Device, nvml: Nvml, gpm: Gpm, absences: NotOffered) -> None:
        self.device = device
        self._nvml = nvml
        self._row = Row("forewarn_gpu_", device.labels)
        self._row.add("info", tuple(device.info.items()), 1.0)
        self._slices = Slices(nvml, device, gpm, absences)
        self._absences = absences
        self._failing: dict[str, int] = {}
        self._new_failures: dict[int, list[str]] = {}
        self._answered = False
        self._failure: NvmlError | None = None
        whole = GpmQuestion(gpm, device, self._row, (*GPM, *GPM_LINKS))
        self._links = NvLinks(nvml, device, self._row)
        shift = _SHIFT * int(device.gpu)
        fast = self._fields(fast_fields(device.info.get("driver_version", "")), whole.rates)
        self._fast: Rota[Question] = Rota(0.0, [*self._calls(FAST), whole, fast])
        self._medium: Rota[Question] = Rota(
            MEDIUM_SECONDS,
            [*self._calls(MEDIUM), self._fields(MEDIUM_FIELDS), self._links],
            shift=shift,
        )
        self._slow: Rota[Question] = Rota(SLOW_SECONDS, [*self._calls(SLOW), self._fields(SLOW_FIELDS)], shift=shift)

    @property
    def rows(self) -> list[Row]:
        """Its series, and those of its slices."""
        return [self._row, *self._slices.rows]

    @property
    def layout(self) -> tuple[Slice, ...]:
        """Its slices; none where it is whole."""
        return self._slices.layout

    @property
    def outdated(self) -> bool:
        """Whether the GPU has become another one: MIG mode was turned on or off."""
        return self._slices.mode_changed

    def still_is(self, device: Device) -> bool:
        """Whether this reader goes on with the GPU as it was found: up, of the same index, in the same mode."""
        return self.device.down is None and self.device.gpu == device.gpu and not self.outdated

    def read(self, now: float) -> None:
        """Bring the rows up to date.

        Args:
            now: seconds that never go backwards.

        Raises:
            NvmlError: the GPU is lost, answers nothing at all, or the driver is gone.
        """
        self._answered, self._failure, self._new_failures = False, None, {}
        for rota in (self._fast, self._medium, self._slow):
            rota.run(now, self._ask)
        self._judge()
        self._slices.read(now)

    def _calls(self, readings: Iterable[Reading]) -> list[Question]:
        return [CallQuestion(self._nvml, self.device, self._row, reading) for reading in readings]

    def _fields(self, fields: Sequence[Field], rates: Mapping[str, Cell] = NO_RATES) -> Question:
        return FieldsQuestion(
            self._nvml,
            self.device,
            self._row,
            fields,
            rates=rates,
            not_offered=self._field_not_offered,
            rate_wanted=self._ask_otherwise,
            failed=self._field_failed,
        )

    def _judge(self) -> None:
        """Say which readings failed anew; where nothing was answered at all, the GPU as a whole has failed."""
        if self._failure and not self._answered:
            raise self._failure
        for code, titles in self._new_failures.items():
            facts = {"gpu": self.device.gpu, "code": code, "meaning": code_name(code), "readings": ", ".join(titles)}
            log.warning("readings failed", extra=facts)

    def _ask(self, question: Question) -> Iterable[Question]:
        """Ask; returns what to ask next time: the same, what stands in for it, or nothing."""
        try:
            question.ask()
        except NvmlError as error:
            question.blank()
            if error.code in NOT_OFFERED:
                self._failure = self._failure or error
                self._absences.add(self.device.gpu, question.title, error.code)
                return self._ask(question.otherwise) if question.otherwise else ()
            self._fail(question.title, error)
            return (question,)
        self._answered = True
        if self._failing:
            self._failing.pop(question.title, None)
        return (question,)

    def _field_not_offered(self, field: Field, code: int) -> None:
        self._absences.add(self.device.gpu, f"field {field.number}", code)
        if field.by_link:
            self._links.sum_up(field.by_link, field.metric)
        self._ask_otherwise(field)

    def _ask_otherwise(self, field: Field) -> None:
        if field.otherwise:
            self._medium.add(CallQuestion(self._nvml, self.device, self._row, field.otherwise))

    def _field_failed(self, error: NvmlError) -> None:
        self._failing.pop(error.call, None)
        self._fail(error.call, error)

    def _fail(self, title: str, error: NvmlError) -> None:
        """Note a failure that may pass; one that cannot, goes on to the caller."""
        if error.code in DRIVER_GONE or error.code == GPU_IS_LOST:
            raise error
        self._failure = error
        if self._failing.get(title) != error.code:
            self._failing[title] = error.code
            self._new_failures.setdefault(error.code, []).append(title)
