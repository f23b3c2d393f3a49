"""Sending refused documents again, after what was wrong has been mended."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import orjson

from forewarn.base.clock import Clock, rfc3339
from logship.delivery.answers import Answer, Item
from logship.delivery.backoff import full_jitter
from logship.delivery.bulk import Bulk
from logship.engine.compress import packed
from logship.errors import LogshipError
from logship.spool.letters import DeadLetters, Letter

TRIES = 6
"""How often one request is sent before the server is taken not to take documents now."""
_BODY_BYTES = 3_000_000

log = logging.getLogger(__name__)

Chooses = Callable[[Letter], bool]
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Outcome:
    """What became of letters.

    Attributes:
        arrived: were taken.
        there: were there already.
        aside: were taken into the failure store.
        refused: were refused again, by reason.
        left: were not sent.
    """

    arrived: int = 0
    there: int = 0
    aside: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    left: int = 0


class Replay:
    """Sends letters and removes those that arrive; what is refused again stays, with its new reason.

    A replay that is killed loses nothing: a letter is removed after it has arrived.

    Args:
        dead: the letters.
        bulk: sends.
        clock: tells the time of a new refusal.
        chance: randomness of the back-off.
        gzip: whether to compress.
        stopping: set where it is to end before its end.
    """

    def __init__(
        self,
        dead: DeadLetters,
        bulk: Bulk,
        *,
        clock: Clock,
        chance: random.Random,
        gzip: bool,
        stopping: threading.Event,
    ) -> None:
        self._dead = dead
        self._bulk = bulk
        self._clock = clock
        self._chance = chance
        self._gzip = gzip
        self._stopping = stopping

    def run(self, chosen: Chooses, progress: Progress) -> Outcome:
        """Send the chosen ones.

        Args:
            chosen: which.
            progress: is told how many are done, and how many there are.

        Raises:
            LogshipError: the server takes none now, another replay is under way, or the disk is full; what has not
                arrived is there as before.
        """
        outcome, done, seen = Outcome(), 0, set[tuple[str, str]]()
        with self._dead.replaying():
            taken = self._dead.take()
            total = sum(len(letters) for path in taken for letters in self._dead.batches(path))
            try:
                for path in taken:
                    for letters in self._dead.batches(path):
                        fresh = [letter for letter in letters if letter.key not in seen]
                        seen.update(letter.key for letter in fresh)
                        stay = self._replay(fresh, chosen, outcome)
                        if stay:
                            self._dead.keep(stay, limited=False)
                        done += len(letters)
                        progress(done, total)
                    path.unlink()
            finally:
                self._dead.give_back(taken)
        return outcome

    def _replay(self, letters: Sequence[Letter], chosen: Chooses, outcome: Outcome) -> list[Letter]:
        """Send some; those that stay."""
        wanted = [chosen(letter) for letter in letters]
        stay = [letter for letter, is_wanted in zip(letters, wanted, strict=True) if not is_wanted]
        outcome.left += len(stay)
        for index, body in _bodies([letter for letter, is_wanted in zip(letters, wanted, strict=True) if is_wanted]):
            stay += self._send(index, body, outcome)
        return stay

    def _send(self, index: str, letters: list[Letter], outcome: Outcome) -> list[Letter]:
        """Send documents of one data stream until each has come to its end; those that were refused again."""
        stay: list[Letter] = []
        for failures in range(1, TRIES + 1):
            answer = self._post(index, letters)
            if answer.status == 413 and len(letters) > 1:
                half = len(letters) // 2
                return stay + [
                    one for part in (letters[:half], letters[half:]) for one in self._send(index, part, outcome)
                ]
            letters, refused = self._sort(letters, answer, outcome)
            stay += refused
            if not letters:
                return stay
            reason = answer.reason or "it has no room for them now"
            if failures < TRIES and not 300 <= answer.status < 429 and not self._stopping.is_set():
                self._stopping.wait(max(answer.retry_after, full_jitter(self._chance, failures)))
                continue
            break
        raise LogshipError(
            f"Elasticsearch does not take documents: {reason}",
            hint="what has not arrived is kept; run 'forewarn logs replay' again later",
        )

    def _post(self, index: str, letters: Sequence[Letter]) -> Answer:
        body = b"".join(
            b'{"create":{"_id":' + orjson.dumps(letter.id) + b"}}\n" + letter.source + b"\n" for letter in letters
        )
        sent = packed(body) if self._gzip else body
        return self._bulk.post(index, sent, len(letters))

    def _sort(self, letters: list[Letter], answer: Answer, outcome: Outcome) -> tuple[list[Letter], list[Letter]]:
        """Those to send again, and those that were refused."""
        if answer.status == 413:
            return [], self._refused(letters, [Item(413, "request_too_large", answer.reason)], outcome)
        if answer.status != 200:
            return letters, []
        items = answer.items or [Item(201)] * len(letters)
        fates = Counter(item.fate for item in items)
        outcome.arrived += fates["acknowledged"]
        outcome.there += fates["duplicate"]
        outcome.aside += fates["quarantined"]
        pairs = list(zip(letters, items, strict=True))
        again = [letter for letter, item in pairs if item.fate in {"retry", "pause"}]
        dead = [(letter, item) for letter, item in pairs if item.fate == "dead"]
        return again, self._refused([letter for letter, _ in dead], [item for _, item in dead], outcome)

    def _refused(self, letters: Sequence[Letter], items: Sequence[Item], outcome: Outcome) -> list[Letter]:
        time = rfc3339(self._clock.now_ms())
        outcome.refused.update(item.type for item in items)
        return [
            Letter(time, item.status, item.type, item.reason, letter.index, letter.id, letter.source)
            for letter, item in zip(letters, items, strict=True)
        ]


def _bodies(letters: Sequence[Letter]) -> Iterator[tuple[str, list[Letter]]]:
    """Letters of one data stream each, as many as a request may hold."""
    for index, group in groupby(sorted(letters, key=lambda letter: letter.index), key=lambda letter: letter.index):
        body: list[Letter] = []
        size = 0
        for letter in group:
            if body and size + len(letter.source) > _BODY_BYTES:
                yield index, body
                body, size = [], 0
            body.append(letter)
            size += len(letter.source)
        if body:
            yield index, body


def choice(reason: str | None, since: str | None) -> Chooses:
    """Letters of a reason and a time.

    Args:
        reason: stands in the error's type or reason, in whatever case; None for all.
        since: RFC 3339, in UTC; None for all.
    """
    wanted = reason.lower() if reason is not None else ""

    def chooses(letter: Letter) -> bool:
        return wanted in f"{letter.type} {letter.reason}".lower() and (since is None or letter.time >= since)

    return chooses


def by_reason(letters: Iterator[Letter]) -> list[tuple[str, int, Letter]]:
    """Types of errors, how many of each, and the newest of each; the most frequent first."""
    counts: Counter[str] = Counter()
    newest: dict[str, Letter] = {}
    for letter in letters:
        counts[letter.type] += 1
        newest[letter.type] = max(newest.get(letter.type, letter), letter, key=lambda one: one.time)
    return [(kind, count, newest[kind]) for kind, count in counts.most_common()]
