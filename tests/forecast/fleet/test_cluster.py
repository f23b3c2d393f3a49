"""Jobs over a real Dask scheduler with real workers, on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forecast.fleet.cluster import Cluster, ClusterError
from forecast.fleet.processes import Processes
from forecast.fleet.spread import LOST
from tests.support.dask_cluster import DaskCluster
from tests.support.fleet_jobs import as_bytes, deadly, job
from tests.support.ports import free_port

COUNT = 3


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with DaskCluster(tmp_path_factory.mktemp("dask"), 2) as cluster:
        yield cluster.address


@pytest.mark.slow
def test_the_result_is_the_same_to_the_byte_as_over_processes(scheduler: str) -> None:
    with Processes(2) as spread:
        here = list(spread.done(job(number) for number in range(COUNT)))
    with Cluster(scheduler) as spread:
        there = list(spread.done(job(number) for number in range(COUNT)))
    assert there == here
    assert as_bytes(there) == as_bytes(here)


@pytest.mark.slow
def test_a_lost_worker_costs_a_try_and_a_deadly_job_fails_alone(scheduler: str, tmp_path: Path) -> None:
    plain = job(0).forecasts()
    with Cluster(scheduler) as spread:
        found = list(spread.done([deadly(0, tmp_path / "once", deaths=1, lives=1.0), job(0)]))
        assert found == [plain, plain]
        assert len((tmp_path / "once").read_text().split()) == 2
        found = list(spread.done([deadly(0, tmp_path / "always", deaths=99, lives=1.0), job(0)]))
    assert {(each.status, each.reason) for each in found[0]} == {("failed", LOST)}
    assert found[1] == plain


def test_no_scheduler(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}"):
        Cluster(address, patience=0.5)


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://127.0.0.1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ClusterError, match="no Dask scheduler answers at"):
        Cluster(address, patience=0.5)


@pytest.mark.slow
def test_a_scheduler_without_workers_and_one_that_goes_away(tmp_path: Path) -> None:
    with DaskCluster(tmp_path, 0) as cluster:
        with pytest.raises(ClusterError, match="has no workers"):
            Cluster(cluster.address)
        cluster.add_worker()
        with Cluster(cluster.address) as spread:
            results = spread.done(job(number) for number in range(20))
            next(results)
            cluster.close()
            with pytest.raises(ClusterError, match="is gone"):
                list(results)
