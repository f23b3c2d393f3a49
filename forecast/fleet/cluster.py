"""Jobs spread over a Dask cluster. Its scheduler gives the jobs of a lost worker to others."""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from forecast.fleet.job import Job
from forecast.fleet.processes import Processes
from forecast.fleet.spread import in_order
from forecast.results import Forecast
from forewarn.base.errors import ForewarnError, MissingExtraError


class ClusterError(ForewarnError):
    """The cluster cannot do it."""


class Cluster:
    """A Dask cluster whose workers have the same Forewarn as this process.

    Args:
        address: of the scheduler, such as tcp://scheduler:8786; Dask's own configuration holds certificates for tls://.
        patience: seconds in which it must answer.

    Raises:
        MissingExtraError: dask.distributed is not installed.
        ClusterError: no scheduler answers, it has no workers, or they have another Forewarn.
    """

    def __init__(self, address: str, *, patience: float = 10.0) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise MissingExtraError("--dask", "dask")
        from distributed import Client  # noqa: PLC0415  only who has a cluster pays for it

        self._address = address
        self._here = Processes(1)
        try:
            self._client: Any = Client(address, timeout=patience, set_as_default=False)
        except (OSError, ValueError) as error:  # the latter is what Dask says of a malformed address
            raise ClusterError(f"no Dask scheduler answers at {address}", hint="is the address right?") from error
        try:
            self._workers = self._looked_at()
        except ClusterError:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()
        self._here.__exit__(kind, error, at)

    def done(self, jobs: Iterable[Job]) -> Iterator[list[Forecast]]:
        """What becomes of each job, in order.

        Raises:
            ClusterError: the scheduler is gone.
        """
        return in_order(self._begun, jobs, self._workers)

    def _begun(self, job: Job) -> "_Task":
        return _Task(self, job, self._client.submit(job.forecasts, pure=False))

    def _looked_at(self) -> int:
        """How many jobs run at once."""
        threads: dict[str, int] = self._client.nthreads()
        if not threads:
            raise ClusterError(f"the Dask scheduler at {self._address} has no workers", hint="dask worker ADDRESS")
        ours, theirs = version("forewarn"), self._client.run(version, "forewarn", on_error="return")
        for worker, found in theirs.items():
            if found != ours:
                what = f"Forewarn {found}" if isinstance(found, str) else "no Forewarn"
                raise ClusterError(f"the Dask worker {worker} has {what}", hint=f"pip install forewarn=={ours} there")
        return sum(threads.values())

    def gone(self) -> ClusterError:
        """What is said where the scheduler is."""
        return ClusterError(f"the Dask scheduler at {self._address} is gone", hint="run the command again")

    def given_up(self, job: Job) -> list[Forecast]:
        """A job that Dask gave up, done here: it blames all that a lost worker was to do, not the guilty one alone."""
        return next(self._here.done([job]))


@dataclass(frozen=True, slots=True)
class _Task:
    cluster: Cluster
    job: Job
    future: Any

    def result(self) -> list[Forecast]:
        from distributed import CancelledError, KilledWorker  # noqa: PLC0415  as above

        try:
            found: list[Forecast] = self.future.result()
        except KilledWorker:
            return self.cluster.given_up(self.job)
        except CancelledError as error:
            raise self.cluster.gone() from error
        return found
