"""All that the shipper keeps encrypted: the spool with its guard, the refused documents, the keys of both."""

import contextlib
import logging
from collections import Counter
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.errors import LogshipError, SpoolError
from logship.files.vanishing import Guard
from logship.settings import LogsSettings
from logship.shaping.redaction import LOOK_BACK
from logship.spool.keys import KeyRing
from logship.spool.letters import DeadLetters
from logship.spool.losses import Loss
from logship.spool.spool import Spool
from logship.stats import RawSample, Stats

TEND_SECONDS = 10.0

UNSYNCED_SECONDS = 2.0
"""How long what is copied before it is sent may wait to be made durable: mostly it has arrived by then."""

log = logging.getLogger(__name__)


class SpoolRoom:
    """What one data directory keeps.

    Args:
        settings: what is kept, and how much.
        directory: the data directory.
        checkpoint: knows which files are over.
        ledger: what has arrived.
        stats: is told of lines that are lost.
        clock: the clocks.

    Attributes:
        spool: what would otherwise vanish.
        guard: copies it.
        dead: what was refused.

    Raises:
        SpoolError: another process holds the spool, or it cannot be made.
        ConfigError: a key cannot be read or made.
    """

    def __init__(
        self,
        settings: LogsSettings,
        directory: Path,
        *,
        checkpoint: Checkpoint,
        ledger: Ledger,
        stats: Stats,
        clock: Clock,
    ) -> None:
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._stats = stats
        self._clock = clock
        self._keys = KeyRing(settings.spool, directory)
        self._next_tending = clock.monotonic()
        self._trouble = ""
        self.spool = Spool(directory, settings.spool, self._keys, clock)
        self.spool.losses.counted = self._count
        self.dead = DeadLetters(directory, settings.dead_letter_bytes, self._keys, clock)
        self.guard = Guard(
            self.spool, settings.spool.what, ledger=ledger, clock=clock, max_line=settings.max_line_bytes
        )

    def tick(self) -> None:
        """What is due every moment: what was copied is made durable, what has arrived is let go of."""
        for account in self.spool.accounts():
            self._release(account)
        with contextlib.suppress(SpoolError):  # the guard says so when it copies on
            self.spool.sync(older=UNSYNCED_SECONDS)
        now = self._clock.monotonic()
        if now >= self._next_tending:
            self._next_tending = now + TEND_SECONDS
            self._tend()

    def samples(self) -> list[RawSample]:
        """What there is and what was lost."""
        oldest = self.spool.oldest_ms
        samples: list[RawSample] = [
            ("forewarn_logs_spool_bytes", {}, float(self.spool.size), False),
            ("forewarn_logs_lost_recent_bytes", {}, float(self.spool.losses.recent_bytes()), False),
            ("forewarn_logs_dead_bytes", {}, float(self.dead.size), False),
        ]
        if oldest is not None:
            samples.append(("forewarn_logs_spool_oldest_timestamp_seconds", {}, oldest / 1000, False))
        samples += [
            ("forewarn_logs_lost_bytes_total", {"reason": reason}, float(size), True)
            for reason, size in sorted(self.spool.losses.bytes().items())
        ]
        return samples

    def close(self) -> None:
        """Make everything durable and let go of it."""
        for account in self.spool.accounts():
            self._release(account)
        self.spool.close()

    def _release(self, account: str) -> None:
        kept = self._ledger.kept_of(account)
        if kept is not None:
            self.spool.release(account, kept if self.guard.is_named(account) else kept - LOOK_BACK)
        elif self._checkpoint.is_over(account):
            self.spool.release(account)

    def _tend(self) -> None:
        try:
            self.spool.tend()
            used = self.spool.key_ids() | self.dead.key_ids()
            if self.dead.key_ids() - {self._keys.current.id}:
                self.dead.renew()
            self._keys.drop_unused(used)
        except (LogshipError, OSError) as error:
            if str(error) != self._trouble:
                log.warning("the spool cannot be looked after: %s", error)
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _count(self, loss: Loss) -> None:
        self._stats.lines(Counter(lost=loss.lines or 0))
