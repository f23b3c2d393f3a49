"""What is asked of one GPU, ready to be asked again and again: the call, and the cells that its answer fills."""

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import pynvml

from collector.nvml.devices import Device
from collector.nvml.gpm import Gpm
from collector.nvml.library import NOT_OFFERED, Nvml, NvmlError
from collector.nvml.readings import GPM, Field, Reading
from collector.nvml.wire import Cell, Row

_UNAVAILABLE: Final = frozenset({0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})


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
        self._call, self._args = reading.call, reading.args
        self._outputs = [(Cell(row, output.metric, output.labels), output.pick) for output in reading.outputs]
        self.title = reading.title
        self.otherwise = CallQuestion(nvml, device, row, reading.otherwise) if reading.otherwise else None

    def ask(self) -> None:
        """Make the call, and pick the numbers from its answer."""
        answer = self._nvml.call(self._call, self._device.handle, *self._args, gpu=self._device.gpu)
        if isinstance(answer, int) and answer in _UNAVAILABLE:
            self.blank()
            return
        for cell, pick in self._outputs:
            cell.put(float(pick(answer)))

    def cells(self) -> Iterable[Cell]:
        """One for each output."""
        return (cell for cell, _ in self._outputs)


_FIELD_VALUE: Final = struct.Struct("=IIqqII8s")
"""nvmlFieldValue_t: number, scope, time stamp, latency, type of the value, return code, the value's eight bytes."""

_BY_TYPE: Final = tuple(map(struct.Struct, ("@d", "@I4x", "@L", "@Q", "@q", "@i4x", "@H6x")))
"""How the value reads, by its type: double, unsigned int, long and long long, long long, int, unsigned short."""


class FieldsQuestion(Question):
    """Many fields in one call; each has a return code of its own.

    Args:
        fields: which ones.
        not_offered: told of each field that is not there, which then is asked for no more.
        failed: told of each field that has no value this time, and why.
    """

    title = "nvmlDeviceGetFieldValues"

    def __init__(
        self,
        nvml: Nvml,
        device: Device,
        row: Row,
        fields: Sequence[Field],
        *,
        not_offered: Callable[[Field, int], None],
        failed: Callable[[NvmlError], None],
    ) -> None:
        self._nvml = nvml
        self._device = device
        self._not_offered = not_offered
        self._failed = failed
        self._cells = {field: Cell(row, field.metric, field.labels) for field in fields}
        self._failing: dict[Field, int] = {}
        self._prepare()

    def ask(self) -> None:
        """Have the driver write all values into the request, and read them."""
        if not self._cells:
            return
        self._nvml.symbol(self.title, self._device.handle, len(self._cells), self._request, gpu=self._device.gpu)
        lost: list[tuple[Field, int]] = []
        answers = _FIELD_VALUE.iter_unpack(self._buffer)
        for (field, cell), (_, _, _, _, kind, code, raw) in zip(self._cells.items(), answers, strict=True):
            if code:
                cell.put(None)
                if code in NOT_OFFERED:
                    lost.append((field, code))
                else:
                    self._fail(field, code)
            else:
                cell.put(_value(kind, raw, field))
                self._failing.pop(field, None)
        if lost:
            self._drop(lost)
        elif len(self._failing) == len(self._cells):
            raise NvmlError(self.title, next(iter(self._failing.values())))

    def cells(self) -> Iterable[Cell]:
        """One for each field."""
        return self._cells.values()

    def _fail(self, field: Field, code: int) -> None:
        if self._failing.get(field) != code:
            self._failing[field] = code
            self._failed(NvmlError(f"field {field.number}", code))

    def _drop(self, lost: Sequence[tuple[Field, int]]) -> None:
        for field, code in lost:
            del self._cells[field]
            self._failing.pop(field, None)
            self._not_offered(field, code)
        self._prepare()

    def _prepare(self) -> None:
        """Lay the request out once; the driver writes its answers into it, round after round."""
        self._request = (pynvml.c_nvmlFieldValue_t * len(self._cells))()
        self._buffer = memoryview(self._request).cast("B")
        for slot, field in zip(self._request, self._cells, strict=True):
            slot.fieldId, slot.scopeId = field.number, field.scope


def _value(kind: int, raw: bytes, field: Field) -> float | None:
    if kind >= len(_BY_TYPE):
        return None
    (value,) = _BY_TYPE[kind].unpack(raw)
    return None if value in _UNAVAILABLE else value * field.factor


class GpmQuestion(Question):
    """What GPM says of the time since it was asked last."""

    title = "GPM"

    def __init__(self, gpm: Gpm, device: Device, row: Row) -> None:
        self._gpm = gpm
        self._device = device
        self._cells = [Cell(row, metric.metric) for metric in GPM]

    def ask(self) -> None:
        """Take a sample, and compare it with the one before."""
        for cell, value in zip(self._cells, self._gpm.read(self._device), strict=True):
            cell.put(value)

    def cells(self) -> Iterable[Cell]:
        """One for each metric of the table."""
        return self._cells
