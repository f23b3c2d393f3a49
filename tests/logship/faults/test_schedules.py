"""Seeded random schedules of faults; ``bench/log_schedules.py`` runs a thousand of them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.log_schedule import Outcome, Schedule, warm
from tests.support.shipper_nursery import Nursery

SEEDS = (166, 169, 511, 652, 665, 754, 840, 910, 966, *range(11))
"""The first ones were wrong once."""


def test_schedules_of_faults_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    def run(seed: int) -> Outcome:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return Schedule(seed, folder, nursery).run()

    (tmp_path / "warm").mkdir()
    with Nursery() as nursery, ThreadPoolExecutor(10) as jobs:
        warm(nursery, tmp_path / "warm")
        outcomes = list(jobs.map(run, SEEDS))
    assert [str(outcome) for outcome in outcomes if not outcome.good] == []
