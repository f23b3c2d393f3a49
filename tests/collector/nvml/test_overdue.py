"""Driver calls that take long, again and again."""

import logging

import pytest

from collector.nvml.overdue import SLOW_WITHIN_SECONDS, Overdue
from tests.support.hand_clock import HandClock


async def a_slow_round(overdue: Overdue, clock: HandClock, seconds: float = 6.0) -> None:
    for waited in range(int(seconds)):
        await clock.advance(1)
        overdue.busy("nvmlDeviceGetPowerUsage", "4", waited + 1)
        overdue.judge()
    overdue.progressed(due_in=1.0, took=seconds)


async def test_three_slow_rounds_in_ten_minutes_are_trouble_and_one_is_none() -> None:
    clock = HandClock()
    overdue = Overdue(clock, 1.0, stuck_after=8.0)
    overdue.started()
    for _ in range(2):
        await a_slow_round(overdue, clock)
        assert overdue.slow == ""
    await a_slow_round(overdue, clock)
    assert overdue.slow == "a round took 6 s, last seen in nvmlDeviceGetPowerUsage of GPU 4"
    overdue.progressed(due_in=1.0, took=0.1)
    assert overdue.slow
    await clock.advance(SLOW_WITHIN_SECONDS)
    assert overdue.slow == ""


async def test_slow_rounds_that_are_far_apart_are_no_trouble() -> None:
    clock = HandClock()
    overdue = Overdue(clock, 1.0, stuck_after=8.0)
    for _ in range(6):
        await a_slow_round(overdue, clock)
        await clock.advance(SLOW_WITHIN_SECONDS / 2)
        assert overdue.slow == ""


async def test_a_new_child_begins_with_a_clean_sheet() -> None:
    clock = HandClock()
    overdue = Overdue(clock, 1.0, stuck_after=8.0)
    for _ in range(3):
        await a_slow_round(overdue, clock)
    overdue.ended()
    assert overdue.slow == ""


async def test_a_late_call_is_told_of_once_in_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    overdue = Overdue(clock, 1.0, stuck_after=8.0)
    for _ in range(5):
        await a_slow_round(overdue, clock)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "nvmlDeviceGetPowerUsage of GPU 4 for 5 s" in caplog.text
    await clock.advance(SLOW_WITHIN_SECONDS)
    await a_slow_round(overdue, clock)
    assert len(caplog.records) == 2
