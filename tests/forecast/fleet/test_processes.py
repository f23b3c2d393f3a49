"""Jobs over real processes."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from forecast.fleet.job import Job
from forecast.fleet.processes import Processes
from forecast.fleet.spread import LOST
from forecast.results import Forecast
from tests.support.fleet_jobs import as_bytes, deadly, job

COUNT = 6


@pytest.fixture(scope="module")
def alone() -> list[list[Forecast]]:
    """What one worker makes of all jobs."""
    with Processes(1) as spread:
        return list(spread.done(job(number) for number in range(COUNT)))


def test_the_result_is_the_same_to_the_byte_whatever_the_spread(alone: list[list[Forecast]]) -> None:
    with Processes(3) as spread:
        found = list(spread.done(job(number) for number in range(COUNT)))
    assert [len(some) for some in found] == [6] * COUNT
    assert {each.status for some in found for each in some} == {"ok"}
    assert [(each.target.label("part"), each.target.label("n")) for some in found for each in some[::2]] == [
        (str(number), str(row)) for number in range(COUNT) for row in range(3)
    ]
    assert as_bytes(found) == as_bytes(alone)


def test_a_worker_that_dies_costs_a_try_of_its_job(
    tmp_path: Path, alone: list[list[Forecast]], caplog: pytest.LogCaptureFixture
) -> None:
    def jobs() -> Iterator[Job]:
        for number in range(COUNT):
            yield deadly(number, tmp_path / str(number), deaths=2) if number == 2 else job(number)

    with caplog.at_level(logging.WARNING), Processes(2) as spread:
        found = list(spread.done(jobs()))
    assert found == alone
    died = set((tmp_path / "2").read_text().split())
    assert len(died) == 3, "two died, the third did it"
    assert len(caplog.records) == 2


def test_a_job_that_no_worker_outlives_fails_alone(tmp_path: Path, alone: list[list[Forecast]]) -> None:
    with Processes(2) as spread:
        found = list(spread.done([job(0), deadly(1, tmp_path / "record", deaths=9), job(2)]))
    assert (found[0], found[2]) == (alone[0], alone[2])
    assert {(each.status, each.reason, each.model) for each in found[1]} == {("failed", LOST, "")}
    assert [(each.target, each.statistic) for each in found[1]] == [(each.target, each.statistic) for each in alone[1]]


def test_a_worker_killed_from_outside(alone: list[list[Forecast]]) -> None:
    with Processes(2) as spread:
        results = spread.done(job(number) for number in range(COUNT))
        found = [next(results)]
        os.kill(spread.pids[0], signal.SIGKILL)
        found += results
    assert found == alone


def test_jobs_are_taken_as_workers_come_free() -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(20):
            taken.append(number)
            yield job(number)

    with Processes(1) as spread:
        next(spread.done(jobs()))
        assert len(taken) <= 5, "what is read waits in memory"


def test_no_process_is_left_when_the_work_is_given_up() -> None:
    with Processes(2) as spread:
        next(spread.done(job(number) for number in range(COUNT)))
        pids = spread.pids
    assert pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


PARENT = """
import time
from forecast.fleet.processes import Processes
from tests.support.fleet_jobs import job
with Processes(2) as spread:
    results = spread.done(job(number) for number in range(4))
    list(results)
    print(*spread.pids, flush=True)
    time.sleep(300)
"""


def test_workers_end_with_their_parent() -> None:
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert workers
    end = time.monotonic() + 60
    while any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.05)


LOADED = """
import sys
from tests.support.fleet_jobs import job
job(0).forecasts()
print(*sys.modules)
"""


def test_a_worker_needs_little() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, cwd=root, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numpy" in loaded
    assert loaded & {"pandas", "prophet", "torch", "pyarrow", "distributed", "dask"} == set()
