"""Which bytes of a log would be gone before they can be sent, and copying those into the spool.

While a file is there it is its own buffer. It is copied only where it has been behind for some seconds and
may vanish: it has no name any more (its bytes live as long as this process does), it is the oldest generation of a
path of which older ones were seen to be removed, or its disk is nearly full, so that somebody will make room.
"""

import logging
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from forewarn.base.clock import Clock
from logship.delivery.ledger import Ledger
from logship.errors import SpoolError
from logship.files.copies import LINGER_SECONDS
from logship.files.family import Family
from logship.files.tail import TailedFile
from logship.shaping.redaction import LOOK_BACK
from logship.spool.file import SpooledFile, still_held
from logship.spool.losses import Loss
from logship.spool.seal import Envelope
from logship.spool.settings import What
from logship.spool.spool import BLOCK_BYTES, Spool
from logship.streams import Stream

STUCK_SECONDS = 5.0
"""How long nothing more of a file must have arrived before anything of it is copied."""

NEARLY_FULL = 0.05
"""Share of a disk that is free when it counts as nearly full."""

_TURN_BYTES = 64 * 1024 * 1024
_AHEAD_SHARE = 0.75
"""Share of the spool up to which bytes are copied that are not about to vanish."""

log = logging.getLogger(__name__)


class Standing(NamedTuple):
    """How a generation stands.

    Attributes:
        removed: it has no name any more.
        live: it is the one that is written to.
        oldest: it is the oldest that has a name.
        older_removed: an older one was seen to be removed.
        free: share of its disk that is free; 1 where copying would not help, the spool being on the same disk.
    """

    removed: bool
    live: bool
    oldest: bool
    older_removed: bool
    free: float


REASONS: tuple[tuple[str, Callable[[Standing], bool]], ...] = (
    ("removed", lambda one: one.removed),
    ("next to be removed", lambda one: one.oldest and one.older_removed and not one.live),
    ("disk nearly full", lambda one: one.free < NEARLY_FULL and not one.live),
)


def why_vanishing(standing: Standing) -> str | None:
    """Why a generation may vanish; None where it will stay for now."""
    return next((reason for reason, holds in REASONS if holds(standing)), None)


@dataclass(slots=True)
class Progress:
    """What is known of a file that is behind.

    Attributes:
        file: the file.
        reached: offset up to which it had arrived.
        since: when it had come to that, in seconds on the monotonic clock.
        copied: offset up to which it was copied.
        size: its size then.
        grew: when it had grown to that.
        removed: whether it had no name any more when it was looked at.
    """

    file: TailedFile
    reached: int
    since: float
    copied: int = 0
    size: int = 0
    grew: float = 0.0
    removed: bool = False


