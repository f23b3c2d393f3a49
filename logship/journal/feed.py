"""The journal as a feed: the entries that belong to one data stream."""

import threading
from typing import Protocol

import numpy as np

from forewarn.base.clock import Clock
from logship.delivery.ledger import Ledger
from logship.engine.documents import Bytes, Int32, Int64
from logship.feed import LATE_MS, Filled, Lines, Span
from logship.journal.accounts import AHEAD_ENTRIES, Accounts
from logship.journal.chain import Chain, Stretch
from logship.journal.cursor import Cursor
from logship.journal.hands import Chunk
from logship.journal.layout import UnreadableError
from logship.journal.masking import Masks
from logship.journal.pending import SLACK, Followed, Pending, first_lines, runs_of
from logship.journal.specials import specials_among

_STRETCHES = 8
"""Stretches without an entry of ours after which others have their turn."""


class Templater(Protocol):
    """Gives lines their templates."""

    def of(self, lines: Lines) -> Int32:
        """The template of each line."""


class JournalFeed:
    """The entries of one data stream, of all journals in the folders.

    Args:
        stream: the data stream.
        dataset: its data set.
        accounts: the chains of files.
        templates: gives messages their templates; None for documents without any.
        masks: masks secrets in messages.
        ledger: is told what needs no sending.
        clock: the clocks.

    Attributes:
        dataset: the data set.
        lock: for whoever looks for new files.
    """

    def __init__(
        self,
        stream: str,
        dataset: str,
        *,
        accounts: Accounts,
        templates: Templater | None,
        masks: Masks,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._stream, self.dataset = stream, dataset
        self._accounts, self._templates, self._masks = accounts, templates, masks
        self._ledger, self._clock = ledger, clock
        self._began_ms = clock.now_ms()
        self.lock = threading.Lock()
        self._latest: Followed | None = None

    @property
    def stream(self) -> str:
        """The data stream that the documents go to."""
        return self._stream

    @property
    def _chains(self) -> list[Chain]:
        return [followed.chain for followed in list(self._accounts.followed.values())]

    @property
    def waiting(self) -> int:
        """Entries that were not read yet."""
        return sum(chain.waiting for chain in self._chains)

    @property
    def behind(self) -> float:
        """Seconds between the newest entry and the one that was read last."""
        return max((chain.behind for chain in self._chains), default=0.0)

    @property
    def broken(self) -> int:
        """Entries that could not be read."""
        return sum(chain.broken for chain in self._chains)

    @property
    def lost(self) -> int:
        """Entries that had gone before they were read."""
        return self._accounts.lost

    def look(self) -> bool:
        """Look for new files and entries; whether there may be something to fill in. From one thread at a time."""
        with self.lock:
            self._accounts.look()
            found = [chain.look() for chain in self._chains]
            return any(found) or any(followed.pending for followed in self._accounts.followed.values())

    def close(self) -> None:
        """Let go of all files."""
        with self.lock:
            for chain in self._chains:
                chain.close()

    def fill(self, out: Bytes, room: int) -> Filled | None:
        """Write documents of the next entries; nothing while somebody looks for files, who then wakes the feed."""
        if not self.lock.acquire(blocking=False):
            return None
        try:
            in_turn = sorted(self._accounts.followed.values(), key=lambda followed: followed is self._latest)
            for followed in in_turn:
                filled = self._fill_from(followed, out, room)
                if filled is not None:
                    self._latest = followed
                    return filled
            return None
        finally:
            self.lock.release()

    def _fill_from(self, followed: Followed, out: Bytes, room: int) -> Filled | None:
        chain = followed.chain
        for _ in range(_STRETCHES):
            if followed.pending is None:
                if chain.reached - self._ledger.kept(chain.account) > AHEAD_ENTRIES:
                    return None
                stretch = chain.read()
                if stretch is None:
                    return None
                followed.pending = self._prepare(followed, stretch)
            if len(followed.pending.chunk):
                return self._write(followed, followed.pending, out, room)
            self._pass_over(followed, followed.pending)
        return None

    def _prepare(self, followed: Followed, stretch: Stretch) -> Pending:
        """Messages of our entries, masked and with their templates."""
        rows, count, frames = stretch.rows, stretch.count, followed.chain.frames
        kept = np.flatnonzero(rows.frames[:count] >= 0)
        units = frames.unit_of[rows.frames[kept]]
        place = np.argsort(units, kind="stable")
        data, starts = followed.hand.gather(rows, kept[place])
        templates = np.full(len(kept), -1, np.int32)
        for first, last in runs_of(units[place]):
            unit = frames.units[units[place[first]]]
            late = self._clock.now_ms() - int(rows.times[kept[place[first]]]) // 1000 > LATE_MS
            templates[place[first:last]] = self._templates_of(unit, data, starts[first : last + 1], late=late)
        back = np.empty(len(kept), np.int64)
        back[place] = np.arange(len(kept))
        chunk = Chunk(
            data, starts[back], starts[back + 1] - 1, rows.seqnums[kept], rows.times[kept], rows.frames[kept],
            rows.cut[kept], templates, specials_among(data, starts)[back],
        )  # fmt: skip
        return Pending(chunk, stretch, stretch.offsets[kept], followed.chain.reached)

    def _templates_of(self, unit: str, data: Bytes, starts: Int64, *, late: bool) -> Int32:
        self._masks.messages(unit, data, starts)
        if self._templates is None:
            return np.full(len(starts) - 1, -1, np.int32)
        first, last = int(starts[0]), int(starts[-1])
        lines, bounds = first_lines(data[first : last + SLACK], starts - first)
        return self._templates.of(Lines(self.dataset, unit, lines, bounds, self._clock.now_ms(), late=late))

    def _write(self, followed: Followed, pending: Pending, out: Bytes, room: int) -> Filled:
        chain, chunk, stretch = followed.chain, pending.chunk, pending.stretch
        count, size = followed.hand.write(chunk, chain.seqnum_id.hex(), chain.frames, out, room)
        done = count == len(chunk)
        offset = int(stretch.offsets[-1] if done else pending.offsets[count - 1])
        end = pending.reached if done else int(chunk.seqnums[count - 1])
        span = Span(chain.account, followed.sent, end, _cursor(chain, stretch, offset, last=done and stretch.whole))
        followed.sent = end
        if done:
            followed.pending = None
        else:
            pending.chunk, pending.offsets = chunk.part(count, len(chunk)), pending.offsets[count:]
        written_ms = int(chunk.times[0]) // 1000
        return Filled(
            size=size,
            documents=count,
            span=span,
            written_ms=written_ms if written_ms >= self._began_ms else None,
            doubtful=span.start < followed.doubtful_before,
            more=not done or not stretch.whole,
        )

    def _pass_over(self, followed: Followed, pending: Pending) -> None:
        """Entries of which none is ours need no sending."""
        chain, stretch = followed.chain, pending.stretch
        followed.pending = None
        if pending.reached > followed.sent:
            state = _cursor(chain, stretch, int(stretch.offsets[-1]), last=stretch.whole)
            self._ledger.settle([Span(chain.account, followed.sent, pending.reached, state)])
            followed.sent = pending.reached


def _cursor(chain: Chain, stretch: Stretch, offset: int, *, last: bool) -> bytes:
    try:
        return Cursor.of(chain.seqnum_id, stretch.file.entry(offset), last=last).kept()
    except (UnreadableError, OSError):
        return b""  # the number alone is enough to go on
