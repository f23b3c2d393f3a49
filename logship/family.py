"""A followed path and all of its generations that are still being read.

A rotated file stays open until its end was reached and its successor is known. What was rotated while nobody looked is
found again in the folder, by inode or by its first and last bytes, and read oldest first. Two ways of rotating are
known: the file is renamed and a new one made, or it is copied and then cut off.
"""

import logging
import os
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint, Stream
from logship.encode import Encoder
from logship.errors import TruncatedError
from logship.identity import Fingerprint, file_id, first_line
from logship.ledger import Ledger
from logship.rotation import generations
from logship.tail import Piece, TailedFile

LINGER_SECONDS = 60.0
"""How long a rotated file must have been quiet before it is let go: its writer may not have opened the new one yet."""

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
    """

    def __init__(
        self, path: Path, encoder: Encoder, *, checkpoint: Checkpoint, ledger: Ledger, clock: Clock, max_line: int
    ) -> None:
        self.path = path
        self.encoder = encoder
        self.files: list[TailedFile] = []
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._clock = clock
        self._max_line = max_line

    def begin(self, wanted: list[Path], *, from_end: bool) -> None:
        """Open what is to be read of the path.

        Args:
            wanted: generations that the configuration names itself; read when the path was never followed before.
            from_end: skip what a file holds that was never followed before.

        Raises:
            OSError: the live file cannot be opened; call again later.
        """
        known = self._checkpoint.of_path(str(self.path))
        self._reopen([stream for stream in known if not stream.finished])
        if not known and not from_end:
            older = [path for path in generations(self.path) if path in wanted]
            self.files.extend(file for path in older if (file := self._unknown(path)) is not None)
        self.look(from_end=from_end and not known)

    def look(self, *, from_end: bool = False) -> None:
        """See whether the path leads to another file than before, and open it and what came between.

        Raises:
            OSError: the new file cannot be opened; call again later.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        if any((file.identity.device, file.identity.inode) == (status.st_dev, status.st_ino) for file in self.files):
            return
        successor = TailedFile.open(self.path, self._max_line)
        known = self._checkpoint.find(successor.identity)
        if known is not None and known.path != str(self.path) and not known.finished:
            successor.close()  # another path leads to the same file, and it is read there
            return
        self.files.extend([*self._between(successor), successor])
        if known is not None:
            self._checkpoint.change({known.file_id: {"finished": False, "path": str(self.path)}})
            self._resume(successor, self._checkpoint.get(known.file_id))
        elif from_end:
            successor.skip_to_end()
            self._name(successor)

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

    def retire(self) -> None:
        """Let go of rotated files of which nothing more is to come."""
        for file in [file for file in self.files if self._is_over(file)]:
            if file.stream is not None:
                if self._ledger.reached(file.stream.file_id) < file.size():
                    continue
                self._checkpoint.change({file.stream.file_id: {"finished": True}})
            elif file.size():
                continue
            self.files.remove(file)
            file.close()

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
            Fingerprint.of(file.head),
            file.position,
            file.marker,
            b"",
            self._clock.now_ms(),
            file.modified_ns,
        )
        self._checkpoint.add(file.stream)
        self._ledger.start(file.stream)
        return True

    def _reopen(self, streams: list[Stream]) -> None:
        """Go on with what was not finished when the shipper ended."""
        with os.scandir(self.path.parent) as entries:
            places = {entry.inode(): Path(entry.path) for entry in entries}
        for stream in streams:
            try:
                file = TailedFile.open(places[stream.identity.inode], self._max_line)
            except (KeyError, FileNotFoundError):
                self._lost(stream)
                continue
            except OSError as error:
                log.warning("cannot read a rotated log", extra={"path": stream.path, "reason": error.strerror})
                continue
            if file.identity == stream.identity:
                self.files.append(file)
                self._resume(file, stream)
            else:
                file.close()
                self._lost(stream)

    def _lost(self, stream: Stream) -> None:
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

    def _between(self, successor: TailedFile) -> list[TailedFile]:
        """Generations that came and went since the last known one, oldest first."""
        last = self._last()
        if last is None:
            return []
        found = []
        for path in generations(self.path):
            file = self._unknown(path)
            if file is None:
                continue
            if last.identity.birth_ns and file.identity.birth_ns:
                newer = file.identity.birth_ns > last.identity.birth_ns
            else:
                newer = file.modified_ns >= last.modified_ns
            if newer and file.identity != successor.identity:
                found.append(file)
            else:
                file.close()
        return found

    def _last(self) -> TailedFile | Stream | None:
        if self.files:
            return self.files[-1]
        streams = self._checkpoint.of_path(str(self.path))
        return streams[-1] if streams else None

    def _unknown(self, path: Path) -> TailedFile | None:
        """A generation that was never followed, opened; None where it is known or gone."""
        try:
            file = TailedFile.open(path, self._max_line)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("cannot read a rotated log", extra={"path": str(path), "reason": error.strerror})
            return None
        is_open = any(file.identity == other.identity for other in self.files)
        if not is_open and self._checkpoint.find(file.identity) is None:
            return file
        file.close()
        return None

    def _cut_off(self, file: TailedFile) -> None:
        """The file was copied and cut off: finish its old bytes from the copy, then start anew."""
        stream = file.stream
        if stream is None:
            return
        unknown = [found for path in generations(self.path) if (found := self._unknown(path)) is not None]
        copy = next((found for found in reversed(unknown) if _is_copy(found, file)), None)
        after = copy.modified_ns if copy is not None else file.modified_ns
        older = [found for found in unknown if found is copy or found.modified_ns > after]
        for found in unknown:
            if found not in older:
                found.close()
        at = self.files.index(file)
        self.files[at:at] = older
        if copy is not None:
            copy.take_over(file)
            self._checkpoint.change({stream.file_id: {"identity": copy.identity}})
        else:
            self._checkpoint.change({stream.file_id: {"finished": True}})
        file.start_anew()
        log.info("a log was cut off", extra={"path": stream.path, "copy_found": copy is not None})


def _is_copy(candidate: TailedFile, original: TailedFile) -> bool:
    """Whether a file begins with what was read of another one."""
    stream = original.stream
    if stream is None or candidate.modified_ns < stream.modified_ns:
        return False
    head = Fingerprint.of(original.head) if original.head else stream.fingerprint
    start = original.position - len(original.marker)
    shorter = candidate.size() < original.position
    return head.matches(candidate.descriptor) and (
        shorter or os.pread(candidate.descriptor, len(original.marker), start) == original.marker
    )
