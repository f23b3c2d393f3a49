"""Jobs spread over workers, their results in the order of the jobs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from forecast.fleet.job import Job
from forecast.results import Forecast

TRIES = 3
"""Workers that a job may take down with it."""
LOST = "every worker that was given it ended"
AHEAD = 3
"""Jobs that are read ahead for each worker."""


class Spread(AbstractContextManager["Spread"], Protocol):
    """Somebody who does jobs. The result of a job is the same whoever does it."""

    def done(self, jobs: Iterable[Job]) -> Iterator[list[Forecast]]:
        """What becomes of each, in order; jobs are taken as workers come free."""
        ...


class Result(Protocol):
    """What will have been done."""

    def result(self) -> list[Forecast]:
        """Wait for it."""
        ...


def in_order(submit: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[list[Forecast]]:
    """The results of jobs, of which some are always under way."""
    under_way: deque[Result] = deque()
    for job in jobs:
        under_way.append(submit(job))
        if len(under_way) > AHEAD * workers:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
