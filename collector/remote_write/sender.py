"""One receiver: from the store to it, span after span, with a bookmark in the store."""

import asyncio
import contextlib
import logging
import random as randomness
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from collector.remote_write.book import SeriesBook
from collector.remote_write.delivery import Delivery
from collector.remote_write.place import Place
from collector.remote_write.settings import RemoteWriteSettings
from collector.remote_write.tally import Tally
from collector.store.bulk import Batch, Outlook, count_rolled_up, look, read_batch
from collector.store.model import Series
from forewarn.base.clock import HOUR, MINUTE, Clock, rfc3339
from forewarn.base.errors import StoreError
from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

SPAN_MS = 30 * MINUTE
"""Prometheus takes no sample that is an hour older than its newest one: all series advance together."""
_GRAIN_MS = 5 * MINUTE
_READ_SECONDS = 60.0
TROUBLE_PAUSE_SECONDS = 5.0
_GOODBYE_SECONDS = 1.0


class SeriesStore(Protocol):
    """What is asked of the store."""

    path: Path

    def series(self) -> list[Series]:
        """Every series."""
        ...

    def bookmark(self, source: str) -> str | None:
        """What was saved under this name."""
        ...

    def save_bookmark(self, source: str, place: str) -> None:
        """Save it durably."""
        ...


class Submit(Protocol):
    """Runs a function on the thread that writes the store."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
        """The function's result."""
        ...


