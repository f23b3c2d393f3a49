"""A real Dask scheduler and its workers, each in a process of its own, on loopback."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port

_ROOT = Path(__file__).parents[2]
START_SECONDS, END_SECONDS = 120.0, 30.0


class DaskCluster:
    """A scheduler that gives a job up when it has taken two workers down; its workers' nannies start the lost anew."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", ["--port", self.address.rpartition(":")[2]], ready="Scheduler at:")
        for _ in range(workers):
            self.add_worker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add_worker(self) -> None:
        """Return when the scheduler knows it."""
        told = ["--nworkers", "1", "--nthreads", "1", "--local-directory", str(self._folder)]
        self._start("worker", [self.address, *told], ready="Registered to:")

    def _start(self, kind: str, told: list[str], *, ready: str) -> None:
        log = self._folder / f"{kind}-{len(self._processes)}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1", "--no-dashboard", *told],
                env={**os.environ, "PYTHONPATH": str(_ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"},
                stderr=errors,
            )
        self._processes.append(process)
        until = time.monotonic() + START_SECONDS
        while ready not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, f"the {kind} has not started: {log.read_text()}"
            time.sleep(0.05)

    def close(self) -> None:
        """The scheduler's end comes first: so it ends for a client that still waits."""
        for process in self._processes:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
