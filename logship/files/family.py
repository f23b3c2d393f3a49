"""A followed path and all of its generations that are still being read.

A rotated file stays open until its end was reached and its successor is known. What was rotated while nobody looked is
found again in the folder, by inode or by its first and last bytes, and read oldest first. Two ways of rotating are
known: the file is renamed and a new one made, or it is copied and then cut off. Either may be compressed afterwards.
"""

import contextlib
import logging
from collections.abc import Callable, Collection
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.engine.times import Carried
from logship.errors import LogshipError, SpoolKeyError, TruncatedError
from logship.files.copies import is_copy, is_copy_under_way
from logship.files.folder import Folder
from logship.files.identity import HEAD_BYTES, Fingerprint, Identity, file_id, first_line
from logship.files.listing import Listings
from logship.files.tail import Fault, TailedFile, holds
from logship.stats import Stats
from logship.streams import Stream

LINGER_SECONDS = 60.0
"""How long a rotated file must have been quiet before it is let go: its writer may not have opened the new one yet."""

FAULT_SECONDS = 60.0
"""How long a rotated file must have failed alike before it is given up."""

_NOWHERE = Identity(0, 0, 0)
"""Where a stream lives that no file holds any more."""

log = logging.getLogger(__name__)


class Family:
    """The generations of one path, oldest first; the last is the live one.

    Args:
        path: the followed path.
        checkpoint: where its streams are kept.
        ledger: what of them has arrived.
        clock: tells when a file was first seen and how long it has been quiet.
        max_line: the longest line in bytes that is kept in one piece.
        stats: is told of files that were lost.
        listings: what all paths know of folders.
        rest: finds what is kept elsewhere of a stream whose bytes are gone; None for nothing.
        unneeded: is told of streams before they are forgotten, of which nothing need be kept elsewhere any more.
    """

    def __init__(
        self,
        path: Path,
        *,
        checkpoint: Checkpoint,
        ledger: Ledger,
        clock: Clock,
        max_line: int,
        stats: Stats,
        listings: Listings,
        rest: Callable[[Stream], TailedFile | None] = lambda _stream: None,
        unneeded: Callable[[Collection[str]], None] = lambda _accounts: None,
    ) -> None:
        self.path = path
        self.files: list[TailedFile] = []
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._clock = clock
        self._max_line = max_line
        self._stats = stats
        self._history: set[Identity] = set()  # generations from before the path was followed
        self._missing: list[Stream] = []
        self._rest = rest
        self._unneeded = unneeded
        self._folder = Folder(path, max_line, listings)
        self._stamp: tuple[int, ...] | None = None
        self._waiting = False
        self._locked_away: set[str] = set()

    def begin(self, wanted: list[Path], *, from_end: bool) -> None:
        """Open what is to be read of the path.

        Args:
            wanted: generations that the configuration names itself; read when the path was never followed before.
            from_end: skip what a file holds that was never followed before.

        Raises:
            OSError: the live file cannot be opened; call again later.
        """
        history = self._checkpoint.history(str(self.path))
        if history is None:
            asked = [] if from_end else wanted
            files = self._folder.unknown(self._is_known, surely=True)
            self._history = {file.identity for file in files if file.path not in asked and not self._pass_over(file)}
            for file in files:
                file.close()
            self._checkpoint.follow(str(self.path), self._history)
        else:
            self._history = history
        self._reopen(self._checkpoint.unfinished(str(self.path)))
        self.look(from_end=from_end and history is None)
        for file in self.files:
            if file.stream is None:
                self._name(file)

    def look(self, *, from_end: bool = False) -> None:
        """See whether the path leads to another file than before, and open it and what came between.

        Raises:
            OSError: the new file cannot be opened; call again later.
        """
        successor = self._successor()
        self._open_unseen(self.files[-1] if self.files and successor is None else successor)
        if not self._waiting:
            self._missing = [stream for stream in self._missing if not self._settle_missing(stream)]
        if successor is None:
            return
        known = self._checkpoint.find(successor.identity)
        self.files.append(successor)
        if known is not None:
            self._checkpoint.change({known.file_id: {"finished": False, "path": str(self.path)}})
            self._resume(successor, self._checkpoint.get(known.file_id))
        elif from_end:
            successor.skip_to_end()
            self._name(successor)

    def _successor(self) -> TailedFile | None:
        """The file that the path leads to, opened; None where it is open already, or there is none."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        if any((file.identity.device, file.identity.inode) == (status.st_dev, status.st_ino) for file in self.files):
            return None
        successor = TailedFile.open(self.path, self._max_line)
        known = self._checkpoint.find(successor.identity)
        if known is not None and known.path != str(self.path) and not known.finished:
            successor.close()  # another path leads to the same file, and it is read there
            return None
        return successor

    def peek(self, file: TailedFile, raw: bytearray, limit: int) -> int:
        """Read the next lines of one of the files; their bytes, 0 for none. A file that was cut off starts anew."""
        final = self._is_over(file)
        if file.stream is None and not self._name(file, final=final):
            return 0
        if (missing := file.skip()) is not None:
            self._ledger.settle([missing])
        try:
            return file.peek(raw, limit, final=final)
        except TruncatedError:
            self._cut_off(file)
            return 0

    def give_up(self, file: TailedFile, error: OSError) -> bool:
        """Whether a file that cannot be read is let go of, so that what was written after it is read.

        The live one never is; a rotated one is when it has failed alike for FAULT_SECONDS (on NFS, a file that was
        removed elsewhere leaves a handle that stays stale).
        """
        now = self._clock.monotonic()
        if file.fault is None or file.fault.errno != error.errno:
            file.fault = Fault(error.errno, now)
        if file is self.files[-1] or now - file.fault.since < FAULT_SECONDS:
            return False
        self._stats.lost()
        self.files.remove(file)
        file.close()
        if file.stream is None:
            self._history.add(file.identity)
        else:
            self._ledger.finish(file.stream.file_id)
        log.warning(
            "a rotated log cannot be read any more; anything written to it behind this offset is lost",
            extra={"path": str(self.path), "offset": file.position, "reason": error.strerror},
        )
        return True

    def retire(self) -> None:
        """Let go of rotated files of which nothing more is to come."""
        for file in [file for file in self.files if self._is_over(file)]:
            if file.stream is not None:
                if self._ledger.reached(file.stream.file_id) < file.size():
                    continue
                self._ledger.finish(file.stream.file_id)
            elif file.size():
                continue
            if file.content.damage or (file.content.compressed and not file.content.complete):
                self._stats.lost()
                log.warning(
                    "a compressed log is damaged; what could be read of it was read",
                    extra={
                        "path": str(file.path),
                        "offset": file.position,
                        "reason": file.content.damage or "cut short",
                    },
                )
            self.files.remove(file)
            file.close()

    def forget(self) -> None:
        """Forget what was read of a path that is gone, so that the checkpoint does not grow with every file ever seen.

        A file that is still in the folder stays known, or it would be read again. Where the file system keeps no time
        of birth all stay known: a later file of the same inode must not be given the same name.
        """
        there = self._folder.inodes()
        if there is None:
            return
        known = self._checkpoint.of_path(str(self.path))
        gone = [stream for stream in known if stream.finished and stream.identity.inode not in there]
        accounts = [stream.file_id for stream in gone if stream.identity.birth_ns]
        self._unneeded(accounts)
        self._ledger.forget(accounts)

    @property
    def under_way(self) -> bool:
        """Whether something may happen here of which no change of a file tells: it is to be looked after again."""
        if self._waiting or self._missing or len(self.files) > 1:
            return True
        return any(file.fault or file.removed() for file in self.files)

    def lag(self) -> tuple[int, float]:
        """Bytes that were written and have not arrived, and for how many seconds the first of them has been there."""
        behind, first = 0, None
        for file in self.files:
            reached = self._ledger.reached(file.stream.file_id) if file.stream else file.position
            behind += max(0, file.look() - reached)
            file.growth.forget(reached)
            since = file.growth.since(reached)
            first = since if first is None else min(since or first, first)
        return behind, max(0.0, (self._clock.now_ms() - first) / 1000) if first else 0.0

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files:
            file.close()
        self.files.clear()

    def _is_over(self, file: TailedFile) -> bool:
        if file.quiet_since is None:
            return False
        if self._clock.monotonic() - file.quiet_since < LINGER_SECONDS and not file.content.complete:
            return False
        return file is not self.files[-1] or file.removed()

    def _name(self, file: TailedFile, *, final: bool = False) -> bool:
        """Give a stream to a file whose first line is complete, and keep it before anything of it is sent."""
        line = first_line(file.content, final=final)
        if line is None:
            return False
        known = self._checkpoint.find(file.identity)
        if known is not None and not known.finished and known.path != str(self.path):
            return False  # another path leads to the same file, and it is read there
        self._begin_stream(file, Fingerprint.of(line), line)
        return True

    def _pass_over(self, file: TailedFile) -> bool:
        """Keep a generation from before the path was followed as one that was read; False where that cannot be.

        It is known again by its bytes when it has been compressed.
        """
        line = first_line(file.content, final=True)
        if file.content.compressed or line is None:
            return False
        file.stand_at(file.size())
        self._begin_stream(file, Fingerprint.of(file.head), line)
        assert file.stream is not None
        self._ledger.finish(file.stream.file_id)
        return True

    def _begin_stream(self, file: TailedFile, head: Fingerprint, line: bytes) -> None:
        epoch = 0
        while self._checkpoint.has(name := file_id(file.identity, epoch, line)):
            epoch += 1
        file.stream = Stream(
            name,
            str(self.path),
            file.identity,
            epoch,
            head,
            file.position,
            file.marker,
            Carried(),
            self._clock.now_ms(),
            file.modified_ns,
        )
        file.first = line
        self._checkpoint.add(file.stream)
        self._ledger.start(file.stream.file_id, file.position)

    def _reopen(self, streams: list[Stream]) -> None:
        """Go on with what was not finished when the shipper ended."""
        for stream in streams:
            try:
                file = self._folder.find(stream.identity)
            except OSError as error:
                log.warning("cannot read a rotated log", extra={"path": stream.path, "reason": error.strerror})
                continue
            if file is None:
                self._missing.append(stream)  # it may have been compressed
            else:
                file.stream = stream
                self._ledger.start(stream.file_id, stream.acknowledged)
                self.files.append(file)
        for file in list(self.files):  # once all are known: one that was cut off looks for its copy among the others
            if file.stream is not None:
                with contextlib.suppress(OSError, LogshipError):  # reading it says so too
                    self._resume(file, file.stream)

    def _settle_missing(self, stream: Stream) -> bool:
        """Go on in what is kept of a stream elsewhere, or give it up; False where a key to it is missing so far."""
        try:
            rest = self._rest(stream)
        except SpoolKeyError as error:
            if stream.file_id not in self._locked_away:
                self._locked_away.add(stream.file_id)
                log.warning("a log that is gone waits in the spool: %s", error, extra={"path": stream.path})
            return False
        rest = rest or self._find_again(stream)
        if rest is None:
            self._lost(stream)
        else:
            named = (number for number, file in enumerate(self.files) if not file.removed())
            self.files.insert(next(named, len(self.files)), rest)
            self._resume(rest, stream)
        return True

    def _find_again(self, stream: Stream) -> TailedFile | None:
        """A stream's file, of which the name may have moved while it was looked for."""
        file = self._folder.find(stream.identity)
        if file is not None and not holds(file.content, stream):
            file.close()
            return None
        return file

    def _lost(self, stream: Stream) -> None:
        self._stats.lost()
        self._checkpoint.change({stream.file_id: {"finished": True}})
        log.warning(
            "a log was removed while nothing read it; anything written to it behind this offset is lost",
            extra={"path": stream.path, "offset": stream.acknowledged},
        )

    def _resume(self, file: TailedFile, stream: Stream) -> None:
        self._ledger.start(stream.file_id, stream.acknowledged)
        try:
            file.resume(stream, self._checkpoint.anchors(stream))
        except TruncatedError:
            self._cut_off(file)

    def _open_unseen(self, live: TailedFile | None) -> None:
        """Open generations that came and went unseen; they stand before the live file, oldest first."""
        stamp, settled = self._folder.stamp()
        if stamp == self._stamp:
            return
        for file in list(self.files):  # a copy of one that was cut off would be taken for a stranger below
            with contextlib.suppress(OSError):  # reading it says so too
                if file.stream is not None and not file.intact():
                    self._cut_off(file)
        self._waiting = False
        at = self.files.index(live) if live in self.files else len(self.files)
        for file in self._folder.unknown(self._is_known, self.files, surely=bool(self._missing)):
            if file.identity in self._history or (live is not None and file.identity == live.identity):
                file.close()
            elif file.content.compressed and (stream := self._held_by(file)) is not None:
                at += self._go_on_in(file, stream, at)
            elif (live is not None and is_copy_under_way(file, live)) or (
                file.content.compressed and self._is_being_made(file)
            ):
                file.close()
                self._waiting = True
            else:
                self.files.insert(at, file)
                at += 1
        self._stamp = stamp if settled and not self._waiting else None

    def _is_known(self, file: TailedFile) -> bool:
        if any(known.identity == file.identity for known in self.files):
            return True
        stream = self._checkpoint.find(file.identity)
        if stream is None or file.identity.birth_ns or not stream.finished:
            return stream is not None
        return holds(file.content, stream)  # an inode may have been given out again

    def _held_by(self, file: TailedFile) -> Stream | None:
        """The stream of which a compressed file holds the bytes: one whose own file has lost its name or is gone."""
        for known in self.files:
            if known.stream is None:
                self._name(known)
        for stream in sorted(self._checkpoint.of_path(str(self.path)), key=_acknowledged, reverse=True):
            if not holds(file.content, stream):
                continue
            ends = not file.content.pread(1, stream.acknowledged)
            if stream.finished and not ends and stream.acknowledged < HEAD_BYTES:
                continue  # a few first bytes are alike in many files
            if self._has_no_name(stream):
                return stream
        return None

    def _is_being_made(self, file: TailedFile) -> bool:
        """Whether a compressed file that has no end yet may become one that was read."""
        known = any(stream.fingerprint.matches(file.content) for stream in self._checkpoint.of_path(str(self.path)))
        if not known or file.content.complete:
            return False
        if self._clock.now_ms() * 1_000_000 - file.modified_ns > LINGER_SECONDS * 1e9:
            self._history.add(file.identity)  # nobody makes it any more
        return True

    def _has_no_name(self, stream: Stream) -> bool:
        for file in self.files:
            if file.stream is not None and file.stream.file_id == stream.file_id:
                return file.removed()
        found = self._folder.find(stream.identity)
        if found is None:
            return True
        try:
            return not stream.identity.birth_ns and not holds(found.content, stream)
        finally:
            found.close()

    def _go_on_in(self, file: TailedFile, stream: Stream, at: int) -> int:
        """Read a stream on in the compressed file that took its place; how many files were put at ``at``."""
        self._missing = [missing for missing in self._missing if missing.file_id != stream.file_id]
        if any(known.stream is not None and known.stream.file_id == stream.file_id for known in self.files):
            self._checkpoint.change({stream.file_id: {"identity": file.identity}})
            file.close()
            return 0  # it is read on where it is open
        ends = not file.content.pread(1, stream.acknowledged) and file.content.complete
        self._checkpoint.change({stream.file_id: {"identity": file.identity, "finished": ends}})
        if ends:
            file.close()
            return 0
        self.files.insert(at, file)
        self._resume(file, self._checkpoint.get(stream.file_id))
        return 1

    def _cut_off(self, file: TailedFile) -> None:
        """The file was copied and cut off: finish its old bytes from the copy, then start anew."""
        stream = file.stream
        if stream is None:
            return
        unknown = self._folder.unknown(self._is_known, self.files, surely=True)
        copy = next((found for found in reversed(unknown) if is_copy(found, file)), None)
        for found in unknown:
            if found is not copy:
                found.close()
        if copy is not None:
            self.files.insert(self.files.index(file), copy)
            copy.take_over(file)
            self._checkpoint.change({stream.file_id: {"identity": copy.identity}})
        elif (rest := self._rest(stream)) is not None:
            self.files.insert(self.files.index(file), rest)
            rest.take_over(file)
            self._checkpoint.change({stream.file_id: {"identity": _NOWHERE}})
        else:
            self._ledger.finish(stream.file_id)
        if file.content.compressed:  # it holds less than was read before it was compressed
            self.files.remove(file)
            file.close()
            return
        file.start_anew()
        self._stamp = None
        self._open_unseen(file)
        log.info("a log was cut off", extra={"path": stream.path, "copy_found": copy is not None})


def _acknowledged(stream: Stream) -> int:
    return stream.acknowledged