class Sender:
    """Sends what the store gets to one receiver.

    Args:
        settings: the receiver.
        hostname: the node's name.
        store: the series and the bookmarks.
        keeps_ms: how long the store keeps single samples.
        submit: runs what writes the store.
        clock: the time.
        random: what full jitter draws, 0 to 1.
        pause_seconds: between tries while the store cannot be used.
    """

    def __init__(
        self,
        settings: RemoteWriteSettings,
        hostname: str,
        store: SeriesStore,
        *,
        keeps_ms: int,
        submit: Submit,
        clock: Clock,
        random: Callable[[], float] = randomness.random,
        pause_seconds: float = TROUBLE_PAUSE_SECONDS,
    ) -> None:
        self.tally = Tally(settings.label)
        self._settings = settings
        self._store = store
        self._submit = submit
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._max_age_ms = keeps_ms if settings.max_age is None else min(keeps_ms, int(settings.max_age * 1000))
        self._bookmark = f"remote_write:{settings.label}"
        self._book = SeriesBook(settings, hostname, store.series)
        self._lane = Lane(f"remote write {settings.label}")
        self._delivery = Delivery(
            settings, self._book, self._lane, self.tally, clock=clock, random=random, oldest_ms=self._oldest_ms
        )
        self._awake = asyncio.Event()
        self._place: Place | None = None
        self._saved = ""
        self._trouble = ""
        self._looked_at = float("-inf")

    def wake(self) -> None:
        """There is a new scrape in the store; called on the loop's thread."""
        self._awake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                try:
                    self._place = await (self._begin() if self._place is None else self._step(self._place))
                except (StoreError, StuckError) as error:
                    self._note(str(error))
                    await self._clock.sleep(self._pause_seconds)
                except Exception as error:  # whatever it was must end neither this receiver nor the others
                    if not self._trouble:
                        log.exception("remote write failed, it goes on", extra={"receiver": self.tally.receiver})
                    self._trouble = repr(error)
                    await self._clock.sleep(self._pause_seconds)
                else:
                    self._note("")
                    self.tally.delivered_ms = self._place.done_ms
        finally:
            await self._leave()

    async def _begin(self) -> Place:
        """Where the bookmark is; with a receiver that is new, where its settings say, or where samples begin."""
        text: str | None = await self._submit(self._store.bookmark, self._bookmark)
        if text is not None:
            self._saved = text
            return Place.from_text(text)
        start_ms = self._clock.now_ms() - int(self._settings.history * 1000)
        outlook = await self._look(start_ms, 0)
        begins = max(start_ms, self._oldest_ms(), outlook.oldest_ms - 1 if self._settings.history else start_ms)
        return Place.at(begins, outlook.newest_row)

    async def _step(self, place: Place) -> Place:
        if not place.in_span:
            return await self._next_span(place)
        started = self._clock.monotonic()
        batch = await self._read(place)
        if not batch.samples:
            return place.finished()
        trying = place.trying(batch.last)
        await self._save(trying)
        self._place = trying
        await self._delivery.deliver(batch.blocks)
        await self._hold(batch.samples / self._settings.max_rate - (self._clock.monotonic() - started))
        return trying.delivered() if batch.more else trying.finished()

    async def _next_span(self, place: Place) -> Place:
        """The span after ``place``, or the same place after a while where nothing is new."""
        self._looked_at = self._clock.monotonic()
        outlook = await self._look(place.done_ms, place.row)
        if outlook.set_back_ms is not None:
            facts = {"receiver": self.tally.receiver, "to": rfc3339(outlook.set_back_ms)}
            log.warning("the clock was set back: samples from then on are sent again, with the new ones", extra=facts)
            return Place.at(outlook.set_back_ms - 1, outlook.newest_row)
        place = await self._without_expired(replace(place, row=outlook.newest_row), outlook)
        if outlook.newest_ms is None or outlook.newest_ms <= place.done_ms:
            await self._wait()
            return place
        leapt = Place.at(max(place.done_ms, min(outlook.next_ms - 1, outlook.newest_ms)), place.row)
        return leapt.begun(max(leapt.done_ms, min(outlook.until_ms, outlook.newest_ms)), outlook.newest_row)

    async def _without_expired(self, place: Place, outlook: Outlook) -> Place:
        """Leave out what is too old, or gone from the store, and tell how much that was."""
        gone_ms, old_ms = outlook.oldest_ms - 1, self._oldest_ms()
        floor_ms = max(gone_ms, old_ms if old_ms - place.done_ms >= HOUR else place.done_ms)
        floor_ms = (floor_ms + 1) // _GRAIN_MS * _GRAIN_MS - 1
        if floor_ms <= place.done_ms:
            return place
        span = ((place.done_ms + 1) // _GRAIN_MS * _GRAIN_MS, floor_ms + 1)
        samples = await self._lane.call(
            count_rolled_up, self._store.path, span, self._book.chosen, deadline=_READ_SECONDS
        )
        if samples:
            self.tally.dropped["expired"] += samples
            facts = {"receiver": self.tally.receiver, "reason": "expired", "samples": samples}
            log.error("samples are given up", extra={**facts, "from": rfc3339(span[0]), "to": rfc3339(floor_ms)})
        return Place.at(floor_ms, place.row)

    async def _look(self, after_ms: int, row: int) -> Outlook:
        return await self._lane.call(look, self._store.path, after_ms, row, SPAN_MS, deadline=_READ_SECONDS)

    async def _read(self, place: Place) -> Batch:
        """The batch that was being sent when the daemon was killed, else the next one."""
        upto = place.sending if place.sending > place.series else None
        span = (place.done_ms, place.until_ms)

        def read() -> Batch:
            most = self._settings.batch_samples
            return read_batch(self._store.path, span, place.series, most, self._book.chosen, upto=upto)

        batch = await self._lane.call(read, deadline=_READ_SECONDS)
        return batch if upto is None else batch._replace(last=upto, more=True)

    async def _save(self, place: Place) -> None:
        """Write down what is about to be sent. Where that fails it is sent all the same, at worst twice."""
        text = place.to_text()
        if text == self._saved:
            return
        try:
            await self._submit(self._store.save_bookmark, self._bookmark, text)
        except StoreError as error:
            self._note(str(error))
        else:
            self._saved = text

    async def _wait(self) -> None:
        await self._awake.wait()
        self._awake.clear()
        await self._hold(self._looked_at + self._settings.every - self._clock.monotonic())

    async def _hold(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)

    async def _leave(self) -> None:
        """Write down how far it came, so that the next start repeats nothing; unless a request is under way."""
        if self._place is not None and self._place.sending == self._place.series:
            with contextlib.suppress(StoreError, TimeoutError):
                await asyncio.wait_for(self._save(self._place), _GOODBYE_SECONDS)
        self._lane.close()
        self._delivery.close()

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - self._max_age_ms

    def _note(self, trouble: str) -> None:
        """Say once that something is wrong, and once that it is over."""
        if trouble and not self._trouble:
            log.error("remote write cannot use the store", extra={"receiver": self.tally.receiver, "error": trouble})
        elif self._trouble and not trouble:
            log.info("remote write can use the store again", extra={"receiver": self.tally.receiver})
        self._trouble = trouble
