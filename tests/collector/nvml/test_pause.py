"""A pause, kept on disk, ends by itself."""

import json
from pathlib import Path

import pytest

from collector.nvml.health.pause import LONGEST_SECONDS, Pause
from tests.support.hand_clock import HandClock


async def test_it_ends_by_itself(tmp_path: Path) -> None:
    clock = HandClock()
    pause = Pause(tmp_path / "pause.json", clock)
    assert (pause.on, pause.left, pause.until, pause.gate.is_set()) == (False, 0, None, True)
    pause.begin(60)
    assert (pause.on, pause.left, pause.until, pause.gate.is_set()) == (True, 60, "2027-01-15T08:01:00Z", False)
    await clock.advance(59.5)
    assert not pause.end_in_time()
    assert pause.left == 0.5
    await clock.advance(0.5)
    assert pause.end_in_time()
    assert (pause.on, pause.gate.is_set()) == (False, True)
    assert not pause.end_in_time()


async def test_a_second_pause_replaces_the_first(tmp_path: Path) -> None:
    pause = Pause(tmp_path / "pause.json", HandClock())
    pause.begin(600)
    pause.begin(30)
    assert pause.left == 30


async def test_it_outlives_a_restart_for_what_is_left_of_it(tmp_path: Path) -> None:
    path, clock = tmp_path / "pause.json", HandClock()
    pause = Pause(path, clock)
    pause.begin(600)
    pause.save()
    assert path.stat().st_mode & 0o777 == 0o600
    await clock.advance(100)
    again = Pause(path, clock)
    assert (again.left, again.until, again.gate.is_set()) == (500, pause.until, False)
    again.end("asked to")
    again.save()
    assert not path.exists()
    again.save()
    assert not Pause(path, clock).on


async def test_one_that_ended_while_nobody_ran_is_over(tmp_path: Path) -> None:
    path, clock = tmp_path / "pause.json", HandClock()
    pause = Pause(path, clock)
    pause.begin(600)
    pause.save()
    await clock.advance(601)
    assert Pause(path, clock).gate.is_set()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"until": "soon"}', '{"until": null}', '{"till": 1}'])
def test_a_file_that_makes_no_sense_is_no_pause(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pause.json"
    path.write_text(text)
    assert not Pause(path, HandClock()).on


def test_a_clock_that_was_set_back_does_not_pause_for_ever(tmp_path: Path) -> None:
    path, clock = tmp_path / "pause.json", HandClock()
    path.write_text(json.dumps({"until": clock.now_ms() / 1000 + LONGEST_SECONDS + 1}))
    assert not Pause(path, clock).on
