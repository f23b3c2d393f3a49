"""Who fills a body next, and with what: workers take turns, and each turn fills one body for one data stream."""

import threading
from collections import Counter
from collections.abc import Iterator

from forewarn.base.clock import Clock, SystemClock
from logship.delivery.batch import Batch
from logship.feed import Feed


class Packer:
    """Fills batches from those feeds that may have something.

    One worker at a time packs, so that lines are seen in order. It waits for a first line, then as long as lines may
    wait for others since that feed became ready, or until the body is full. Data streams take turns, too.

    Args:
        linger: seconds that a line may wait for others.
        clock: measures them, and tells when feeds are asked again that wished so.
        most: batches of one data stream that may be under way, so that one that is not taken does not hold up the
            others; None for any number.
    """

    def __init__(self, linger: float, clock: Clock | None = None, most: int | None = None) -> None:
        self._linger = linger
        self._clock = clock or SystemClock()
        self._most = most
        self._turn = threading.Lock()
        self._news = threading.Condition()
        self._ready: dict[Feed, float] = {}
        self._later: dict[Feed, float] = {}
        self._under_way: Counter[str] = Counter()
        self._held: set[str] = set()
        self._stopped = False

    def wake(self, feed: Feed) -> None:
        """A feed may have something; from any thread, as often as one likes."""
        if feed in self._ready:
            return
        with self._news:
            self._ready.setdefault(feed, self._clock.monotonic())
            self._news.notify()

    def later(self, feed: Feed, seconds: float) -> None:
        """Ask a feed again after a while, if it is not woken before."""
        with self._news:
            due = self._clock.monotonic() + seconds
            self._later[feed] = min(due, self._later.get(feed, due))
            self._news.notify()

    def drop(self, feed: Feed) -> None:
        """Ask a feed no more until it is woken again."""
        with self._news:
            self._later.pop(feed, None)
            self._ready.pop(feed, None)

    def hold(self, stream: str) -> None:
        """A data stream may not be written to: while a batch of it is under way, no other one of it is begun."""
        with self._news:
            self._held.add(stream)

    def release(self, stream: str) -> None:
        """A data stream is taken again."""
        if stream in self._held:
            with self._news:
                self._held.discard(stream)
                self._news.notify()

    def stop(self) -> None:
        """Nothing is packed any more."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def pack(self, batch: Batch) -> bool:
        """Fill a batch with the next lines, as soon as there are any; False where it is time to stop.

        What it held before has come to its end.
        """
        self._has_ended(batch.stream)
        with self._turn:
            batch.clear()
            while (since := self._wait()) is not None:
                self._take(batch)
                if batch.spans:
                    break
            else:
                return False
            if not batch.full:
                self._wait_until(since + self._linger)
                self._take(batch)
            self._under_way[batch.stream] += 1
        return True

    def _has_ended(self, stream: str) -> None:
        if stream:
            with self._news:
                self._under_way[stream] -= 1
                self._news.notify()

    def _take(self, batch: Batch) -> None:
        """Fill in what the ready feeds of one data stream have now."""
        at_end: list[Feed] = []
        while not batch.full and (feed := self._next(batch.stream)) is not None:
            filled = feed.fill(batch.free, batch.room)
            if filled is None:
                continue
            batch.add(feed.stream, filled)
            if filled.more:
                self._put_back([feed])
            else:
                at_end.append(feed)
        self._put_back(at_end)

    def _next(self, stream: str) -> Feed | None:
        """The feed that has been ready for longest, of a data stream if one is named; it is no longer ready."""
        with self._news:
            feed = next(self._open(stream), None)
            if feed is not None:
                del self._ready[feed]
            return feed

    def _open(self, stream: str = "") -> Iterator[Feed]:
        """Ready feeds, of a data stream if one is named, else of those of which another batch may be under way."""
        for feed in self._ready:
            if feed.stream == stream if stream else self._may_begin(feed.stream):
                yield feed

    def _may_begin(self, stream: str) -> bool:
        most = 1 if stream in self._held else self._most
        return most is None or self._under_way[stream] < most

    def _put_back(self, feeds: list[Feed]) -> None:
        with self._news:
            now = self._clock.monotonic()
            for feed in feeds:
                self._ready.setdefault(feed, now)

    def _wait(self) -> float | None:
        """Wait for a feed that is ready; since when it has been, None where it is time to stop."""
        with self._news:
            while not self._stopped:
                pause = self._pause()
                feed = next(self._open(), None)
                if feed is not None:
                    return self._ready[feed]
                self._news.wait(pause)
        return None

    def _pause(self) -> float | None:
        """Make feeds ready whose time has come; seconds until the next one, None for never."""
        if not self._later:
            return None
        now = self._clock.monotonic()
        for feed in [feed for feed, due in self._later.items() if due <= now]:
            del self._later[feed]
            self._ready.setdefault(feed, now)
        return max(0.0, min(self._later.values()) - now) if self._later else None

    def _wait_until(self, due: float) -> None:
        with self._news:
            while not self._stopped and (left := due - self._clock.monotonic()) > 0:
                self._news.wait(left)
