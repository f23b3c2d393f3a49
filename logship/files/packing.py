"""Compressed generations: which stream one holds, whose own file has lost its name or is gone."""

import contextlib
from collections.abc import Collection

from forewarn.base.clock import Clock
from logship.files.copies import is_fresh
from logship.files.folder import Folder
from logship.files.identity import HEAD_BYTES
from logship.files.register import Register
from logship.files.tail import TailedFile, holds
from logship.streams import Stream


class Packing:
    """Tells by their bytes which streams the compressed files of a path hold.

    Args:
        folder: where they lie.
        register: the path's streams.
        clock: tells how fresh a file is.
    """

    def __init__(self, folder: Folder, register: Register, clock: Clock) -> None:
        self._folder = folder
        self._register = register
        self._clock = clock

    def stream_in(self, file: TailedFile, opened: Collection[TailedFile]) -> Stream | None:
        """The stream of which a compressed file holds the bytes; None where it is no known one's, or too early to say.

        Args:
            file: the compressed one.
            opened: the path's files that are open.
        """
        if not file.content.compressed:
            return None
        for known in opened:
            if known.stream is None:
                with contextlib.suppress(OSError):  # reading it says so too
                    self._register.name(known)
        for stream in sorted(self._register.streams(), key=_acknowledged, reverse=True):
            if not holds(file.content, stream):
                continue
            ends = not file.content.pread(1, stream.acknowledged)
            if stream.finished and not ends and stream.acknowledged < HEAD_BYTES:
                continue  # a few first bytes are alike in many files
            if self._has_no_name(stream, opened):
                return stream
        return None

    def is_under_way(self, file: TailedFile) -> bool:
        """Whether a compressed file that has no end yet may become one that was read."""
        if not file.content.compressed:
            return False
        known = any(stream.fingerprint.matches(file.content) for stream in self._register.streams())
        if not known or file.content.complete:
            return False
        if not is_fresh(file, self._clock):
            self._register.leave_out([file.identity])  # nobody makes it any more
        return True

    def _has_no_name(self, stream: Stream, opened: Collection[TailedFile]) -> bool:
        for file in opened:
            if file.stream is not None and file.stream.file_id == stream.file_id:
                return file.removed()
        found = self._folder.find(stream.identity)
        if found is None:
            return True
        try:
            return not stream.identity.birth_ns and not holds(found.content, stream)
        finally:
            found.close()


def _acknowledged(stream: Stream) -> int:
    return stream.acknowledged
