"""Where several processes run tests, those that share a fixture run in one, and those that measure run alone."""

import os
import threading
from pathlib import Path

import pytest

from tests.support.together import group_of
from tests.support.turns import Turns


@pytest.fixture(scope="module")
def made() -> list[int]:
    return [os.getpid()]


@pytest.fixture
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp().parent


@pytest.mark.parametrize("number", range(6))
def test_a_fixture_of_the_module_is_made_in_one_process(
    made: list[int], shared_folder: Path, request: pytest.FixtureRequest, number: int
) -> None:
    assert group_of(request.node) == __name__
    if "PYTEST_XDIST_TESTRUNUID" in os.environ:
        who = shared_folder / f"{__name__}.{os.environ['PYTEST_XDIST_TESTRUNUID']}"
        with who.open("a") as pids:
            pids.write(f"{made[0]}\n")
        assert len(set(who.read_text().split())) == 1


def test_one_that_shares_nothing_goes_where_there_is_room(request: pytest.FixtureRequest) -> None:
    assert group_of(request.node) == ""


@pytest.mark.alone
def test_one_that_measures_follows_the_others_that_do(request: pytest.FixtureRequest) -> None:
    assert group_of(request.node) == "alone"


class Runner(threading.Thread):
    """A process that runs one test, as a thread: locks of files belong to whoever has opened them."""

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        super().__init__(daemon=True)
        self.running, self.end = threading.Event(), threading.Event()
        self._turns, self._alone = Turns(folder), alone
        self.start()

    def run(self) -> None:
        with self._turns.turn(alone=self._alone, stays=False):
            self.running.set()
            self.end.wait(200)
            self.running.clear()


def test_one_that_measures_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    first, second = Runner(tmp_path), Runner(tmp_path)
    assert first.running.wait(60)
    assert second.running.wait(60)  # those that do not measure run side by side
    measures = Runner(tmp_path, alone=True)
    assert not measures.running.wait(0.3)
    first.end.set()
    assert not measures.running.wait(0.3)
    late = Runner(tmp_path)
    assert not late.running.wait(0.3)  # who comes later does not go before
    second.end.set()
    assert measures.running.wait(60)
    assert not late.running.wait(0.3)
    measures.end.set()
    assert late.running.wait(60)
    late.end.set()


def test_one_that_stays_keeps_its_turn_to_the_next(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    with turns.turn(alone=True, stays=True):
        other = Runner(tmp_path)
    assert not other.running.wait(0.3)
    with turns.turn(alone=True, stays=False):
        assert not other.running.wait(0.3)
    assert other.running.wait(60)
    other.end.set()
