"""Which streams the files of one path hold, as the checkpoint has it: by where a file lives, and by its bytes."""

import os
from collections.abc import Collection
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.engine.times import Carried
from logship.files.identity import Fingerprint, Identity, file_id, first_line
from logship.files.listing import FRESH_NS
from logship.files.tail import TailedFile, holds
from logship.streams import Stream

_MOST_PACKED = 1000


class Register:
    """The streams of a path, and its generations that are not to be read.

    Args:
        path: the followed path.
        checkpoint: where its streams are kept.
        ledger: what of them has arrived.
        clock: tells when a file was first seen.
    """

    def __init__(self, path: Path, *, checkpoint: Checkpoint, ledger: Ledger, clock: Clock) -> None:
        self._path = str(path)
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._clock = clock
        self._history: set[Identity] = set()
        self._given_up: set[Identity] = set()
        self._packed: dict[Identity, tuple[str, int, int]] = {}

    def recall(self) -> bool:
        """Recall which generations are from before the path was followed; False where it never was."""
        history = self._checkpoint.history(self._path)
        self._history = {identity.lasting for identity in history or ()}
        return history is not None

    def follow(self) -> None:
        """Begin to follow the path, durable on return; whatever appears beside it from now on is read."""
        self._checkpoint.follow(self._path, self._history)

    def leave_out(self, identities: Collection[Identity]) -> None:
        """Read no more of these files."""
        self._history |= {identity.lasting for identity in identities}

    def is_left_out(self, file: TailedFile) -> bool:
        """Whether nothing of a file is to be read; what was copied over it is."""
        return file.identity.lasting in self._history and (self.find(file) is None or self.is_known(file))

    def give_up(self, identity: Identity) -> None:
        """A file cannot be read; the next process tries it once more."""
        self._given_up.add(identity.lasting)

    def is_given_up(self, file: TailedFile) -> bool:
        """Whether a file cannot be read; it is not asked again."""
        return file.identity.lasting in self._given_up

    def forget_left_out(self, there: Collection[int]) -> None:
        """Of the files of which nothing is to be read, keep those that have one of these inodes; durable on return."""
        gone = {identity for identity in self._history if identity.inode not in there}
        self._history -= gone
        self._given_up = {identity for identity in self._given_up if identity.inode in there}
        self._checkpoint.drop_history(self._path, {identity.inode for identity in gone})

    def find(self, file: TailedFile) -> Stream | None:
        """The newest stream that a file holds, also where its disk has got another number since it was kept."""
        stream = self._checkpoint.find(file.identity)
        if stream is not None or not file.identity.birth_ns:
            return stream
        stream = self._checkpoint.find_lasting(self._path, file.identity)
        return self.at(stream, file.identity) if stream is not None and holds(file.content, stream) else None

    def streams(self) -> list[Stream]:
        """All of the path, in the order in which they were found."""
        return self._checkpoint.of_path(self._path)

    def at(self, stream: Stream, identity: Identity) -> Stream:
        """A stream whose file lives here."""
        if stream.identity == identity:
            return stream
        self._checkpoint.change({stream.file_id: {"identity": identity}})
        return self._checkpoint.get(stream.file_id)

    def reopened(self, stream: Stream) -> Stream:
        """A stream of which more is to come, and from now on by this path."""
        self._checkpoint.change({stream.file_id: {"finished": False, "path": self._path}})
        return self._checkpoint.get(stream.file_id)

    def is_elsewhere(self, stream: Stream | None) -> bool:
        """Whether a stream is read by another path, which leads to the same file."""
        return stream is not None and stream.path != self._path and not stream.finished

    def is_known(self, file: TailedFile) -> bool:
        """Whether a file holds what is a stream already."""
        stream = self.find(file)
        if stream is None or not stream.finished:
            return stream is not None
        if not file.identity.birth_ns:
            return holds(file.content, stream)
        if file.content.compressed:  # its size is known once all of it is decompressed
            return self._begins_alike(file, stream)
        size = file.size()
        if size >= stream.acknowledged:  # cp writes into the file that was there
            return size == 0 or holds(file.content, stream)
        return size == 0 or stream.fingerprint.matches(file.content)

    def _begins_alike(self, file: TailedFile, stream: Stream) -> bool:
        """Whether a compressed file begins as a stream does; of one that has not changed it is told without reading."""
        status = os.fstat(file.content.descriptor)
        seen = stream.file_id, status.st_size, status.st_ctime_ns
        if self._packed.get(file.identity) == seen:
            return True
        if not stream.fingerprint.matches(file.content):
            return False
        if len(self._packed) >= _MOST_PACKED:
            self._packed.clear()
        if self._clock.now_ms() * 1_000_000 - status.st_ctime_ns > FRESH_NS:
            self._packed[file.identity] = seen
        return True

    def outgrown(self, file: TailedFile) -> Stream | None:
        """The stream of a file that was taken to be over, and to which its writer has added since."""
        stream = self.find(file)
        if stream is None or not stream.finished or stream.path != self._path or file.content.compressed:
            return None
        return stream if file.size() > stream.acknowledged and holds(file.content, stream) else None

    def name(self, file: TailedFile, *, final: bool = False) -> bool:
        """Give a stream to a file whose first line is complete, and keep it before anything of it is sent."""
        line = first_line(file.content, final=final)
        if line is None or self.is_elsewhere(self.find(file)):
            return False
        self._begin(file, Fingerprint.of(line), line)
        return True

    def pass_over(self, file: TailedFile) -> bool:
        """Keep a generation from before the path was followed as one that was read; False where that cannot be.

        It is known again by its bytes when it has been compressed.
        """
        line = first_line(file.content, final=True)
        if file.content.compressed or line is None:
            return False
        file.stand_at(file.size())
        stream = self._begin(file, Fingerprint.of(file.head), line)
        self._ledger.finish(stream.file_id)
        return True

    def _begin(self, file: TailedFile, head: Fingerprint, line: bytes) -> Stream:
        epoch = 0
        while self._checkpoint.has(name := file_id(file.identity, epoch, line)):
            epoch += 1
        file.stream = Stream(
            name,
            self._path,
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
        self._ledger.start(name, file.position)
        return file.stream