class Guard:
    """Copies what would vanish; for one thread at a time, which holds the family's feed.

    Args:
        spool: takes it.
        what: what is copied.
        ledger: what has arrived.
        clock: the clocks.
        max_line: the longest line in bytes that is kept in one piece.
    """

    def __init__(self, spool: Spool, what: What, *, ledger: Ledger, clock: Clock, max_line: int) -> None:
        self._spool = spool
        self._everything = what == "everything"
        self._off = what == "off"
        self._ledger = ledger
        self._clock = clock
        self._max_line = max_line
        self._behind: dict[str, Progress] = {}
        self._removed: set[Path] = set()
        self._full = False
        spool.elsewhere = self.is_open

    def accounts(self) -> list[str]:
        """The accounts of which anything is kept."""
        return self._spool.accounts()

    def rest(self, stream: Stream) -> SpooledFile | None:
        """What is kept of a stream whose file is gone; None where that is nothing.

        Raises:
            SpoolKeyError: it is there, but its key is missing.
            SpoolError: it cannot be read now.
        """
        return still_held(self._spool, stream, self._max_line)

    def forget(self, accounts: Collection[str]) -> None:
        """Nothing more is to come of these, and the checkpoint, which says so, is about to forget them."""
        for account in accounts:
            self._behind.pop(account, None)
            self._spool.release(account)

    def lose(self, stream: Stream, start: int, end: int) -> None:
        """Count bytes that are gone without having been copied."""
        loss = Loss(stream.file_id, stream.path, start, end, None, end - start, "gone")
        self._spool.losses.add_unless_known(loss)  # each process that tries the file again gives it up again

    def look(self, family: Family) -> bool:
        """Copy what would vanish of a path's files; whether to look again soon."""
        again = False
        for number, file in enumerate(list(family.files)):
            if file.stream is None or isinstance(file, SpooledFile):
                continue
            if removed := file.removed():
                self._removed.add(family.path)
            progress = self._progress(file, file.stream)
            if progress is None:
                continue
            again, progress.removed = True, removed
            if self._is_due(family, file, progress):
                self._copy(file, file.stream, progress)
                self._let_go(family, number, progress)
        return again

    def keep(self, stream: Stream, start: int, data: memoryview, lines: int, size: int) -> None:
        """Copy bytes before they are sent, where everything is to be copied.

        Args:
            stream: whose bytes.
            start: offset of the first.
            data: the bytes.
            lines: in them.
            size: of the file.
        """
        for begin, end in self._spool.missing(stream.file_id, start, start + len(data)):
            with data[begin - start : end - start] as part:
                self._put(stream, begin, part, lines, size, compress=False)

    def last(self, family: Family) -> None:
        """The process ends: copy what has no name."""
        if not self._off:
            for file, stream, progress in self._vanishing(family):
                self._copy(file, stream, progress)

    def count(self, family: Family) -> None:
        """The process ends: count what has no name, has not arrived and is not copied."""
        for file, stream, progress in self._vanishing(family):
            account = stream.file_id
            for start, end in self._spool.missing(account, progress.reached, progress.size):
                counted = _lines(file, start, end)
                self._spool.losses.add([Loss(account, stream.path, start, end, counted, end - start, "gone")])

    def _vanishing(self, family: Family) -> Iterator[tuple[TailedFile, Stream, Progress]]:
        """What ends with the process of a path's files."""
        for file in family.files:
            if file.stream is None or isinstance(file, SpooledFile) or not file.removed():
                continue
            progress = self._progress(file, file.stream)
            if progress is not None:
                yield file, file.stream, progress

    def _is_due(self, family: Family, file: TailedFile, progress: Progress) -> bool:
        if self._off or self._clock.monotonic() - progress.since < STUCK_SECONDS:
            return False
        if progress.copied >= progress.size:
            return True
        if why_vanishing(self._standing(family, file)) is not None:
            return True
        return self._everything and self._spool.size < _AHEAD_SHARE * self._spool.limit

    def _standing(self, family: Family, file: TailedFile) -> Standing:
        named = [one for one in family.files if not one.removed()]
        return Standing(
            removed=file.removed(),
            live=file is family.files[-1],
            oldest=bool(named) and file is named[0],
            older_removed=family.path in self._removed,
            free=self._free(file),
        )

    def _free(self, file: TailedFile) -> float:
        status = os.fstatvfs(file.content.descriptor)
        if os.fstat(file.content.descriptor).st_dev == self._spool.device or not status.f_blocks:
            return 1.0
        return status.f_bavail / status.f_blocks

    def _progress(self, file: TailedFile, stream: Stream) -> Progress | None:
        """How a file that is behind has come along; None where it is not behind."""
        account, now = stream.file_id, self._clock.monotonic()
        reached, size = self._ledger.reached(account), file.size()
        if reached >= size:
            self._behind.pop(account, None)
            return None
        progress = self._behind.get(account)
        if progress is None or progress.file is not file:
            ranges = self._spool.ranges(account)
            progress = self._behind[account] = Progress(file, reached, now, copied=ranges[-1][1] if ranges else 0)
        if progress.reached != reached:
            progress.reached, progress.since = reached, now
        if progress.size != size:
            progress.size, progress.grew = size, now
        return progress

    def _copy(self, file: TailedFile, stream: Stream, progress: Progress) -> None:
        """Copy on from where it was copied to, so much in one turn."""
        begin = max(progress.copied, self._ledger.kept(stream.file_id) - LOOK_BACK, 0)
        end = min(progress.size, begin + _TURN_BYTES)
        missing = self._spool.missing(stream.file_id, begin, end)
        if all(self._copy_range(file, stream, *part, progress.size) for part in missing):
            progress.copied = max(begin, end)
        if missing:
            self._sync()

    def _copy_range(self, file: TailedFile, stream: Stream, start: int, end: int, size: int) -> bool:
        """Copy a range; False where that broke off."""
        for at in range(start, end, BLOCK_BYTES):
            count = min(BLOCK_BYTES, end - at)
            data = file.content.pread(count, at)
            if len(data) < count or not (file.content.compressed or file.intact()):
                return False  # it was cut off, and may hold other lines there by now
            if not self._put(stream, at, data, data.count(b"\n"), size):
                return False
        return True

    def _put(
        self, stream: Stream, start: int, data: bytes | memoryview, lines: int, size: int, *, compress: bool = True
    ) -> bool:
        origin = {"path": stream.path, "size": size}
        envelope = Envelope(stream.file_id, start, start + len(data), origin)
        try:
            self._spool.put(envelope, data, lines, compress=compress)
        except SpoolError as error:
            self._say(error)
            return False
        self._say(None)
        return True

    def _sync(self) -> None:
        try:
            self._spool.sync()
        except SpoolError as error:
            self._say(error)

    def _let_go(self, family: Family, number: int, progress: Progress) -> None:
        """Read a file that has no name, and was copied whole, from the spool, so that its disk space is given back."""
        file, stream = progress.file, progress.file.stream
        quiet = self._clock.monotonic() - progress.grew >= LINGER_SECONDS
        if stream is None or not quiet or not file.removed():
            return
        if self._spool.missing(stream.file_id, progress.reached, progress.size):
            return
        rest = SpooledFile(self._spool, stream, self._max_line)
        rest.take_over(file)
        family.files[number] = rest
        del self._behind[stream.file_id]
        file.close()

    def is_open(self, account: str) -> bool:
        """Whether an account's bytes are still there in a file that is open."""
        progress = self._behind.get(account)
        stream = progress.file.stream if progress is not None else None
        return stream is not None and stream.file_id == account

    def is_named(self, account: str) -> bool:
        """Whether an account's file is open and will be there for the next process, too."""
        progress = self._behind.get(account)
        return progress is not None and not progress.removed and self.is_open(account)

    def _say(self, error: SpoolError | None) -> None:
        """Say it once when nothing can be spooled, and once when that is over."""
        if error is not None and not self._full:
            log.error("%s; logs that are removed now stay only as long as this process", error)
        elif error is None and self._full:
            log.info("logs can be spooled again")
        self._full = error is not None


def _lines(file: TailedFile, start: int, end: int) -> int | None:
    """The lines of a range; None where it is too long to be counted now."""
    if end - start > _TURN_BYTES:
        return None
    steps = range(start, end, BLOCK_BYTES)
    return sum(file.content.pread(min(BLOCK_BYTES, end - at), at).count(b"\n") for at in steps)
