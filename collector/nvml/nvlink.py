"""NVLinks: which of them are up, and the errors of all of them together."""

from collections.abc import Iterable, Sequence
from typing import Final

from collector.nvml.devices import Device
from collector.nvml.fields import LINK_ERRORS
from collector.nvml.fieldvalues import FieldRequest
from collector.nvml.library import NOT_OFFERED, NOT_SUPPORTED, Nvml, NvmlError
from collector.nvml.odometer import Odometer
from collector.nvml.questions import Question
from collector.nvml.wire import Cell, Row

MOST_LINKS: Final = 36
_STATE: Final = "nvmlDeviceGetNvLinkState"


class _Link:
    """One link: the cell of its state, and the error counters that are asked of it."""

    def __init__(self, cell: Cell, counters: Sequence[int], request: FieldRequest) -> None:
        self.cell = cell
        self.counters = counters
        self.request = request


class NvLinks(Question):
    """All NVLinks of a GPU. Which there are, and which errors they count, is found out once.

    Errors are summed over the links by kind: a series for each link and kind would be hundreds a GPU.
    """

    title = _STATE

    def __init__(self, nvml: Nvml, device: Device, row: Row) -> None:
        self._nvml = nvml
        self._device = device
        self._row = row
        self._links: dict[int, _Link] = {}
        self._errors = {
            number: Cell(row, "nvlink_errors_total", (("kind", kind),)) for number, kind in LINK_ERRORS.items()
        }
        self._totals = {number: Odometer() for number in LINK_ERRORS}

    def ask(self) -> None:
        """Ask link by link; a counter that has no value this time keeps its share of the total."""
        if not self._links:
            self._find()
        told: set[int] = set()
        for number, link in self._links.items():
            link.cell.put(float(self._state(number)))
            if link.counters:
                told |= self._count(number, link)
        for counter, cell in self._errors.items():
            cell.put(self._totals[counter].total if counter in told else None)

    def cells(self) -> Iterable[Cell]:
        """One for each link, and one for each kind of error."""
        return (*(link.cell for link in self._links.values()), *self._errors.values())

    def _state(self, link: int) -> int:
        return int(self._nvml.call(_STATE, self._device.handle, link, gpu=self._device.gpu))

    def _count(self, number: int, link: _Link) -> set[int]:
        """Take in the link's counters; returns those that have a value."""
        told = set()
        for counter, (_, value, _) in zip(link.counters, link.request.answers(), strict=True):
            if value is not None:
                self._totals[counter].take(number, value)
                told.add(counter)
        return told

    def _find(self) -> None:
        there = [number for number in range(MOST_LINKS) if self._exists(number)]
        if not there:
            raise NvmlError(_STATE, NOT_SUPPORTED)
        counters = sorted({counter for number in there for counter in self._offered(number)})
        for number in there:
            cell = Cell(self._row, "nvlink_up", (("link", str(number)),))
            self._links[number] = _Link(cell, counters, self._request(number, counters))

    def _exists(self, link: int) -> bool:
        try:
            self._state(link)
        except NvmlError as error:
            if error.code not in NOT_OFFERED:
                raise
            return False
        return True

    def _offered(self, link: int) -> list[int]:
        answers = self._request(link, tuple(LINK_ERRORS)).answers()
        return [counter for counter, (code, _, _) in zip(LINK_ERRORS, answers, strict=True) if code not in NOT_OFFERED]

    def _request(self, link: int, counters: Sequence[int]) -> FieldRequest:
        return FieldRequest(self._nvml, self._device, [(counter, link) for counter in counters])
