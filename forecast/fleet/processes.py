"""Jobs spread over processes of this machine. One that dies costs its job another try, and nothing else."""

import logging
import multiprocessing
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from forecast.fleet.job import Job
from forecast.fleet.spread import LOST, TRIES, in_order
from forecast.fleet.worker import serve
from forecast.results import Forecast

log = logging.getLogger(__name__)


class Processes:
    """So many worker processes, each begun when there is work for it; a thread each waits for its answers."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="forecasts")
        self._mine = threading.local()
        self._workers: list[_Worker] = []
        self._closing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._end_workers()
        self._threads.shutdown()
        self._end_workers()  # one may have been about to begin

    @property
    def pids(self) -> list[int]:
        """The processes that live."""
        return [worker.pid for worker in self._workers if not worker.ended]

    def done(self, jobs: Iterable[Job]) -> Iterator[list[Forecast]]:
        """What becomes of each job, in order."""
        return in_order(lambda job: self._threads.submit(self._do, job), jobs, self._count)

    def _do(self, job: Job) -> list[Forecast]:
        for _ in range(TRIES):
            worker = self._worker()
            try:
                return worker.do(job)
            except (EOFError, OSError):
                if self._closing:
                    return []  # nobody waits for it any more
                worker.end()
                log.warning("a forecasting process ended; its series are tried again", extra={"pid": worker.pid})
        return job.lost(LOST)

    def _end_workers(self) -> None:
        while self._workers:
            self._workers.pop().end()

    def _worker(self) -> "_Worker":
        """This thread's own."""
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None or worker.ended:
            worker = self._mine.worker = _Worker()
            self._workers.append(worker)
        return worker


class _Worker:
    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process: BaseProcess = context.Process(target=serve, args=(far,), daemon=True)
        self._process.start()
        far.close()
        self.ended = False

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def do(self, job: Job) -> list[Forecast]:
        pipe: Connection = self._pipe
        pipe.send(job)
        found: list[Forecast] = pipe.recv()
        return found

    def end(self) -> None:
        self.ended = True
        self._process.terminate()
        self._process.join()
        self._pipe.close()
