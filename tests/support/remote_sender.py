"""A store and its senders without the rest of the daemon.

``python -m tests.support.remote_sender FOLDER URL SECONDS`` writes scrapes and sends them until it is killed, or
writes for so long, sends the rest and ends.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from collector.remote_write.sender import Sender
from collector.remote_write.settings import RemoteWriteSettings
from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from forewarn.base.clock import HOUR, SystemClock
from forewarn.base.crew import Crew
from tests.support.receivers import Found

HOSTNAME = "node7"
KEYS = [SeriesKey.of("forewarn_test_value", n=str(number)) for number in range(30)]


class Rig:
    """One store, one sender.

    Attributes:
        task: the running sender; it is None between ``rest`` and ``go_on``.
    """

    def __init__(self, folder: Path, settings: RemoteWriteSettings, **store: Any) -> None:
        self.store = Store.open(folder / "metrics.db", StoreSettings(**store), SystemClock())
        self.crew = Crew("writer")
        self.settings = settings
        self.task: asyncio.Task[None] | None = None
        self.go_on()

    def go_on(self) -> None:
        self.sender = Sender(
            self.settings,
            HOSTNAME,
            self.store,
            keeps_ms=7 * 24 * HOUR,
            submit=self.crew.submit,
            clock=SystemClock(),
            random=lambda: 0.05,
            pause_seconds=0.02,
        )
        self.task = asyncio.get_running_loop().create_task(self.sender.run())

    async def rest(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def append(self, samples: Sequence[Sample], time_ms: int) -> None:
        self.store.append(Scrape(time_ms, samples))
        self.sender.wake()

    async def caught_up(self, seconds: float = 120.0) -> None:
        """Wait until everything is delivered or dropped."""
        end = time.monotonic() + seconds
        newest = self.store.stats().newest_ms
        while self.sender.tally.delivered_ms is None or self.sender.tally.delivered_ms < (newest or 0):
            assert time.monotonic() < end, self.sender.tally
            assert self.task is not None
            assert not self.task.done(), self.task
            self.sender.wake()
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self.rest()
        self.crew.close()
        self.store.close()


@asynccontextmanager
async def sending(folder: Path, url: str, store: dict[str, Any] | None = None, **settings: Any) -> Any:
    """A store in ``folder`` whose samples go to ``url``."""
    rig = Rig(folder, RemoteWriteSettings(url=url, **{"every": 0.02, "timeout": 5, **settings}), **(store or {}))
    try:
        yield rig
    finally:
        await rig.close()


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.01)


def stored(path: Path, labels: dict[str, str] | None = None) -> Found:
    """Every sample of a store, the series with the labels that are added."""
    with _reading(path) as reader:
        return {
            series.key.with_labels(tuple((labels or {"instance": HOSTNAME, "hostname": HOSTNAME}).items())): dict(
                zip(*(part.tolist() for part in reader.samples(series.id, -(2**60), 2**60)), strict=True)
            )
            for series in reader.series()
        }


@contextmanager
def _reading(path: Path) -> Iterator[StoreReader]:
    reader = StoreReader(path)
    try:
        yield reader
    finally:
        reader.close()


async def main(folder: Path, url: str, seconds: float) -> None:
    async with sending(folder, url, batch_samples=40, every=0.03, history=60, store={"row_age": 1}) as rig:
        end = time.monotonic() + seconds
        number = (rig.store.stats().newest_ms or 0) % 1000
        while time.monotonic() < end:
            number += 1
            rig.append([Sample(key, float(number)) for key in KEYS[: 20 + number % 10]], time.time_ns() // 1_000_000)
            sys.stdout.write("appended\n")
            sys.stdout.flush()
            await rig.crew.submit(rig.store.compact)
            await asyncio.sleep(0.02)
        await rig.caught_up()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
