"""Files that belong together, one after the other: an account of sequence numbers that only grow."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from logship.engine.documents import Int64
from logship.journal.cursor import Cursor
from logship.journal.file import Entry, JournalFile
from logship.journal.folders import scope_of, why
from logship.journal.frames import BROKEN, Frames
from logship.journal.layout import ARCHIVED, UnreadableError
from logship.journal.rows import Rows, Walker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries that are not there any more, or cannot be read.

    Attributes:
        first: sequence number of the first.
        last: of the last.
        since: time of the entry before them, microseconds since 1970; 0 where that is not known.
        until: time of the entry behind them.
    """

    first: int
    last: int
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries that were read into rows.

    Attributes:
        offsets: where they are.
        file: in which file.
        rows: the columns; the first ``count`` of them.
        count: as many.
        whole: whether there was nothing behind them.
    """

    offsets: Int64
    file: JournalFile
    rows: Rows
    count: int
    whole: bool


class Chain:
    """The files of one count of sequence numbers and one scope (the system, a user).

    Args:
        seqnum_id: of the count.
        scope: of the files.
        account: its name in the checkpoint.
        walker: reads entries.
        frames: those that the walker makes.
        reached: sequence number up to which everything was read.
        cursor: the entry there.
        fresh: whether nothing of it was ever read: what is missing before its first entry is no loss.
        gap: is told what is missing.

    Attributes:
        files: those with something to read, or to come.
        reached: sequence number up to which everything was read.
        broken: entries that could not be read.
        last: the entry that was read last.
    """

    def __init__(
        self,
        seqnum_id: bytes,
        scope: str,
        account: str,
        *,
        walker: Walker,
        frames: Frames,
        reached: int,
        cursor: Cursor | None,
        fresh: bool,
        gap: "Callable[[Chain, Gap], None]",
    ) -> None:
        self.seqnum_id, self.scope, self.account = seqnum_id, scope, account
        self.frames = frames
        self.files: list[JournalFile] = []
        self.reached = reached
        self.broken = 0
        self.last: Entry | None = None
        self._walker = walker
        self._realtime = cursor.realtime if cursor else 0
        self._fresh = fresh
        self._gap = gap
        self._index: int | None = None
        self._told: set[bytes] = set()

    def add(self, file: JournalFile) -> None:
        """Take a file in, unless all of it was read."""
        if any(file.header.file_id == known.header.file_id for known in self.files) or (
            file.header.state == ARCHIVED and 0 < file.header.tail_seqnum <= self.reached
        ):
            file.close()
            return
        current = self.files[0] if self.files else None
        self.files.append(file)
        self.files.sort(key=_order)
        if current is not self.files[0]:
            self._index = None

    def skip_to(self, reached: int) -> None:
        """Go on behind a sequence number: what is before it was read elsewhere."""
        self.reached = max(self.reached, reached)
        self._index = None

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files:
            file.close()
        self.files.clear()
        self._index = None

    def look(self) -> bool:
        """Whether there are entries that were not read, as far as headers tell."""
        found = False
        for file in list(self.files):
            try:
                file.refresh()
            except (UnreadableError, OSError) as error:
                self._give_up(file, error)
                continue
            found |= file.header.entries > 0 and file.header.tail_seqnum > self.reached
        return found or len(self.files) > 1

    @property
    def waiting(self) -> int:
        """Entries that were not read yet."""
        if not self.files:
            return 0
        index = self._index or 0
        return sum(file.header.entries for file in self.files) - index

    @property
    def behind(self) -> float:
        """Seconds between the last entry and the one that was read last."""
        newest = max((file.header.tail_realtime for file in self.files), default=0)
        return max(0, newest - self._realtime) / 1e6 if self.waiting and self._realtime else 0.0

    def read(self) -> Stretch | None:
        """The next entries; None where there are none."""
        while self.files:
            file = self.files[0]
            try:
                stretch = self._read_from(file)
            except (UnreadableError, OSError) as error:
                self._give_up(file, error)
                continue
            if stretch is not None:
                return stretch
            if not self._at_its_end(file):
                return None
            self._drop(file)
        return None

    def _read_from(self, file: JournalFile) -> Stretch | None:
        file.refresh()
        if not file.header.entries:
            return None
        index = self._place(file)
        offsets = file.offsets()[index:]
        if not len(offsets):
            return None
        before = int(file.offsets()[index - 1]) if index else 0
        count = self._walker.walk(file, offsets, before)
        self._index = index + count
        self._leave_out_repeated(count)
        rows = self._walker.rows
        broken = int(np.count_nonzero(rows.frames[:count] == BROKEN))
        if broken:
            self._tell_broken(file, broken)
        self.reached = max(self.reached, int(rows.seqnums[:count].max()))
        self.last = file.entry(int(offsets[count - 1]))
        self._realtime = self.last.realtime
        self._fresh = False
        whole = len(offsets) == count and len(self.files) == 1
        return Stretch(offsets[:count], file, rows, count, whole)

    def _place(self, file: JournalFile) -> int:
        """The index of the next entry of the first file."""
        if self._index is None:
            self._index = file.first_from(self.reached + 1)
            if self._index < len(file.offsets()):
                first = file.seqnum(self._index)
                if not self._fresh and first > self.reached + 1:
                    until = file.realtime(self._index)
                    self._gap(self, Gap(self.reached + 1, first - 1, self._realtime, until))
        return self._index

    def _leave_out_repeated(self, count: int) -> None:
        """Entries whose numbers do not grow would take the ids of others."""
        rows = self._walker.rows
        seqnums = rows.seqnums[:count]
        before = np.maximum.accumulate(np.concatenate(([self.reached], seqnums[:-1])))
        rows.frames[:count][seqnums <= before] = BROKEN

    def _at_its_end(self, file: JournalFile) -> bool:
        """Whether nothing more comes of a file that was read to its end."""
        following = self.files[1:]
        if any(later.header.entries for later in following):
            return not file.refresh()  # what was written before the next file began is in it by now
        return file.header.state == ARCHIVED or file.path.name.endswith("~") or not file.linked

    def _drop(self, file: JournalFile) -> None:
        file.close()
        self.files.remove(file)
        self._index = None

    def _give_up(self, file: JournalFile, error: Exception) -> None:
        """What cannot be read any more is lost, and named."""
        header = file.header
        if file.linked:  # a vacuum empties what it removes, for whoever has it open too
            reason = why(error) if isinstance(error, OSError) else str(error)
            log.error("the journal's file %s is damaged: %s; what follows in it is left out", file.path, reason)
        if header.tail_seqnum > self.reached and header.entries:
            first = max(self.reached + 1, header.head_seqnum)
            self._gap(self, Gap(first, header.tail_seqnum, self._realtime, header.tail_realtime))
            self.reached, self._realtime = header.tail_seqnum, header.tail_realtime
        self._drop(file)

    def _tell_broken(self, file: JournalFile, count: int) -> None:
        self.broken += count
        if file.header.file_id not in self._told:
            self._told.add(file.header.file_id)
            log.warning("the journal's file %s has entries that cannot be read; they are left out", file.path)


def _order(file: JournalFile) -> tuple[int, int]:
    """Oldest first; a file without entries is the newest."""
    return (file.header.head_seqnum or 1 << 63, file.header.head_realtime)


def key_of(file: JournalFile) -> tuple[bytes, str]:
    """The chain that a file belongs to."""
    return file.header.seqnum_id, scope_of(file.path)
