"""Forecasts on a schedule, by a clock of the test's own."""

import logging
from collections.abc import Callable, Sequence

import pytest

from forecast.fleet.service import Service, kept
from forecast.metrics import samples
from forecast.results import Forecast
from forewarn.base.clock import HOUR
from forewarn.base.errors import ForewarnError
from tests.support.hourly import BEGIN_MS, forecast
from tests.support.set_clock import SetClock


class EndedError(Exception):
    """The test has seen enough."""


class Rig:
    """What happened, minute by minute."""

    def __init__(self, begin_ms: int = BEGIN_MS, settled_ms: int = 0) -> None:
        self.clock = SetClock(begin_ms)
        self.settled_ms = settled_ms
        self.made: list[float] = []
        self.written: list[float] = []
        self.making_fails: set[float] = set()
        self.writing_fails: set[float] = set()

    def forecast(self) -> Sequence[Forecast]:
        self.made.append(self.minute)
        if self.minute in self.making_fails:
            raise ForewarnError("the server is away")
        return [forecast()]

    def write(self, made: Sequence[Forecast]) -> int:
        self.written.append(self.minute)
        if self.minute in self.writing_fails:
            raise ForewarnError("the receiver is away")
        return len(made)

    @property
    def minute(self) -> float:
        return (self.clock.wall_ms - BEGIN_MS) / 60_000

    def sleep(self, until: float) -> Callable[[float], None]:
        def slept(seconds: float) -> None:
            self.clock.pass_time(seconds)
            if self.minute >= until:
                raise EndedError

        return slept

    def run(self, every: float, until: float) -> None:
        with pytest.raises(EndedError):
            Service(self.forecast, self.write, every, self.clock, self.sleep(until), settled_ms=self.settled_ms).run()


def test_made_when_due_and_written_every_minute() -> None:
    rig = Rig()
    rig.run(600, 21)
    assert rig.made == [0, 10, 20]
    assert rig.written == list(range(21))


def test_a_run_begins_when_the_hour_before_it_is_settled() -> None:
    """Begun ten minutes before the full hour, it does not stay fifty minutes late for ever."""
    rig = Rig(BEGIN_MS - BEGIN_MS % HOUR + 50 * 60_000, settled_ms=60_000)
    first = rig.minute
    rig.run(3600, first + 140)
    assert [minute - first for minute in rig.made] == [0, 11, 71, 131]


def test_a_clock_that_is_set_back_does_not_stop_the_forecasts() -> None:
    rig = Rig(BEGIN_MS + 10 * HOUR)
    slept = rig.sleep(635)

    def sleep(seconds: float) -> None:
        slept(seconds)
        if rig.minute == 615:
            rig.clock.wall_ms -= 10 * HOUR
        if rig.minute == 35:
            raise EndedError

    with pytest.raises(EndedError):
        Service(rig.forecast, rig.write, 600, rig.clock, sleep).run()
    assert rig.made == [600, 610, 15, 20, 30]


def test_what_fails_is_tried_every_minute_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.making_fails = {0, 1, 2, 10}
    rig.writing_fails = {5, 6}
    with caplog.at_level(logging.INFO, "forecast.fleet.service"):
        rig.run(600, 16)
    assert rig.made == [0, 1, 2, 3, 10, 11]
    assert rig.written == list(range(3, 16)), "the old ones are written while there are no new ones"
    told = [record.getMessage() for record in caplog.records if record.getMessage() != "forecasts are made"]
    assert told == [
        "forecasting failed; it is tried again every minute",
        "forecasting goes well again",
        "writing failed; it is tried again every minute",
        "writing goes well again",
        "forecasting failed; it is tried again every minute",
        "forecasting goes well again",
    ]


def test_what_is_kept_is_written_as_the_whole_would_be() -> None:
    made = [forecast(breach_ms=BEGIN_MS + 7_200_000), forecast("y", status="no_data", points={})]
    (lean, empty) = kept(made)
    assert samples([lean, empty], BEGIN_MS) == samples(made, BEGIN_MS)
    assert empty.points == {}
