"""Jobs spread over a Dask cluster. Its scheduler gives the jobs of a lost worker to others."""

import importlib.util
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from forecast.fleet.job import Job
from forecast.fleet.spread import LOST, in_order
from forecast.results import Forecast
from forewarn.base.errors import ForewarnError, MissingExtraError

_CONNECT_SECONDS = 10.0


class ClusterError(ForewarnError):
    """The cluster cannot do it."""


class Cluster:
    """A Dask cluster whose workers have the same Forewarn as this process.

    Args:
        address: of the scheduler, such as tcp://scheduler:8786; Dask's own configuration holds certificates for tls://.

    Raises:
        MissingExtraError: dask.distributed is not installed.
        ClusterError: no scheduler answers, it has no workers, or they have another Forewarn.
    """

    def __init__(self, address: str) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise MissingExtraError("--dask", "dask")
        from distributed import Client  # noqa: PLC0415  only who has a cluster pays for it

        self._address = address
        try:
            self._client: Any = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
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

    def done(self, jobs: Iterable[Job]) -> Iterator[list[Forecast]]:
        """What becomes of each job, in order.

        Raises:
            ClusterError: the scheduler is gone.
        """
        return in_order(
            lambda job: _Task(self, job, self._client.submit(job.forecasts, pure=False)), jobs, self._workers
        )

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


class _Task:
    def __init__(self, cluster: Cluster, job: Job, future: Any) -> None:
        self._cluster = cluster
        self._job = job
        self._future = future

    def result(self) -> list[Forecast]:
        from distributed import CancelledError, KilledWorker  # noqa: PLC0415  as above

        try:
            found: list[Forecast] = self._future.result()
        except KilledWorker:
            return self._job.lost(LOST)
        except CancelledError as error:
            raise self._cluster.gone() from error
        return found
