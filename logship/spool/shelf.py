"""The segments of a spool and what is in them: loaded, counted where they are damaged, written anew, removed."""

import logging
import os
from pathlib import Path

from logship.errors import SpoolError, SpoolKeyError
from logship.spool.index import Entry, Held, Index
from logship.spool.keys import KeyRing
from logship.spool.losses import Loss, Losses, Reason
from logship.spool.segment import SPOOLED, SUFFIX, Record, Segment, SegmentWriter, Torn, records

log = logging.getLogger(__name__)


class Shelf:
    """Segments of one folder; for one thread at a time.

    Args:
        folder: where they lie.
        keys: the keys.
        losses: is told what cannot be read any more.

    Attributes:
        index: what is in them.
        held: the segments, by the names of their files.
        paths: of the logs that accounts came from, as far as they are known.
        next: sequence of the next record.
        writing: the segment that is being written.
    """

    def __init__(self, folder: Path, keys: KeyRing, losses: Losses) -> None:
        self._folder = folder
        self._keys = keys
        self._losses = losses
        self.index = Index()
        self.held: dict[str, Held] = {}
        self.paths: dict[str, str] = {}
        self.next = 1
        self.writing: Path | None = None

    def load(self, path: Path) -> None:
        """Take a segment in that an earlier process wrote."""
        try:
            segment = Segment.open(path)
        except SpoolError as error:
            self._set_aside(path, error)
            return
        held = self.held[path.name] = Held(segment, path.stat().st_size)
        self.next = max(self.next, segment.header.first)
        for found in segment.records():
            if isinstance(found, Torn):
                log.info("an unfinished end of the spool was cut off", extra={"path": str(path), "at": found.offset})
                os.truncate(path, found.offset)
                held.size = found.offset
                continue
            self.next = max(self.next, found.frame.sequence + 1)
            self._add(held, found)
        self.remove_if_empty(held)

    def _add(self, held: Held, found: Record) -> None:
        frame = found.frame
        if found.whole:
            self.take(held, found, frame.account, frame.start, frame.end)
            return
        try:
            read = held.segment.read(found, self._keys.find(held.segment.header.key_id))
        except SpoolKeyError:
            read = None
        if read is None:
            self.lose(held, found)
        else:
            log.warning("a damaged frame of the spool was mended", extra={"where": self._where(held, found)})
            self.take(held, found, read[0].account, read[0].start, read[0].end)

    def take(self, held: Held, record: Record, account: str, start: int, end: int) -> None:
        """Take a record of a segment into the index."""
        for other in self.index.add(held, record, account, start, end):
            if other is not held:
                self.remove_if_empty(other)

    def _set_aside(self, path: Path, error: SpoolError) -> None:
        """Count what a segment held that has lost both copies of its header: nothing of it can be opened any more."""
        log.error("%s", error)
        where = f"{path.name}: both copies of the header"
        self._losses.add(
            [
                Loss(frame.account, "", frame.start, frame.end, frame.lines, frame.size, "damaged", where)
                for found in records(path)
                if isinstance(found, Record) and (frame := found.frame).account
            ]
        )
        path.replace(path.with_suffix(".damaged"))

    def lose(self, held: Held, record: Record) -> None:
        """Count a damaged record."""
        frame, known = record.frame, record.whole
        self._losses.add(
            [
                Loss(
                    frame.account,
                    self.paths.get(frame.account, ""),
                    frame.start,
                    frame.end if known else None,
                    frame.lines if known else None,
                    frame.size if known else None,
                    "damaged",
                    self._where(held, record),
                )
            ]
        )

    def loss(self, entry: Entry, reason: Reason) -> Loss:
        """The loss of a range."""
        frame = entry.frame
        path = self.paths.get(entry.account, "")
        return Loss(entry.account, path, entry.start, entry.end, frame.lines, frame.size, reason)

    def remove_if_empty(self, held: Held) -> None:
        """Remove a segment of which nothing is needed any more."""
        path = held.segment.path
        if held.entries or self.writing == path:
            return
        self.held.pop(path.name, None)
        path.unlink(missing_ok=True)

    def rewrite(self, held: Held) -> None:
        """Write a segment anew under the current key, of the same age; the old one goes once the new one is kept.

        Raises:
            SpoolKeyError: the old key is not given.
            SpoolError: the disk is full.
            OSError: the segment cannot be read.
        """
        key, old = self._keys.find(held.segment.header.key_id), held.segment
        writer = SegmentWriter(
            self._folder, self._keys.current, kind=SPOOLED, first=self.next, now_ms=old.header.created_ms
        )
        reader, moved = old.reader(key), []
        try:
            for entry in sorted(held.entries, key=lambda entry: entry.frame.sequence):
                if (found := reader(entry.record)) is None:
                    self.lose(held, entry.record)
                else:
                    moved.append((entry, writer.append(*found, entry.frame.lines)))
            writer.sync()
        except (SpoolError, OSError):
            writer.path.unlink()
            raise
        finally:
            writer.close()
        fresh = Held(Segment(writer.path, writer.header), writer.size)
        self.next = writer.next
        for entry in list(held.entries):
            self.index.remove(entry)
        for entry, record in moved:
            self.index.add(fresh, record, entry.account, entry.start, entry.end)
        self.held[writer.path.name] = fresh
        self.remove_if_empty(fresh)
        self.remove_if_empty(held)

    def _where(self, held: Held, record: Record) -> str:
        return f"{held.segment.path.name}, offset {record.offset}, key {held.segment.header.key_id.hex()}"


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))
