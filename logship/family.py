"""A followed path and all of its generations that are still being read.

A rotated file stays open until its end was reached and its successor is known. What was rotated while nobody looked is
found again in the folder, by inode or by its first and last bytes, and read oldest first. Two ways of rotating are
known: the file is renamed and a new one made, or it is copied and then cut off.
"""

import logging
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint, Stream
from logship.copies import is_copy, is_copy_under_way
from logship.encode import Encoder
from logship.errors import TruncatedError
from logship.folder import Folder
from logship.identity import Fingerprint, Identity, file_id, first_line
from logship.ledger import Ledger
from logship.stats import Stats
from logship.tail import Fault, Piece, TailedFile

LINGER_SECONDS = 60.0
"""How long a rotated file must have been quiet before it is let go: its writer may not have opened the new one yet."""

FAULT_SECONDS = 60.0
"""How long a rotated file must have failed alike before it is given up."""

_FRESH_NS = 1_000_000_000

log = logging.getLogger(__name__)


class Family:
    """The generations of one path, oldest first; the last is the live one.

    Args:
        path: the followed path.
        encoder: writes its documents.
        checkpoint: where its streams are kept.
        ledger: what of them has arrived.
        clock: tells when a file was first seen and how long it has been quiet.
        max_line: the longest line in bytes that is kept in one piece.
        stats: is told of files that were lost.
    """

    def __init__(
        self,
        path: Path,
        encoder: Encoder,
        *,
        checkpoint: Checkpoint,
        ledger: Ledger,
        clock: Clock,
        max_line: int,
        stats: Stats,
    ) -> None:
        self.path = path
        self.encoder = encoder
        self.files: list[TailedFile] = []
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._clock = clock
        self._max_line = max_line
        self._stats = stats
        self._history: set[Identity] = set()  # generations from before the path was followed
        self._folder = Folder(path, max_line)
        self._listed_ns: int | None = None

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
            files = self._folder.unknown(self._is_known)
            self._history = {file.identity for file in files if file.path not in asked}
            for file in files:
                file.close()
            self._checkpoint.follow(str(self.path), self._history)
        else:
            self._history = history
        self._reopen(self._checkpoint.unfinished(str(self.path)))
        self.look(from_end=from_end and history is None)

    def look(self, *, from_end: bool = False) -> None:
        """See whether the path leads to another file than before, and open it and what came between.

        Raises:
            OSError: the new file cannot be opened; call again later.
        """
        successor = self._successor()
        self._open_unseen(self.files[-1] if self.files and successor is None else successor)
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

    def read(self, file: TailedFile, limit: int) -> Piece | None:
        """The next lines of one of the files, None where there are none; a file that was cut off starts anew."""
        final = self._is_over(file)
        if file.stream is None and not self._name(file, final=final):
            return None
        try:
            return file.read(limit, final=final)
        except TruncatedError:
            self._cut_off(file)
            return None

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
            "a rotated log cannot be read any more; what was written to it last is lost",
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
        self._ledger.forget([stream.file_id for stream in gone if stream.identity.birth_ns])

    def lag(self) -> int:
        """Bytes that were written and have not arrived."""
        return sum(
            max(0, file.size() - (self._ledger.reached(file.stream.file_id) if file.stream else file.position))
            for file in self.files
        )

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files:
            file.close()
        self.files.clear()

    def _is_over(self, file: TailedFile) -> bool:
        if file.quiet_since is None or self._clock.monotonic() - file.quiet_since < LINGER_SECONDS:
            return False
        return file is not self.files[-1] or file.removed()

    def _name(self, file: TailedFile, *, final: bool = False) -> bool:
        """Give a stream to a file whose first line is complete, and keep it before anything of it is sent."""
        line = first_line(file.descriptor, final=final)
        if line is None:
            return False
        epoch = 0
        while self._checkpoint.has(name := file_id(file.identity, epoch, line)):
            epoch += 1
        file.stream = Stream(
            name,
            str(self.path),
            file.identity,
            epoch,
            Fingerprint.of(line),
            file.position,
            file.marker,
            b"",
            self._clock.now_ms(),
            file.modified_ns,
        )
        file.first = line
        self._checkpoint.add(file.stream)
        self._ledger.start(file.stream)
        return True

    def _reopen(self, streams: list[Stream]) -> None:
        """Go on with what was not finished when the shipper ended."""
        for stream in streams:
            try:
                file = self._folder.find(stream.identity)
            except OSError as error:
                log.warning("cannot read a rotated log", extra={"path": stream.path, "reason": error.strerror})
                continue
            if file is None:
                self._lost(stream)
            else:
                self.files.append(file)
                self._resume(file, stream)

    def _lost(self, stream: Stream) -> None:
        self._stats.lost()
        self._checkpoint.change({stream.file_id: {"finished": True}})
        log.warning(
            "a log was removed while nothing read it; what was written to it last is lost",
            extra={"path": stream.path, "offset": stream.acknowledged},
        )

    def _resume(self, file: TailedFile, stream: Stream) -> None:
        self._ledger.start(stream)
        try:
            file.resume(stream, self._checkpoint.anchors(stream))
        except TruncatedError:
            self._cut_off(file)

    def _open_unseen(self, live: TailedFile | None) -> None:
        """Open generations that came and went unseen; they stand before the live file, oldest first."""
        modified = self.path.parent.stat().st_mtime_ns
        if modified == self._listed_ns:
            return
        waiting = False
        at = self.files.index(live) if live in self.files else len(self.files)
        for file in self._folder.unknown(self._is_known):
            if file.identity in self._history or (live is not None and file.identity == live.identity):
                file.close()
            elif live is not None and is_copy_under_way(file, live):
                file.close()
                waiting = True
            else:
                self.files.insert(at, file)
                at += 1
        # A folder's time of modification is coarse: one that is fresh may hide the next change.
        settled = self._clock.now_ms() * 1_000_000 - modified > _FRESH_NS
        self._listed_ns = modified if settled and not waiting else None

    def _is_known(self, identity: Identity) -> bool:
        is_open = any(file.identity == identity for file in self.files)
        return is_open or self._checkpoint.find(identity) is not None

    def _cut_off(self, file: TailedFile) -> None:
        """The file was copied and cut off: finish its old bytes from the copy, then start anew."""
        stream = file.stream
        if stream is None:
            return
        unknown = self._folder.unknown(self._is_known)
        copy = next((found for found in reversed(unknown) if is_copy(found, file)), None)
        for found in unknown:
            if found is not copy:
                found.close()
        if copy is not None:
            self.files.insert(self.files.index(file), copy)
            copy.take_over(file)
            self._checkpoint.change({stream.file_id: {"identity": copy.identity}})
        else:
            self._ledger.finish(stream.file_id)
        file.start_anew()
        self._listed_ns = None
        self._open_unseen(file)
        log.info("a log was cut off", extra={"path": stream.path, "copy_found": copy is not None})
