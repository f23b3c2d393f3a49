"""The reading side: finds files, reads them in turn, fills batches."""

import contextlib
import logging
import queue
import threading
from glob import glob, has_magic
from pathlib import Path

from forewarn.base.clock import Clock
from logship.batch import Batch
from logship.checkpoint import Anchor, Checkpoint
from logship.encode import Encoder
from logship.errors import LogshipError
from logship.family import Family
from logship.ledger import Ledger, Span
from logship.rotation import by_family
from logship.settings import FileSettings, LogsSettings
from logship.stats import Stats
from logship.tail import Piece, TailedFile

SCAN_SECONDS = 1.0
SHORTEST_LOOK = 0.05
LONGEST_LOOK = 1.0
_PIECE_BYTES = 256 * 1024

log = logging.getLogger(__name__)


class Reader:
    """Follows the configured files and hands batches to a bounded queue; one thread runs it.

    While the queue is full it reads no further, but still follows rotations: the files themselves are the buffer.

    Args:
        settings: what to follow and how large batches get.
        hostname: the node's name.
        checkpoint: where reading goes on.
        ledger: what has arrived.
        stats: is told how much waits.
        batches: where full batches go.
        clock: the clocks.
        stopping: ends the reading.
    """

    def __init__(
        self,
        settings: LogsSettings,
        hostname: str,
        *,
        checkpoint: Checkpoint,
        ledger: Ledger,
        stats: Stats,
        batches: "queue.Queue[Batch | None]",
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._hostname = hostname
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._stats = stats
        self._batches = batches
        self._clock = clock
        self._stopping = stopping
        self._families: dict[Path, Family] = {}
        self._troubles: dict[Path, str] = {}
        self._batch: Batch | None = None
        self._piece_bytes = max(16 * 1024, min(_PIECE_BYTES, settings.bulk_bytes // 12))
        self._first_scan = True

    def run(self) -> None:
        """Read until it is time to stop."""
        scanned = float("-inf")
        while not self._stopping.is_set():
            now = self._clock.monotonic()
            if now - scanned >= SCAN_SECONDS:
                self._scan()
                scanned = now
            moved = self._fill()
            if not self._hand_over() or not moved:
                self._stopping.wait(SHORTEST_LOOK)
        for family in self._families.values():
            family.close()

    def _scan(self) -> None:
        there: set[Path] = set()
        for file in self._settings.file:
            paths = [Path(found) for found in glob(file.path, recursive=True)]  # noqa: PTH207  the pattern is absolute
            if not paths and not has_magic(file.path) and Path(file.path) not in self._families:
                self._trouble(Path(file.path), "there is no such file yet")
            for path, older in by_family(paths, self._families).items():
                if older or path in paths:
                    there.add(path)
                if path not in self._families and not path.is_dir():
                    self._begin(path, older, file)
        self._first_scan = False
        for path, family in self._families.items():
            self._look(path, family)
        for path in [path for path, family in self._families.items() if path not in there and not family.files]:
            self._families.pop(path).forget()  # a path that comes again is begun again
            self._troubles.pop(path, None)
        self._stats.lag(
            {str(path): lag for path, family in self._families.items() if (lag := _lag(family)) is not None}
        )

    def _begin(self, path: Path, older: list[Path], file: FileSettings) -> None:
        encoder = Encoder(str(path), file, self._settings, self._hostname)
        family = Family(
            path,
            encoder,
            checkpoint=self._checkpoint,
            ledger=self._ledger,
            clock=self._clock,
            max_line=self._settings.max_line_bytes,
            stats=self._stats,
        )
        self._families[path] = family
        from_end = self._first_scan and self._settings.read_from == "end"
        try:
            family.begin(older, from_end=from_end)
        except (OSError, LogshipError) as error:
            self._trouble(path, _reason(error))

    def _look(self, path: Path, family: Family) -> None:
        try:
            family.look()
        except (OSError, LogshipError) as error:
            self._trouble(path, _reason(error))
        else:
            readable = not any(file.fault for file in family.files)
            if readable and self._troubles.pop(path, None) is not None:
                log.info("the log file can be read again", extra={"path": str(path)})
        with contextlib.suppress(OSError):  # on NFS, a handle that has gone stale says nothing
            family.retire()

    def _trouble(self, path: Path, reason: str) -> None:
        if self._troubles.get(path) != reason:
            self._troubles[path] = reason
            log.warning("cannot read the log file %s: %s; the others go on, it is tried again", path, reason)

    def _fill(self) -> bool:
        """One piece of every file that has one; whether there was any."""
        moved = False
        for path, family in self._families.items():
            for file in list(family.files):
                if self._full():
                    return moved
                try:
                    found = self._take(family, file)
                except OSError as error:
                    self._trouble(path, _reason(error))
                    if not family.give_up(file, error):
                        break
                    continue
                if found:
                    moved = True
                    break  # a newer generation waits until the older one is at its end
        return moved

    def _take(self, family: Family, file: TailedFile) -> bool:
        now = self._clock.monotonic()
        if now < file.next_look:
            return False
        piece = family.read(file, self._piece_bytes)
        file.fault = None
        if piece is None:
            file.quiet_since = now if file.quiet_since is None else file.quiet_since
            file.next_look = now + min(LONGEST_LOOK, max(SHORTEST_LOOK, (now - file.quiet_since) / 10))
            return False
        file.quiet_since = None
        self._put(family, file, piece)
        return True

    def _put(self, family: Family, file: TailedFile, piece: Piece) -> None:
        stream = file.stream
        assert stream is not None
        if self._batch is None:
            self._batch = Batch(self._clock.monotonic())
        again = file.anchors[0] if file.anchors else None
        read_ms = again.read_ms if again is not None else self._clock.now_ms()
        encoded = family.encoder.encode(
            stream.file_id,
            piece.start,
            piece.data,
            carry=file.carry,
            read_ms=read_ms,
            seen_ms=stream.first_seen_ms,
        )
        file.carry = encoded.carry
        if encoded.fallback and again is None:
            self._batch.anchors.append(Anchor(stream.file_id, file.position, read_ms))
        span = Span(stream.file_id, piece.start, file.position, file.marker, file.carry, file.head, file.modified_ns)
        self._batch.add(encoded.documents, span)

    def _full(self) -> bool:
        return self._batch is not None and self._batch.size >= self._settings.bulk_bytes

    def _hand_over(self) -> bool:
        """Hand the batch over when it is full or old; False where the queue has no room."""
        batch = self._batch
        if batch is None:
            return True
        if not self._full() and self._clock.monotonic() - batch.opened < self._settings.flush_interval:
            return True
        if batch.anchors:
            self._checkpoint.anchor(batch.anchors)
            batch.anchors.clear()
        try:
            self._batches.put_nowait(batch)
        except queue.Full:
            return False
        self._batch = None
        return True


def _lag(family: Family) -> int | None:
    """Bytes that wait; None where a file system that went away (NFS) does not say."""
    try:
        return family.lag()
    except OSError:
        return None


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
