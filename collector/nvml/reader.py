"""One GPU's readings: what it does not offer is found out once, one failing call does not take the others along."""

import logging
from collections.abc import Iterable
from typing import Final

from collector.nvml.absences import Absences
from collector.nvml.devices import Device
from collector.nvml.gpm import Gpm
from collector.nvml.library import DRIVER_GONE, GPU_IS_LOST, NOT_OFFERED, Nvml, NvmlError
from collector.nvml.questions import CallQuestion, FieldsQuestion, GpmQuestion, Question
from collector.nvml.readings import FAST, FIELDS, MEDIUM, Field
from collector.nvml.rota import Rota
from collector.nvml.wire import Row

log = logging.getLogger(__name__)

MEDIUM_SECONDS: Final = 30.0


class DeviceReader:
    """Reads one GPU into a row of values: what is fast every round, the rest in turn, held in between."""

    def __init__(self, device: Device, nvml: Nvml, gpm: Gpm, absences: Absences) -> None:
        self.device = device
        self.row = Row("forewarn_gpu_", device.labels)
        self.row.add("info", tuple(device.info.items()), 1.0)
        self._absences = absences
        self._failing: dict[str, int] = {}
        self._answered = False
        self._failure: NvmlError | None = None
        fields = FieldsQuestion(
            nvml, device, self.row, FIELDS, not_offered=self._field_not_offered, failed=self._field_failed
        )
        calls = [CallQuestion(nvml, device, self.row, reading) for reading in FAST]
        self._rotas: tuple[Rota[Question], ...] = (
            Rota(0.0, [*calls, fields, GpmQuestion(gpm, device, self.row)]),
            Rota(MEDIUM_SECONDS, [CallQuestion(nvml, device, self.row, reading) for reading in MEDIUM]),
        )

    def read(self, now: float) -> None:
        """Bring the row up to date.

        Args:
            now: seconds that never go backwards.

        Raises:
            NvmlError: the GPU is lost, answers nothing at all, or the driver is gone.
        """
        self._answered, self._failure = False, None
        for rota in self._rotas:
            rota.run(now, self._ask)
        self._judge()

    def _judge(self) -> None:
        if self._failure and not self._answered:
            raise self._failure

    def _ask(self, question: Question) -> Iterable[Question]:
        """Ask; returns what to ask next time: the same, what stands in for it, or nothing."""
        try:
            question.ask()
        except NvmlError as error:
            question.blank()
            if error.code in NOT_OFFERED:
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
            log.warning("reading failed", extra={"reading": title, "gpu": self.device.gpu, "code": error.code})
