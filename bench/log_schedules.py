"""Seeded random schedules of faults for the log shipper: ``python -m bench.log_schedules --count 1000``.

Each schedule writes, rotates, compresses and removes logs, ends the shipper in three ways and stops it, and lets the
far side refuse, break off, lose answers, go away and roll over. Then every line must be there once, at its own place.
"""

import argparse
import json
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.machine import describe
from tests.support.log_schedule import Outcome, Schedule, warm
from tests.support.shipper_nursery import Nursery

_RESULT = Path(__file__).parent / "results" / "log_schedules.json"


def main() -> None:
    """Run them, tell what was wrong, write the result."""
    told = _arguments()
    seeds = range(told.first, told.first + told.count)
    began, telling = time.monotonic(), threading.Lock()
    outcomes: list[Outcome] = []

    def run(seed: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="log-schedule-"))
        outcome = Schedule(seed, folder, nursery).run()
        with telling:
            outcomes.append(outcome)
            if outcome.good:
                shutil.rmtree(folder)
            else:
                print(f"{outcome}\n  kept in {folder}", flush=True)
            if len(outcomes) % 50 == 0:
                print(f"{len(outcomes)} schedules, {time.monotonic() - began:.0f} s", flush=True)

    with Nursery() as nursery, ThreadPoolExecutor(told.jobs) as jobs:
        with tempfile.TemporaryDirectory() as folder:
            warm(nursery, Path(folder))
        for done in [jobs.submit(run, seed) for seed in seeds]:
            done.result()
    result = _summary(outcomes, time.monotonic() - began)
    print(json.dumps(result, indent=2))
    if told.write:
        told.write.write_text(
            json.dumps(result | {"machine": describe(Path(tempfile.gettempdir()), {})}, indent=2) + "\n"
        )
    raise SystemExit(0 if not result["wrong_seeds"] else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=12, help="at once; they mostly wait (default %(default)s)")
    parser.add_argument("--write", type=Path, nargs="?", const=_RESULT, help="write the result to a file")
    return parser.parse_args()


def _summary(outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    return {
        "schedules": len(outcomes),
        "lines": sum(outcome.lines for outcome in outcomes),
        "events": sum(len(outcome.events) for outcome in outcomes),
        "lost": sum(len(outcome.lost) for outcome in outcomes),
        "twice": sum(len(outcome.twice) for outcome in outcomes),
        "misplaced": sum(len(outcome.misplaced) for outcome in outcomes),
        "complaints": sum(len(outcome.complaints) for outcome in outcomes),
        "wrong_seeds": sorted(outcome.seed for outcome in outcomes if not outcome.good),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
