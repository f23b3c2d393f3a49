"""What is asked of one GPU, ready to be asked again and again: the call, and the cells that its answer fills."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from ctypes import byref

from collector.nvml.codes import NOT_OFFERED, NOT_SUPPORTED, NvmlError
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.readings.counters import Meter
from collector.nvml.readings.fieldvalues import CALL, UNAVAILABLE, Answer, FieldRequest
from collector.nvml.readings.forms import Field, GpmMetric, Reading
from collector.nvml.readings.gpm import Gpm
from collector.nvml.wire import Cell, Row


class Question(ABC):
    """Something that a GPU is asked.

    Attributes:
        title: its name in the log.
        otherwise: what to ask where the GPU does not offer it.
    """

    title: str
    otherwise: "Question | None" = None

    @abstractmethod
    def ask(self) -> None:
        """Ask, and fill the cells.

        Raises:
            NvmlError: there is no answer.
        """

    @abstractmethod
    def cells(self) -> Iterable[Cell]:
        """The cells that its answers fill."""

    def blank(self) -> None:
        """Empty the cells: what was answered last holds no more."""
        for cell in self.cells():
            cell.put(None)


class CallQuestion(Question):
    """One call, as the table of readings has it."""

    def __init__(self, nvml: Nvml, device: Device, row: Row, reading: Reading) -> None:
        self._nvml = nvml
        self._device = device
        self._call, self._args, self._structure = reading.call, reading.args, reading.structure
        self._outputs = [(Cell(row, output.metric, output.labels), output.pick) for output in reading.outputs]
        self.title = reading.title
        self.otherwise = CallQuestion(nvml, device, row, reading.otherwise) if reading.otherwise else None

    def ask(self) -> None:
        """Make the call, and pick the numbers from its answer."""
        args = self._args
        if self._structure is None:
            answer = self._nvml.call(self._call, self._device.handle, *args, gpu=self._device.gpu)
        else:
            answer = self._structure()
            self._nvml.call(self._call, self._device.handle, *args, byref(answer), gpu=self._device.gpu)
        if isinstance(answer, int) and answer in UNAVAILABLE:
            self.blank()
            return
        for cell, pick in self._outputs:
            value = pick(answer)
            cell.put(None if value is None else float(value))

    def cells(self) -> Iterable[Cell]:
        """One for each output."""
        return (cell for cell, _ in self._outputs)


class FieldsQuestion(Question):
    """Many fields in one call; each has a return code of its own.

    Args:
        fields: which ones.
        rates: what tells the rates of counters that wrap.
        not_offered: told of each field that is not there, which then is asked for no more.
        rate_wanted: told of each counter that wraps at a rate that nobody tells.
        failed: told of each field that has no value this time, and why.
    """

    title = CALL

    def __init__(
        self,
        nvml: Nvml,
        device: Device,
        row: Row,
        fields: Sequence[Field],
        *,
        rates: Mapping[str, Cell],
        not_offered: Callable[[Field, int], None],
        rate_wanted: Callable[[Field], None],
        failed: Callable[[NvmlError], None],
    ) -> None:
        self._nvml = nvml
        self._device = device
        self._not_offered = not_offered
        self._rate_wanted = rate_wanted
        self._failed = failed
        self._cells = {field: Cell(row, field.metric, field.labels) for field in fields}
        self._meters = {field: Meter(rates.get(field.rate)) for field in fields if field.wraps}
        self._failing: dict[Field, int] = {}
        self._prepare()

    def ask(self) -> None:
        """Have the driver answer all of them, and fill the cells of those that it has."""
        lost: list[tuple[Field, int]] = []
        for (field, cell), answer in zip(self._cells.items(), self._request.answers(), strict=True):
            value = self._made_whole(field, answer) if field.wraps else answer.value
            cell.put(None if value is None else value * field.factor)
            if answer.code in NOT_OFFERED:
                lost.append((field, answer.code))
            elif answer.code:
                self._fail(field, answer.code)
            elif self._failing:
                self._failing.pop(field, None)
        if lost:
            self._drop(lost)
        elif len(self._failing) == len(self._cells):
            raise NvmlError(CALL, next(iter(self._failing.values())))

    def cells(self) -> Iterable[Cell]:
        """One for each field."""
        return self._cells.values()

    def _made_whole(self, field: Field, answer: Answer) -> float | None:
        if answer.value is None or not answer.narrow:
            return answer.value
        meter = self._meters[field]
        if meter.blind:
            self._rate_wanted(field)
        return meter.take(answer.value, answer.time)

    def _fail(self, field: Field, code: int) -> None:
        if self._failing.get(field) != code:
            self._failing[field] = code
            self._failed(NvmlError(f"field {field.number}", code))

    def _drop(self, lost: Sequence[tuple[Field, int]]) -> None:
        for field, code in lost:
            del self._cells[field]
            self._failing.pop(field, None)
            self._not_offered(field, code)
        if not self._cells:
            raise NvmlError(CALL, NOT_SUPPORTED)
        self._prepare()

    def _prepare(self) -> None:
        self._request = FieldRequest(self._nvml, self._device, [(field.number, field.scope) for field in self._cells])


class GpmQuestion(Question):
    """What GPM says of the time since it was asked last, of a GPU or of one of its GPU instances."""

    title = "GPM"

    def __init__(
        self, gpm: Gpm, device: Device, row: Row, metrics: Sequence[GpmMetric], instance: int | None = None
    ) -> None:
        self._gpm = gpm
        self._device = device
        self._instance = instance
        self._metrics = tuple(metrics)
        self._cells = [Cell(row, metric.metric) for metric in metrics]

    @property
    def rates(self) -> dict[str, Cell]:
        """The cells by the names of their metrics."""
        return {metric.metric: cell for metric, cell in zip(self._metrics, self._cells, strict=True)}

    def ask(self) -> None:
        """Take a sample, and compare it with the one before."""
        values = self._gpm.read(self._device, self._metrics, self._instance)
        for cell, value in zip(self._cells, values, strict=True):
            cell.put(value)

    def cells(self) -> Iterable[Cell]:
        """One for each metric."""
        return self._cells
