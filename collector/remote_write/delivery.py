"""Bringing samples to one receiver: again and again where it cannot take them, in pieces where it will not."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from collector.remote_write.book import SeriesBook
from collector.remote_write.parts import halves, newest_ms, size
from collector.remote_write.post import Answer, Post
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
_MOST_CUTS = 24
"""Requests spent on finding what a receiver refuses in a batch; two dozen find one bad series among thousands."""


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

    async def deliver(self, blocks: Sequence[Block]) -> None:
        """Return once every sample is delivered, or given up and counted."""
        waiting: list[Sequence[Block]] = [blocks]
        cuts, before = self._cuts, self._tally.delivered
        while waiting:
            piece = await self._prepare(waiting.pop())
            answer = await self._send(piece)
            if answer.verdict == "delivered":
                continue
            cut = halves(piece.blocks) if answer.verdict == "too_large" or cuts > 0 else None
            if answer.verdict == "expired" or cut is None:
                self._drop(piece.blocks, answer)
                continue
            cuts -= answer.verdict != "too_large"
            waiting += reversed(cut)  # the earlier half first: samples of a series must arrive in order
        # Where nothing at all is taken, cutting is in vain: it is tried less and less until something is.
        self._cuts = _MOST_CUTS if self._tally.delivered > before else max(1, self._cuts // 2)

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
        self._tally.dropped[answer.verdict] += size(blocks)
        log.error(
            "samples are given up",
            extra={
                "receiver": self._tally.receiver,
                "reason": answer.verdict,
                "samples": size(blocks),
                "first_series": str(self._book.key(int(blocks[0].ids[0]))),
                "from": rfc3339(int(blocks[0].times[0])),
                "to": rfc3339(newest_ms(blocks)),
                "code": answer.code,
                "detail": answer.detail,
            },
        )
