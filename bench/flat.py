"""Hours of rounds as fast as they go: collector, page and store with a clock moved by hand; what stays resident.

Run as a process of its own: ``python -m bench.flat HOURS``. It prints one JSON object.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from collector.exposition import Exposition
from collector.rounds import Collector
from collector.series import Sample
from collector.store import Store, StoreSettings
from forewarn.base.clock import HOUR, SECOND
from forewarn.base.memory import give_back, settle, stay_small
from forewarn.simulate import Node

_BLOCK = 600
_LOOK_EVERY = 60
_COMPACT_EVERY = 10
_SLICES = 100


class Simulated:
    """The simulated node as a source; values are made ten minutes at a time."""

    name = "simulated"

    def __init__(self, clock: "SteppedClock") -> None:
        self._clock = clock
        self._node = Node(clock.now_ms())
        self._begin = 0
        self._rows = np.empty((0, 0))

    async def collect(self) -> Sequence[Sample]:
        """What the node shows now."""
        place = (self._clock.now_ms() - self._begin) // SECOND
        if not 0 <= place < len(self._rows):
            self._begin, place = self._clock.now_ms(), 0
            times = np.arange(self._begin, self._begin + _BLOCK * SECOND, SECOND, dtype=np.int64)
            self._rows = np.array([one.at(times) for one in self._node.series]).T
        row = self._rows[place].tolist()
        return [Sample(one.key, value, one.counter) for one, value in zip(self._node.series, row, strict=True)]

    async def close(self) -> None:
        """Nothing to let go of."""


class SteppedClock:
    """A second passes with every ``step``; the deadline of a round never comes."""

    def __init__(self) -> None:
        self._now_ms = time.time_ns() // 1_000_000 // HOUR * HOUR

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._now_ms

    def monotonic(self) -> float:
        """The machine's own seconds: the store's slices are as long as they are."""
        return time.monotonic()

    async def sleep(self, _: float) -> None:
        """Never returns: whoever waits is cancelled."""
        await asyncio.Event().wait()

    def step(self) -> None:
        """A second passes."""
        self._now_ms += SECOND


async def drive(hours: float, folder: Path) -> dict[str, Any]:
    """So many hours, a round a second; resident size once a simulated minute, in MiB."""
    clock = SteppedClock()
    store = Store.open(folder / "metrics.db", StoreSettings(), clock)
    collector = Collector([Simulated(clock)], clock, 1.0)
    exposition, sizes, started = Exposition("bench"), [], time.monotonic()
    settle()
    for second in range(int(hours * 3600)):
        scrape = await collector.round()
        exposition.render(scrape)
        store.append(scrape)
        if second % _COMPACT_EVERY == 0:
            _compact(store)
        if second % _LOOK_EVERY == 0:
            sizes.append(_resident_mib())
        clock.step()
    series = len(collector.last.samples) if collector.last else 0
    store.close()
    return {"hours": hours, "series": series, "seconds": time.monotonic() - started, "rss_mib": sizes}


def _compact(store: Store) -> None:
    for _ in range(_SLICES):
        if not store.compact():
            break
    give_back()


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * 4096 / 2**20, 2)


if __name__ == "__main__":
    stay_small()
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as name:
        sys.stdout.buffer.write(orjson.dumps(asyncio.run(drive(float(sys.argv[1]), Path(name)))))
