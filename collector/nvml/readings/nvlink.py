"""NVLinks: which of them are up, and the errors of all of them together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from collector.nvml.codes import NOT_OFFERED, NOT_SUPPORTED, NvmlError
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.readings.counters import Odometer
from collector.nvml.readings.fields import LINK_ERROR_RATIOS, LINK_ERRORS, bit_error_ratio
from collector.nvml.readings.fieldvalues import FieldRequest
from collector.nvml.readings.questions import Question
from collector.nvml.wire import Cell, Row

MOST_LINKS: Final = 36
_STATE: Final = "nvmlDeviceGetNvLinkState"


class _Link:
    """One link: the cell of its state, and the fields that are asked of it."""

    def __init__(self, cell: Cell, numbers: Sequence[int], request: FieldRequest) -> None:
        self.cell = cell
        self.numbers = numbers
        self.request = request

    def values(self) -> Iterator[tuple[int, float]]:
        """The fields that have a value now."""
        if self.numbers:
            for number, answer in zip(self.numbers, self.request.answers(), strict=True):
                if answer.value is not None:
                    yield number, answer.value


class NvLinks(Question):
    """All NVLinks of a GPU. Which there are, and which errors they count, is found out once.

    Errors are summed over the links by kind, and of the error ratios the worst link's is told: a series for each link
    and kind would be hundreds a GPU.
    """

    title = _STATE

    def __init__(self, nvml: Nvml, device: Device, row: Row) -> None:
        self._nvml = nvml
        self._device = device
        self._row = row
        self._links: dict[int, _Link] = {}
        self._cells = {
            **{number: _cell(row, "errors_total", kind) for number, kind in LINK_ERRORS.items()},
            **{number: _cell(row, "bit_error_ratio", kind) for number, kind in LINK_ERROR_RATIOS.items()},
        }
        self._totals = {number: Odometer() for number in LINK_ERRORS}

    def sum_up(self, number: int, metric: str) -> None:
        """Sum one more field over the links; told before the first question."""
        self._cells[number] = Cell(self._row, metric)
        self._totals[number] = Odometer()

    def ask(self) -> None:
        """Ask link by link; a counter that has no value this time keeps its share of the total."""
        if not self._links:
            self._find()
        told: dict[int, float] = {}
        states = self._states()
        for place, link in self._links.items():
            link.cell.put(states[place])
            for number, value in link.values():
                told[number] = self._combine(number, place, value, told.get(number, 0.0))
        for number, cell in self._cells.items():
            cell.put(told.get(number))

    def cells(self) -> Iterable[Cell]:
        """One for each link, and one for each kind of error."""
        return (*(link.cell for link in self._links.values()), *self._cells.values())

    def _states(self) -> dict[int, float]:
        """1 or 0 by link; one that was there and is offered no more is down, unless it goes for all of them."""
        states: dict[int, float] = {}
        refused: list[NvmlError] = []
        for place in self._links:
            try:
                states[place] = float(self._state(place))
            except NvmlError as error:
                if error.code not in NOT_OFFERED:
                    raise
                states[place] = 0.0
                refused.append(error)
        if len(refused) == len(states):
            raise refused[0]
        return states

    def _state(self, link: int) -> int:
        return int(self._nvml.call(_STATE, self._device.handle, link, gpu=self._device.gpu))

    def _combine(self, number: int, link: int, value: float, so_far: float) -> float:
        """What a field of all links is, with this link's value in it."""
        if number in LINK_ERROR_RATIOS:
            return max(so_far, bit_error_ratio(value))
        self._totals[number].take(link, value)
        return self._totals[number].total

    def _find(self) -> None:
        there = [number for number in range(MOST_LINKS) if self._exists(number)]
        if not there:
            raise NvmlError(_STATE, NOT_SUPPORTED)
        offered = {number for link in there for number in self._offered(link)}
        numbers = [number for number in self._cells if number in offered]
        for link in there:
            cell = Cell(self._row, "nvlink_up", (("link", str(link)),))
            self._links[link] = _Link(cell, numbers, self._request(link, numbers))

    def _exists(self, link: int) -> bool:
        try:
            self._state(link)
        except NvmlError as error:
            if error.code not in NOT_OFFERED:
                raise
            return False
        return True

    def _offered(self, link: int) -> list[int]:
        try:
            answers = self._request(link, tuple(self._cells)).answers()
        except NvmlError as error:
            if error.code not in NOT_OFFERED:
                raise
            return []  # the states of the links are worth having by themselves
        return [number for number, answer in zip(self._cells, answers, strict=True) if answer.code not in NOT_OFFERED]

    def _request(self, link: int, numbers: Sequence[int]) -> FieldRequest:
        return FieldRequest(self._nvml, self._device, [(number, link) for number in numbers])


def _cell(row: Row, what: str, kind: str) -> Cell:
    return Cell(row, f"nvlink_{what}", (("kind", kind),))
