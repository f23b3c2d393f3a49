"""The accounts of a data stream: where each chain of journal files begins, goes on, and what is missing from it."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from itertools import groupby

from forewarn.base.clock import rfc3339
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.feed import Span
from logship.journal.chain import Chain, Gap, key_of
from logship.journal.cursor import Cursor
from logship.journal.file import JournalFile
from logship.journal.folders import Folders
from logship.journal.frames import Framer, Frames
from logship.journal.hands import Hand
from logship.journal.layout import UnreadableError
from logship.journal.pending import Followed
from logship.journal.rows import Walker

AHEAD_ENTRIES = 500_000
"""How far entries may be sent beyond what is kept as acknowledged: what a killed shipper leaves in doubt."""
_SAME_TIME = 1000
_NOBODY = bytes(16)

Maker = Callable[[Framer, Frames], tuple[Walker, Hand]]
Key = tuple[bytes, str]

log = logging.getLogger(__name__)


class Accounts:
    """The chains of one data stream.

    Args:
        dataset: of the stream.
        folders: finds the files.
        framer: makes what surrounds messages.
        maker: makes what reads a chain's entries, and what writes their documents.
        checkpoint: keeps how far everything has arrived.
        ledger: counts what arrives.
        since_ms: entries that are older are left out where a journal is followed for the first time.

    Attributes:
        followed: the chains, by their count of sequence numbers and their scope.
        lost: entries that had gone before they were read.
    """

    def __init__(
        self,
        dataset: str,
        *,
        folders: Folders,
        framer: Framer,
        maker: Maker,
        checkpoint: Checkpoint,
        ledger: Ledger,
        since_ms: int,
    ) -> None:
        self._dataset, self._folders, self._framer, self._maker = dataset, folders, framer, maker
        self._checkpoint, self._ledger, self._since = checkpoint, ledger, 1000 * since_ms
        self._prefix = f"journal:{dataset}:"
        self._known = checkpoint.places(self._prefix)
        self._first = not self._known
        self.followed: dict[Key, Followed] = {}
        self.lost = 0

    def look(self) -> None:
        """Take in files that are new."""
        if not self._folders.changed():
            return
        files = sorted((file for file in self._folders.look() if self._ours(file)), key=_order)
        for key, group in groupby(files, key_of):
            self._follow(key, list(group))
        if self.followed:
            self._first = False
            self._name_vanished()

    def _ours(self, file: JournalFile) -> bool:
        """Whether a file is of this machine, or goes on with a journal that was followed."""
        machine = bytes.fromhex(self._folders.machine() or _NOBODY.hex())
        header = file.header
        ours = machine == _NOBODY or header.machine_id in {machine, _NOBODY}
        if ours or any(account.endswith(header.seqnum_id.hex()) for account in self._known):
            return True
        file.close()
        return False

    def _follow(self, key: Key, files: list[JournalFile]) -> None:
        moved = self._moved_to(key, files)
        followed = self.followed.get(key)
        if followed is None:
            self._begin(key, files, moved)
        elif moved is not None:
            followed.chain.skip_to(moved)
        for file in files:
            self.followed[key].chain.add(file)

    def _moved_to(self, key: Key, files: Sequence[JournalFile]) -> int | None:
        """Where in new files the entry is that was read last of another: what is volatile moves to the disk."""
        for account, (_, state) in self._known.items():
            scope, cursor = account.removeprefix(self._prefix).rpartition(":")[0], Cursor.read(state)
            if scope == key[1] and cursor is not None and cursor.seqnum_id != key[0]:
                found = _place_of(cursor, files)
                if found is not None:
                    return found
        for (seqnum_id, scope), followed in self.followed.items():
            if scope == key[1] and followed.chain.last is not None:
                cursor = Cursor.of(followed.chain.seqnum_id, followed.chain.last, last=False)
                newer = [file for file in files if seqnum_id != key[0] or file.header.head_seqnum > cursor.seqnum]
                found = _place_of(cursor, newer)
                if found is not None:
                    followed.chain.close()  # what it did not give yet is in the new files
                    return found
        return None

    def _begin(self, key: Key, files: Sequence[JournalFile], moved: int | None) -> None:
        seqnum_id, scope = key
        account = f"{self._prefix}{scope}:{seqnum_id.hex()}"
        place = self._known.pop(account, None)
        if place is not None:
            reached, cursor = place[0], Cursor.read(place[1])
        else:
            reached, cursor = self._start(files) if moved is None else moved, None
            self._checkpoint.keep([Span(account, reached, reached, b"")])
        self._ledger.start(account, reached)
        frames = Frames()
        walker, hand = self._maker(self._framer, frames)
        chain = Chain(
            seqnum_id,
            scope,
            account,
            walker=walker,
            frames=frames,
            reached=reached,
            cursor=cursor,
            fresh=place is None,
            gap=self._gap,
        )
        doubtful_before = reached + AHEAD_ENTRIES if place is not None else 0
        self.followed[key] = Followed(chain, hand, reached, doubtful_before)

    def _start(self, files: Sequence[JournalFile]) -> int:
        """The sequence number behind which to begin in a journal that is new here."""
        reached = 0
        for file in files if self._first else ():
            if file.header.entries and file.header.tail_realtime < self._since:
                reached = file.header.tail_seqnum
            elif file.header.entries:
                try:
                    return max(reached, file.seqnum(file.first_since(self._since)) - 1)
                except (UnreadableError, OSError):
                    return reached  # who reads it will say so
        return reached

    def _gap(self, chain: Chain, gap: Gap) -> None:
        """Say what is missing, less what lies in other files: all scopes of a journal may share one count."""
        missing = gap.last - gap.first + 1 - self._elsewhere(chain, gap)
        if missing <= 0:
            return
        self.lost += missing
        log.error(
            "%d entries of the journal (%s, numbers %d to %d) were removed before they were read, from between %s and"
            " %s",
            missing, chain.scope, gap.first, gap.last,
            rfc3339(gap.since // 1000) if gap.since else "an unknown time", rfc3339(gap.until // 1000),
            extra={"lost": missing, "dataset": self._dataset},
        )  # fmt: skip

    def _elsewhere(self, chain: Chain, gap: Gap) -> int:
        """Entries with these numbers that other scopes' files hold."""
        found = 0
        for other in self._folders.open_all():
            try:
                header = other.header
                overlaps = header.head_seqnum <= gap.last and header.tail_seqnum >= gap.first
                if overlaps and key_of(other)[1] != chain.scope:
                    found += other.first_from(gap.last + 1) - other.first_from(gap.first)
            except (UnreadableError, OSError):
                continue
            finally:
                other.close()
        return found

    def _name_vanished(self) -> None:
        """Say which journals are gone that were not read to their ends, as far as that can be told; forget them."""
        for account, (reached, state) in self._known.items():
            cursor = Cursor.read(state)
            if cursor is not None and not cursor.last:
                self.lost += 1
                log.error(
                    "a journal is gone of which entries after number %d, of %s, were perhaps not read",
                    reached,
                    rfc3339(cursor.realtime // 1000),
                    extra={"dataset": self._dataset, "account": account},
                )
        self._checkpoint.drop_places(list(self._known))
        self._known = {}


def _order(file: JournalFile) -> tuple[Key, int]:
    return key_of(file), file.header.head_seqnum


def _place_of(cursor: Cursor, files: Sequence[JournalFile]) -> int | None:
    """The sequence number that an entry has in files to which it was copied."""
    for file in files:
        header = file.header
        if header.entries and header.head_realtime <= cursor.realtime <= header.tail_realtime:
            with contextlib.suppress(UnreadableError, OSError):  # who reads the file will say so
                index = file.first_since(cursor.realtime)
                for offset in file.offsets()[index : index + _SAME_TIME].tolist():
                    entry = file.entry(offset)
                    if cursor.same(entry):
                        return entry.seqnum
                    if entry.realtime != cursor.realtime:
                        break
    return None
