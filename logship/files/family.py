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
from logship.errors import LogshipError, TruncatedError
from logship.files.beginning import leave_out_older
from logship.files.copies import LINGER_SECONDS, copy_of, is_copy_under_way, is_fresh
from logship.files.folder import Folder
from logship.files.listing import Listings
from logship.files.missing import NOWHERE, Missing
from logship.files.packing import Packing
from logship.files.register import Register
from logship.files.tail import Fault, TailedFile
from logship.stats import Stats
from logship.streams import Stream

FAULT_SECONDS = 60.0
"""How long a rotated file must have failed alike before it is given up."""

_NEVER = float("-inf")

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
        lose: counts bytes that are gone before they were read: a stream, and the offsets of the range.
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
        lose: Callable[[Stream, int, int], None] = lambda _stream, _start, _end: None,
    ) -> None:
        self.path = path
        self.files: list[TailedFile] = []
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._clock = clock
        self._max_line = max_line
        self._stats = stats
        self._unneeded = unneeded
        self._lose = lose
        self._folder = Folder(path, max_line, listings, clock)
        self._register = Register(path, checkpoint=checkpoint, ledger=ledger, clock=clock)
        self._packing = Packing(self._folder, self._register, clock)
        self._missing = Missing(self._folder, rest)
        self._stamp: tuple[object, ...] | None = None
        self._copied_until = self._packed_until = _NEVER
        self._from_end = False
        self._beginning: tuple[list[Path], bool] | None = None

    def begin(self, wanted: list[Path], *, from_end: bool) -> None:
        """Open what is to be read of the path.

        Args:
            wanted: generations that the configuration names itself; read when the path was never followed before.
            from_end: skip what a file holds that was never followed before.

        Raises:
            OSError: the live file cannot be opened, or its folder not be seen; look() tries again.
        """
        self._beginning = wanted, from_end
        self.look()
        for file in self.files:
            if file.stream is None:
                with contextlib.suppress(OSError):  # reading it says so too
                    self._register.name(file)

    def look(self) -> None:
        """See whether the path leads to another file than before, and open it and what came between.

        Raises:
            OSError: the new file cannot be opened; call again later.
        """
        if self._beginning is not None:
            self._recall(*self._beginning)
            self._beginning = None
        with contextlib.ExitStack() as unless_followed:  # where the folder cannot be seen, it is opened anew next time
            successor = self._successor()
            if successor is not None:
                unless_followed.callback(successor.close)
            self._open_unseen(self.files[-1] if self.files and successor is None else successor)
            if successor is not None:
                self._follow(successor)
            unless_followed.pop_all()
        self._settle_missing()
        if self._from_end:  # only now, or the next process would not skip what could not be opened so far
            self._from_end = False
            self._register.follow()

    def _follow(self, successor: TailedFile) -> None:
        """Go on in the file that the path leads to."""
        known = self._register.find(successor)
        if known is None and self._from_end:
            successor.skip_to_end()
            self._register.name(successor)
        self.files.append(successor)
        if known is not None:
            self._missing.drop(known.file_id)
            self._try_to_resume(successor, self._register.reopened(known))

    def _recall(self, wanted: list[Path], from_end: bool) -> None:  # noqa: FBT001 - as begin() was told
        if not self._register.recall():
            leave_out_older(self._folder, self._register, wanted, from_end=from_end)
            self._from_end = from_end
            if not from_end:
                self._register.follow()
        self._reopen(self._checkpoint.unfinished(str(self.path)))

    def _successor(self) -> TailedFile | None:
        """The file that the path leads to, opened; None where it is open already, or there is none."""
        with contextlib.ExitStack() as unless_new, contextlib.suppress(FileNotFoundError):
            status = self.path.stat()
            place = status.st_dev, status.st_ino
            if any((file.identity.device, file.identity.inode) == place for file in self.files if not file.spooled):
                return None
            successor = TailedFile.open(self.path, self._max_line)
            unless_new.callback(successor.close)
            if any(file.identity == successor.identity for file in self.files):  # the spool's is read first
                return None
            if self._register.is_elsewhere(self._register.find(successor)):
                return None
            unless_new.pop_all()
            return successor
        return None

    def peek(self, file: TailedFile, raw: bytearray, limit: int) -> int:
        """Read the next lines of one of the files; their bytes, 0 for none. A file that was cut off starts anew."""
        final = self._is_over(file)
        if file.stream is None and not self._register.name(file, final=final):
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
        if not file.spooled:  # the identity of that is another's by now
            self._register.give_up(file.identity)  # or what is left of it would be tried, and lost, again and again
        at, rest = self.files.index(file), self._missing.rest_of(file)
        self.files[at : at + 1] = rest or []
        file.close()
        if rest is not None:
            self._lose_behind(rest, file)
            log.warning(
                "a rotated log cannot be read any more; it is read on in the spool", extra={"path": str(self.path)}
            )
            return True
        self._stats.lost()
        if file.stream is not None:
            self._lose_unread(file, file.stream)
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
            if file.spooled:  # what stands in the file's place was not looked at for so long
                self._stamp = None

    def forget(self) -> None:
        """Forget what was read of a path that is gone, so that the checkpoint does not grow with every file ever seen.

        A file that is still in the folder stays known, or it would be read again, and so does the path, or what is
        written to it once it is there again would be left out. Where the file system keeps no time of birth all stay
        known: a later file of the same inode must not be given the same name.
        """
        there = self._folder.inodes()
        if there is None:
            return
        gone = [stream for stream in self._register.streams() if stream.finished and stream.identity.inode not in there]
        accounts = [stream.file_id for stream in gone if stream.identity.birth_ns]
        self._unneeded(accounts)
        self._ledger.forget(accounts)
        self._register.forget_left_out(there)

    @property
    def under_way(self) -> bool:
        """Whether something may happen here of which no change of a file tells: it is to be looked after again."""
        if self._is_waiting(self._copied_until, self._packed_until) or self._missing or len(self.files) > 1:
            return True
        if self._folder.failing:
            return True
        try:
            return any(file.fault or file.removed() for file in self.files)
        except OSError:  # on NFS, a handle that has gone stale says nothing
            return True

    @property
    def is_gone(self) -> bool:
        """Whether nothing of the path is open, and nothing of it awaited."""
        return not self.files and not self._missing

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

    def _is_waiting(self, *until: float) -> bool:
        return self._clock.monotonic() < max(until)

    def _reopen(self, streams: list[Stream]) -> None:
        """Go on with what was not finished when the shipper ended."""
        for stream in streams:
            file = None
            with contextlib.suppress(OSError):  # it is looked for again, and whoever does says so
                file = self._folder.find(stream.identity)
            if file is None:
                self._missing.add(stream)
            else:
                file.stream = self._register.at(stream, file.identity)
                self._ledger.start(stream.file_id, stream.acknowledged)
                self.files.append(file)
        for file in list(self.files):  # once all are known: one that was cut off looks for its copy among the others
            if file.stream is not None:
                self._try_to_resume(file, file.stream)

    def _settle_missing(self) -> None:
        """Go on in what is left of streams whose files were not there, or give them up."""
        if self._is_waiting(self._packed_until):
            return  # one may be compressed right now
        for stream, rest, end in self._missing.settle(surely=not self._is_waiting(self._copied_until)):
            held = stream.acknowledged if rest is None else max(stream.acknowledged, rest.size())
            if end > held:
                self._lose(stream, held, end)
            if rest is None:
                self._lost(stream)
                continue
            if end > held:
                self._stats.lost()
            named = (number for number, file in enumerate(self.files) if not file.removed())
            self.files.insert(next(named, len(self.files)), rest)
            self._try_to_resume(rest, stream)

    def _lost(self, stream: Stream) -> None:
        self._stats.lost()
        self._checkpoint.change({stream.file_id: {"finished": True}})
        log.warning(
            "a log was removed while nothing read it; anything written to it behind this offset is lost",
            extra={"path": stream.path, "offset": stream.acknowledged},
        )

    def _lose_unread(self, file: TailedFile, stream: Stream) -> None:
        """Count what a file was seen to hold and nobody can read any more."""
        if file.growth.end > file.position:
            self._lose(stream, file.position, file.growth.end)

    def _lose_behind(self, rest: list[TailedFile], file: TailedFile) -> None:
        """Count what a file was seen to hold behind the rest that is kept elsewhere, where that is there already."""
        for one in rest:
            held = max(file.position, one.size())
            if file.stream is not None and file.growth.end > held:
                self._stats.lost()
                self._lose(file.stream, held, file.growth.end)

    def _resume(self, file: TailedFile, stream: Stream) -> None:
        stream = self._register.at(stream, file.identity)
        self._ledger.start(stream.file_id, stream.acknowledged)
        try:
            file.resume(stream, self._checkpoint.anchors(stream))
        except TruncatedError:
            self._cut_off(file)

    def _try_to_resume(self, file: TailedFile, stream: Stream) -> None:
        with contextlib.suppress(OSError, LogshipError):  # reading it says so too
            self._resume(file, stream)

    def _open_unseen(self, live: TailedFile | None) -> None:
        """Open generations that came and went, or grew, unseen; they stand before the live file, oldest first."""
        stamp, settled = self._folder.stamp(self.files)
        if stamp == self._stamp and not self._folder.retries:
            return
        for file in list(self.files):  # a copy of one that was cut off would be taken for a stranger below
            with contextlib.suppress(OSError):  # reading it says so too
                if file.stream is not None and not file.intact():
                    self._cut_off(file)
        self._copied_until = self._packed_until = _NEVER
        at = self.files.index(live) if live in self.files else len(self.files)
        for file in self._folder.unknown(self._is_done_with, self.files, surely=bool(self._missing)):
            try:
                at += self._open_one(file, live, at)
            except OSError as error:
                self._folder.cannot_read(file, error)
        self._stamp = stamp if settled else None

    def _open_one(self, file: TailedFile, live: TailedFile | None, at: int) -> int:
        """Read a generation that came, or grew, unseen, if it is to be read; how many files were put at ``at``."""
        if live is not None and file.identity == live.identity:
            file.close()
        elif (stream := self._register.outgrown(file)) is not None:
            self.files.insert(at, file)
            self._try_to_resume(file, self._register.reopened(stream))
            return 1
        elif (stream := self._packing.stream_in(file, self.files)) is not None:
            return self._go_on_in(file, stream, at)
        elif live is not None and is_copy_under_way(file, live):
            self._copied_until = max(self._copied_until, self._end_of_waiting(file))
            file.close()
        elif self._packing.is_under_way(file):
            self._packed_until = max(self._packed_until, self._end_of_waiting(file))
            file.close()
        else:
            self.files.insert(at, file)
            return 1
        return 0

    def _end_of_waiting(self, file: TailedFile) -> float:
        """Until when whoever is writing a file is awaited, unless more of it comes."""
        return self._clock.monotonic() + LINGER_SECONDS if is_fresh(file, self._clock) else _NEVER

    def _is_known(self, file: TailedFile) -> bool:
        return any(known.identity == file.identity for known in self.files) or self._register.is_known(file)

    def _is_done_with(self, file: TailedFile) -> bool:
        """Whether nothing of a file is to be read that is not being read."""
        if self._register.is_given_up(file) or self._register.is_left_out(file):
            return True
        return self._is_known(file) and self._register.outgrown(file) is None

    def _go_on_in(self, file: TailedFile, stream: Stream, at: int) -> int:
        """Read a stream on in the compressed file that took its place; how many files were put at ``at``."""
        self._missing.drop(stream.file_id)
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
        self._try_to_resume(file, self._checkpoint.get(stream.file_id))
        return 1

    def _cut_off(self, file: TailedFile) -> None:
        """The file was copied and cut off: finish its old bytes from the copy, then start anew."""
        stream = file.stream
        if stream is None:
            return
        copy = copy_of(file, self._folder, self._folder.unknown(self._is_known, self.files, surely=True))
        if copy is not None:
            self.files.insert(self.files.index(file), copy)
            self._checkpoint.change({stream.file_id: {"identity": copy.identity}})
        elif (rest := self._missing.rest_of(file)) is not None:
            at = self.files.index(file)
            self.files[at:at] = rest
            self._lose_behind(rest, file)
            self._checkpoint.change({stream.file_id: {"identity": NOWHERE}})
        else:
            if file.growth.end > file.position:
                self._stats.lost()
            self._lose_unread(file, stream)
            self._ledger.finish(stream.file_id)
        if file.content.compressed:  # it holds less than was read before it was compressed
            self.files.remove(file)
            file.close()
            return
        file.start_anew()
        self._stamp = None
        self._open_unseen(file)
        log.info("a log was cut off", extra={"path": stream.path, "copy_found": copy is not None})
