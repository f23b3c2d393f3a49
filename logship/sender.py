"""The sending side: a batch is sent until every document of it has come to its end."""

import logging
import queue
import random
import threading
from collections import Counter
from collections.abc import Sequence

from forewarn.base.errors import ConfigError
from logship.batch import Batch
from logship.bulk import Answer, Bulk, Item
from logship.deadletter import DeadLetters
from logship.errors import DeadLetterFullError
from logship.ledger import Ledger
from logship.stats import Stats

FIRST_WAIT = 0.25
LONGEST_WAIT = 30.0
PAUSE_SECONDS = 15.0
"""Between tries while somebody has to mend something: credentials, rights, a block, a full disk."""

log = logging.getLogger(__name__)


class Sender:
    """Takes batches from the queue and delivers them; as many threads run it as requests may be under way.

    Args:
        batches: where they come from; None ends the work.
        bulk: sends.
        ledger: is told what has arrived.
        dead: takes documents that are refused for ever.
        stats: counts.
        stopping: ends waiting.
        chance: randomness of the back-off.
        pause_seconds: see PAUSE_SECONDS.
    """

    def __init__(
        self,
        batches: "queue.Queue[Batch | None]",
        bulk: Bulk,
        *,
        ledger: Ledger,
        dead: DeadLetters,
        stats: Stats,
        stopping: threading.Event,
        chance: random.Random,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._batches = batches
        self._bulk = bulk
        self._ledger = ledger
        self._dead = dead
        self._stats = stats
        self._stopping = stopping
        self._chance = chance
        self._pause_seconds = pause_seconds
        self._told = False

    def run(self) -> None:
        """Deliver batches until it is time to stop."""
        while (batch := self._batches.get()) is not None:
            if self._deliver(batch.documents):
                self._ledger.settle(batch.spans)
                self._stats.settled(sum(span.end - span.start for span in batch.spans))

    def _deliver(self, documents: Sequence[bytes]) -> bool:
        """Send until all have come to their end; False where it was time to stop before that."""
        failures = 0
        while documents:
            if self._stopping.is_set():
                return False
            answer = self._bulk.post(documents)
            self._stats.request(answer.status)
            if answer.status == 413 and len(documents) > 1:
                half = len(documents) // 2
                return self._deliver(documents[:half]) and self._deliver(documents[half:])
            if answer.status == 413:
                answer = Answer(200, [Item(413, "request_too_large", answer.reason)])
            documents, wait, reason = self._settle(documents, answer)
            failures += bool(documents)
            self._tell(reason, lasting=failures > 1 or wait > 0)
            if documents:
                self._stopping.wait(wait or max(answer.retry_after, self._back_off(failures)))
        return True

    def _settle(self, documents: Sequence[bytes], answer: Answer) -> tuple[Sequence[bytes], float, str]:
        """What is left to send, how long to wait for it (0: the back-off), and why."""
        if answer.status != 200:
            if answer.status == 401:
                self._renew()
            slow = 300 <= answer.status < 500 and answer.status not in {408, 429}
            return documents, self._pause_seconds if slow else 0.0, answer.reason
        fates = [item.fate for item in answer.items]
        outcomes: Counter[str] = Counter(fate for fate in fates if fate in {"acknowledged", "duplicate"})
        kept = {index for index, fate in enumerate(fates) if fate in {"retry", "pause"}}
        wait = self._pause_seconds if "pause" in fates else 0.0
        reason = next((_sentence(answer.items[index]) for index in sorted(kept)), "")
        refused = [index for index, fate in enumerate(fates) if fate == "dead"]
        if refused:
            try:
                self._bury([(documents[index], answer.items[index]) for index in refused])
                outcomes["dead"] = len(refused)
            except DeadLetterFullError as error:
                kept.update(refused)
                wait, reason = self._pause_seconds, str(error)
        self._stats.lines(outcomes)
        return [documents[index] for index in sorted(kept)], wait, reason

    def _bury(self, refused: list[tuple[bytes, Item]]) -> None:
        self._dead.write(refused)
        log.warning(
            "Elasticsearch refused %d documents for good, the first: %s; they are kept in the dead-letter file",
            len(refused),
            _sentence(refused[0][1]),
        )

    def _renew(self) -> None:
        try:
            self._bulk.renew_credentials()
        except ConfigError as error:
            log.warning("%s", error)

    def _tell(self, reason: str, *, lasting: bool) -> None:
        """Say it once when logs are not taken for more than a moment, and once when they are again."""
        self._stats.up(value=not reason)
        if reason and lasting and not self._told:
            self._told = True
            log.warning("Elasticsearch does not take logs: %s; nothing is lost, it is tried again", reason)
        elif self._told and not reason:
            self._told = False
            log.info("Elasticsearch takes logs again")

    def _back_off(self, failures: int) -> float:
        """Full jitter: anything up to a bound that doubles."""
        return self._chance.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 16)))


def _sentence(item: Item) -> str:
    return f"{item.status} {item.type}: {' '.join(item.reason.split())[:300]}"
