"""The journal as a source of logs: a feed for each data stream that takes entries, and the thread that wakes them."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.journal.accounts import Accounts
from logship.journal.ecs import READ
from logship.journal.feed import JournalFeed, Templater
from logship.journal.folders import MACHINE_ID, Folders
from logship.journal.foreign import ForeignWalker
from logship.journal.frames import Framer, Frames
from logship.journal.hands import Hand, PlainHand
from logship.journal.layout import KNOWN
from logship.journal.masking import Masks
from logship.journal.plain import PlainWalker
from logship.journal.routes import Routes, names_of
from logship.journal.rows import Walker
from logship.journal.settings import JournalSettings
from logship.journal.specials import SpecialHand
from logship.packer import Packer
from logship.patterns.compiled import AVAILABLE
from logship.settings import LogsSettings
from logship.shaping.redaction import Redactor
from logship.source import common
from logship.stats import RawSample, Stats

POLL_SECONDS = 0.05
"""Between looks. journald tells of new entries up to 250 ms late; a look reads 208 bytes of each open file."""


class Journal:
    """Ships entries of the journal; one thread runs it.

    Args:
        settings: what of it to ship.
        hostname: the node's name.
        checkpoint: keeps how far everything has arrived.
        ledger: is told what needs no sending.
        packer: is told which feeds have something.
        templates: gives messages their templates; None for documents without any.
        redactor: masks secrets.
        stats: is told what was lost.
        clock: the clocks.
        stopping: ends the work.
        machine_id: file that holds this machine's id.
        fast: whether to use compiled code.
        known: incompatible flags of journal files that are read here; others are left to journalctl.

    Attributes:
        feeds: one for each data stream.
    """

    def __init__(
        self,
        settings: LogsSettings,
        hostname: str,
        *,
        checkpoint: Checkpoint,
        ledger: Ledger,
        packer: Packer,
        templates: Templater | None,
        redactor: Redactor,
        stats: Stats,
        clock: Clock,
        stopping: threading.Event,
        machine_id: Path = MACHINE_ID,
        fast: bool = AVAILABLE,
        known: int = KNOWN,
    ) -> None:
        self._packer, self._stats, self._stopping = packer, stats, stopping
        self._lost = 0
        sources = settings.journal
        routes = Routes(sources)
        age_ms = round(1000 * settings.journal_max_age)
        since_ms = clock.now_ms() - (age_ms if settings.read_from == "beginning" else 0)
        self.feeds = [
            JournalFeed(
                settings.stream_named(dataset),
                dataset,
                accounts=Accounts(
                    dataset,
                    folders=Folders([Path(folder) for folder in settings.journal_folders], machine_id, known),
                    framer=Framer(routes, dataset, common(dataset, settings.namespace, hostname, {}), masks),
                    maker=_maker(_names(sources, dataset), settings.max_line_bytes, fast=fast),
                    checkpoint=checkpoint,
                    ledger=ledger,
                    since_ms=since_ms,
                ),
                templates=templates,
                masks=masks,
                ledger=ledger,
                clock=clock,
            )
            for dataset, masks in {source.dataset: Masks(redactor, source.dataset) for source in sources}.items()
        ]

    def run(self) -> None:
        """Wake feeds that may have something, until it is time to stop."""
        while self.feeds:
            for feed in self.feeds:
                if feed.look():
                    self._packer.wake(feed)
            lost = sum(feed.lost for feed in self.feeds)
            if lost > self._lost:
                self._stats.lines(Counter(lost=lost - self._lost))
                self._lost = lost
            if self._stopping.wait(POLL_SECONDS):
                return

    def close(self) -> None:
        """Let go of all files."""
        for feed in self.feeds:
            feed.close()

    def samples(self) -> list[RawSample]:
        """What the feeds say of themselves."""
        samples: list[RawSample] = []
        for feed in self.feeds:
            labels = {"dataset": feed.dataset}
            samples += [
                ("forewarn_logs_journal_lag_entries", labels, float(feed.waiting), False),
                ("forewarn_logs_journal_lag_seconds", labels, feed.behind, False),
                ("forewarn_logs_journal_lost_entries_total", labels, float(feed.lost), True),
                ("forewarn_logs_journal_unreadable_entries_total", labels, float(feed.broken), True),
            ]
        return samples


def _names(sources: Sequence[JournalSettings], dataset: str) -> frozenset[str] | None:
    """The fields that are read for a data set; None for all."""
    if any(source.fields for source in sources if source.dataset == dataset):
        return None
    return READ | names_of(sources)


def _maker(
    names: frozenset[str] | None, longest: int, *, fast: bool
) -> Callable[[Framer, Frames], tuple[Walker, Hand]]:
    def make(framer: Framer, frames: Frames) -> tuple[Walker, Hand]:
        walker, hand = _ways(framer, frames, names, longest, fast=fast)
        return ForeignWalker(walker, framer, frames, names, longest), SpecialHand(hand)

    return make


def _ways(
    framer: Framer, frames: Frames, names: frozenset[str] | None, longest: int, *, fast: bool
) -> tuple[Walker, Hand]:
    if fast:
        from logship.journal.compiled import CompiledHand, CompiledWalker  # noqa: PLC0415  the extra may be missing

        return CompiledWalker(framer, frames, names, longest), CompiledHand()
    return PlainWalker(framer, frames, names, longest), PlainHand()
