"""Bringing samples to one receiver: again and again where it cannot take them, in pieces where it will not."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from collector.remote_write.book import SeriesBook
from collector.remote_write.parts import Cut, by_series, by_time, newest_ms, size, without
from collector.remote_write.post import Answer, Post, Verdict
from collector.remote_write.settings import RemoteWriteSettings
from collector.remote_write.tally import Tally
from collector.remote_write.wire import encode
from collector.store.bulk import Block
from forewarn.base.clock import Clock, rfc3339
from forewarn.base.lane import Lane, StuckError
from forewarn.base.retry import full_jitter

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
_GRACE_SECONDS = 5.0
_PREPARE_SECONDS = 60.0
_REFUSED_SECONDS = 3600.0
"""A series that was refused for what it is (its labels, say) is not sent for so long."""
_MOST_CUTS, _FEWEST_CUTS = 24, 8
"""Cuts spent on finding what a receiver refuses in a batch; two dozen find one bad series among thousands."""


class _Piece(NamedTuple):
    blocks: Sequence[Block]
    body: bytes


class Delivery:
    """Delivers batches, one after the other.

    Args:
        settings: the receiver.
        book: labels of the series.
        lane: the receiver's thread.
        tally: what is counted.
        clock: pauses, and the age of samples.
        random: what full jitter draws, 0 to 1.
        oldest_ms: samples up to here are too old to be delivered.
    """

    def __init__(
        self,
        settings: RemoteWriteSettings,
        book: SeriesBook,
        lane: Lane,
        tally: Tally,
        *,
        clock: Clock,
        random: Callable[[], float],
        oldest_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._book = book
        self._lane = lane
        self._tally = tally
        self._clock = clock
        self._random = random
        self._oldest_ms = oldest_ms
        self._post = Post(settings, clock)
        self._cuts = _MOST_CUTS
        self._failing = False
        self._refused: dict[int, float] = {}
        self._told: set[str] = set()

    async def deliver(self, blocks: Sequence[Block]) -> None:
        """Return once every sample is delivered, or given up and counted."""
        delivered, dropped = self._tally.delivered, self._tally.dropped.total()
        taken = self._without_refused(blocks)
        if taken:
            await self._bring(taken, self._cuts)
        # Where nothing at all is taken, cutting is in vain: it is tried less and less until something is.
        self._cuts = _MOST_CUTS if self._tally.delivered > delivered else max(_FEWEST_CUTS, self._cuts // 2)
        if self._tally.dropped.total() == dropped:
            self._told.clear()

    async def _bring(self, blocks: Sequence[Block], cuts: int) -> int:
        """Deliver samples, in pieces where they are refused; how many of the cuts are left over."""
        piece = await self._prepare(blocks)
        answer = await self._send(piece)
        if answer.verdict == "delivered":
            return cuts
        cut, share = _cut(blocks, answer.verdict, cuts - 1)
        if cut is None or answer.verdict == "expired" or (cuts == 0 and answer.verdict != "too_large"):
            self._drop(blocks, answer)
            return cuts
        left = cuts - share - (answer.verdict != "too_large")
        left += await self._bring(cut.first, share)  # samples of a series must arrive in order
        return await self._bring(cut.second, left)

    def _without_refused(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Leave out, and count, the series that were lately refused for what they are."""
        now = self._clock.monotonic()
        self._refused = {series: until for series, until in self._refused.items() if until > now}
        if not self._refused:
            return blocks
        kept = without(blocks, self._refused)
        self._tally.dropped["refused"] += size(blocks) - size(kept)
        return kept

    def close(self) -> None:
        """Close the connection."""
        self._post.close()

    async def _prepare(self, blocks: Sequence[Block]) -> _Piece:
        pause = 0
        while True:
            try:
                body = await self._lane.call(self._body, blocks, deadline=_PREPARE_SECONDS)
            except StuckError:
                pause += 1
                await self._pause(pause, None)
            else:
                return _Piece(blocks, body)

    def _body(self, blocks: Sequence[Block]) -> bytes:
        from cramjam import snappy  # noqa: PLC0415  two megabytes that only a node with a receiver needs

        return bytes(snappy.compress_raw(encode(blocks, self._book.labels)))

    async def _send(self, piece: _Piece) -> Answer:
        """The receiver's last word: anything but a failure that may pass."""
        failures = 0
        while True:
            answer = await self._attempt(piece.body)
            self._tally.requests[answer.code] += 1
            if answer.verdict != "retry":
                self._recovered()
                if answer.verdict == "delivered":
                    self._tally.delivered += size(piece.blocks)
                    self._tally.success_ms = self._clock.now_ms()
                return answer
            failures += 1
            self._tally.retried += size(piece.blocks)
            self._failed(answer)
            if newest_ms(piece.blocks) <= self._oldest_ms():
                return Answer("expired", answer.code, answer.detail)
            await self._pause(failures, answer.retry_after)

    async def _attempt(self, body: bytes) -> Answer:
        try:
            return await self._lane.call(self._post.send, body, deadline=self._settings.timeout + _GRACE_SECONDS)
        except StuckError as error:
            return Answer("retry", "stuck", str(error))

    async def _pause(self, failures: int, asked: float | None) -> None:
        drawn = full_jitter(
            failures, self._random, first_seconds=FIRST_PAUSE_SECONDS, cap_seconds=LONGEST_PAUSE_SECONDS
        )
        await self._clock.sleep(max(drawn, asked or 0.0))

    def _failed(self, answer: Answer) -> None:
        if not self._failing:
            facts = {"receiver": self._tally.receiver, "code": answer.code, "detail": answer.detail}
            log.warning("a receiver takes no samples; they wait in the store", extra=facts)
        self._failing = True

    def _recovered(self) -> None:
        if self._failing:
            log.info("the receiver answers again", extra={"receiver": self._tally.receiver})
        self._failing = False

    def _drop(self, blocks: Sequence[Block], answer: Answer) -> None:
        ids = {int(one) for block in blocks for one in block.ids}
        self._tally.dropped[answer.verdict] += size(blocks)
        if answer.verdict == "refused" and len(ids) == 1:
            self._refused |= dict.fromkeys(ids, self._clock.monotonic() + _REFUSED_SECONDS)
        if answer.verdict in self._told:
            return
        self._told.add(answer.verdict)
        log.error(
            "samples are given up",
            extra={
                "receiver": self._tally.receiver,
                "reason": answer.verdict,
                "samples": size(blocks),
                "series": len(ids),
                "first_series": str(self._book.key(min(ids))),
                "newest": rfc3339(newest_ms(blocks)),
                "code": answer.code,
                "detail": answer.detail,
            },
        )


def _cut(blocks: Sequence[Block], verdict: Verdict, cuts: int) -> tuple[Cut | None, int]:
    """Two parts, and how many of the cuts are for the first.

    What is wrong with a series is wrong at every time; what is out of order is so up to some time.
    """
    ways = (by_series, by_time) if verdict == "refused" else (by_time, by_series)
    for way in ways:
        cut = way(blocks)
        if cut is not None:
            return cut, max(0, cuts // 2 if way is by_time else cuts)
    return None, 0
