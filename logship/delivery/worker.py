"""A worker: fills a body, sends it until every document of it has come to its end, and begins anew."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forewarn.base.clock import Clock
from forewarn.base.errors import ConfigError
from logship.checkpoint import Checkpoint
from logship.delivery.answers import Answer, Item
from logship.delivery.backoff import PAUSE_SECONDS, Window, full_jitter
from logship.delivery.batch import Batch, chosen, documents_of, ids_of
from logship.delivery.bulk import Bulk
from logship.delivery.crew import Crew
from logship.delivery.ledger import Ledger
from logship.delivery.voice import Voice
from logship.engine.compress import packed
from logship.errors import ControlError, DeadLetterFullError
from logship.feed import Doubt, FileState
from logship.packer import Packer
from logship.spool.letters import DeadLetters
from logship.stats import Stats

CROWDED = 4
"""Refusals of a whole request with 429 in a row after which it is taken to be larger than the server ever has room for
(``indexing_pressure.memory.limit``), and halved."""

FORBIDDEN = frozenset({401, 403})
"""Who asks may not: other credentials may have been put in place."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """What all workers share.

    Attributes:
        bulk: sends.
        window: how many may send at once.
        doubt: is asked before documents are sent that may have been sent before.
        checkpoint: keeps reading times.
        ledger: is told what has arrived.
        dead: takes documents that are refused for ever.
        stats: counts.
        voice: says that logs are not taken, and that they are again.
        packer: is told which data streams wait for somebody to mend something, so that others keep their turns.
        crew: is told who waits for that.
        clock: tells how long a line was on its way.
        chance: randomness of the back-off.
        stopping: ends waiting.
        gzip: whether to compress.
        pause_seconds: see PAUSE_SECONDS.
    """

    bulk: Bulk
    window: Window
    doubt: Doubt | None
    checkpoint: Checkpoint
    ledger: Ledger
    dead: DeadLetters
    stats: Stats
    voice: Voice
    packer: Packer
    crew: Crew
    clock: Clock
    chance: random.Random
    stopping: threading.Event
    gzip: bool = True
    pause_seconds: float = PAUSE_SECONDS


@dataclass(slots=True)
class Load:
    """Documents of a batch that are still to be sent.

    Attributes:
        body: actions and sources.
        count: documents.
        doubtful: whether some may be there already, in an older index too. That does not end with a refusal: 429 is
            said before anybody looks whether a document is there.
        packed: the body as it goes over the wire, once it was made.
    """

    body: bytes | memoryview
    count: int
    doubtful: bool
    packed: bytes | memoryview | None = None

    def keep(self, wanted: list[bool]) -> None:
        """Leave out documents that have come to their end."""
        if not all(wanted):
            self.body, self.count, self.packed = chosen(self.body, wanted), sum(wanted), None


class Worker:
    """One of several equal threads.

    Args:
        pack: fills a batch; False where it is time to stop.
        batch: this worker's own.
        way: what it shares with the others.
    """

    def __init__(self, pack: Callable[[Batch], bool], batch: Batch, way: Way) -> None:
        self._pack = pack
        self._batch = batch
        self._way = way

    def run(self) -> None:
        """Deliver batches until it is time to stop."""
        batch, way = self._batch, self._way
        while self._pack(batch):
            if batch.anchors:
                way.checkpoint.anchor(batch.anchors)
            if self._deliver(batch.stream, Load(batch.body, batch.documents, batch.doubtful)):
                way.ledger.settle(batch.spans)
                of_files = (span for span in batch.spans if isinstance(span.state, FileState))
                way.stats.settled(sum(span.end - span.start for span in of_files))
                if batch.written_ms is not None:
                    way.stats.delivered((way.clock.now_ms() - batch.written_ms) / 1000, batch.documents)

    def _deliver(self, stream: str, load: Load) -> bool:
        """Send until all have come to their end; False where it was time to stop before that."""
        way, failures, crowded = self._way, 0, 0
        while load.count:
            if way.stopping.is_set():
                return False
            if load.doubtful and not self._leave_out(stream, load):
                failures += 1
                way.stopping.wait(full_jitter(way.chance, failures))
                continue
            if not load.count:  # all of it is there
                break
            answer = self._send(stream, load)
            crowded = crowded + 1 if _is_crowded(answer) else 0
            if load.count > 1 and (answer.status == 413 or crowded == CROWDED):
                way.stopping.wait(answer.retry_after)
                return all(self._deliver(stream, half) for half in _halves(load))
            wait, reason = self._settle(stream, load, answer)
            failures += bool(load.count)
            if not load.count:
                break
            way.voice.tell(stream, reason, lasting=failures > 1 or wait > 0)
            if wait:
                way.packer.hold(stream)
                with way.crew.away():
                    way.stopping.wait(wait)
            else:
                way.stopping.wait(max(answer.retry_after, full_jitter(way.chance, failures)))
        way.packer.release(stream)
        way.voice.tell(stream, "", lasting=False)
        return True

    def _send(self, stream: str, load: Load) -> Answer:
        way = self._way
        with way.window:
            if load.packed is None:
                load.packed = packed(load.body) if way.gzip else load.body
            answer = way.bulk.post(stream, load.packed, load.count)
        way.stats.request(answer.status)
        if answer.status == 429 or any(item.status == 429 for item in answer.items):
            way.window.halve()
        elif answer.status == 200:
            way.window.widen()
        return answer

    def _leave_out(self, stream: str, load: Load) -> bool:
        """Leave out what an older index of the stream holds; False where that cannot be asked now."""
        way = self._way
        if way.doubt is not None:
            ids = ids_of(load.body)
            try:
                there = way.doubt.there(stream, ids)
            except ControlError as error:
                way.voice.tell(stream, error.message, lasting=True)
                return False
            if there:
                load.keep([name not in there for name in ids])
                way.stats.lines(Counter(duplicate=len(ids) - load.count))
        return True

    def _settle(self, stream: str, load: Load, answer: Answer) -> tuple[float, str]:
        """Take the answer over into what is left to send; how long to wait for it (0: the back-off), and why."""
        way = self._way
        if answer.status != 200 and not (answer.status == 413 and load.count == 1):
            load.doubtful |= answer.status == 0 or answer.status >= 500
            if answer.status in FORBIDDEN or answer.status == 404:
                self._renew()
            slow = 300 <= answer.status < 500 and answer.status not in {408, 429}
            return way.pause_seconds if slow else 0.0, answer.reason
        if not answer.items and answer.status == 200:
            way.stats.lines(Counter(acknowledged=load.count))
            load.count = 0
            return 0.0, ""
        items = answer.items or [Item(413, "request_too_large", answer.reason)]
        return self._sort(stream, load, items)

    def _sort(self, stream: str, load: Load, items: Sequence[Item]) -> tuple[float, str]:
        way = self._way
        fates = [item.fate for item in items]
        if any(item.status in FORBIDDEN for item in items):
            self._renew()
        outcomes: Counter[str] = Counter(fates)
        left = [fate in {"retry", "pause"} for fate in fates]
        load.doubtful |= any(item.status >= 500 for item in items)
        wait = way.pause_seconds if "pause" in outcomes else 0.0
        reason = next((str(item) for item, kept in zip(items, left, strict=True) if kept), "")
        if "dead" in outcomes:
            try:
                self._bury(stream, load, items, [fate == "dead" for fate in fates])
            except DeadLetterFullError as error:
                left = [kept or fate == "dead" for kept, fate in zip(left, fates, strict=True)]
                del outcomes["dead"]
                wait, reason = way.pause_seconds, str(error)
        for fate in ("retry", "pause"):
            outcomes.pop(fate, None)
        way.stats.lines(outcomes)
        load.keep(left)
        return wait, reason

    def _bury(self, stream: str, load: Load, items: Sequence[Item], dead: list[bool]) -> None:
        refused = [
            (document, item) for document, item, gone in zip(documents_of(load.body), items, dead, strict=True) if gone
        ]
        self._way.dead.write(stream, refused)
        log.warning(
            "Elasticsearch refused %d documents for good, the first: %s; they are kept as dead letters",
            len(refused),
            refused[0][1],
        )

    def _renew(self) -> None:
        try:
            self._way.bulk.renew_credentials()
        except ConfigError as error:
            log.warning("%s", error)


def _is_crowded(answer: Answer) -> bool:
    return answer.status == 429 or (bool(answer.items) and all(item.status == 429 for item in answer.items))


def _halves(load: Load) -> tuple[Load, Load]:
    half = load.count // 2
    first = [number < half for number in range(load.count)]
    return (
        Load(chosen(load.body, first), half, load.doubtful),
        Load(chosen(load.body, [not one for one in first]), load.count - half, load.doubtful),
    )
