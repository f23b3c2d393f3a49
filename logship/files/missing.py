"""Streams that were not finished when the shipper began, and whose files are not there, or cannot be read so far."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from logship.errors import SpoolError
from logship.files.folder import Folder
from logship.files.identity import Identity
from logship.files.tail import TailedFile, holds
from logship.streams import Stream

NOWHERE = Identity(0, 0, 0)
"""Where a stream lives that no file holds any more."""

log = logging.getLogger(__name__)


class Missing:
    """Finds what is left of them.

    Args:
        folder: where their files may turn up under another name.
        rest: finds what is kept of a stream elsewhere; None for nothing.
    """

    def __init__(self, folder: Folder, rest: Callable[[Stream], TailedFile | None]) -> None:
        self._folder = folder
        self._rest = rest
        self._streams: list[Stream] = []
        self._ends: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: Stream) -> None:
        """Look for the rest of a stream."""
        self._streams.append(stream)

    def rest_of(self, file: TailedFile) -> list[TailedFile] | None:
        """What is kept elsewhere of an open file that cannot be read on, standing where the reading of it ended.

        Returns:
            None where that is nothing; nothing to go on in yet where it has to be waited for.
        """
        stream = file.stream
        if stream is None or file.spooled:
            return None
        try:
            rest = self._rest(stream)
        except (SpoolError, OSError):
            place = replace(stream, acknowledged=file.position, marker=file.marker, carried=file.carried)
            self.add(replace(place, identity=NOWHERE))
            self._ends[stream.file_id] = file.growth.end
            return []
        if rest is None:
            return None
        rest.take_over(file)
        return [rest]

    def drop(self, file_id: str) -> None:
        """A stream's bytes were found."""
        self._streams = [stream for stream in self._streams if stream.file_id != file_id]
        self._ends.pop(file_id, None)

    def settle(self, *, surely: bool) -> Iterator[tuple[Stream, TailedFile | None, int]]:
        """Those of which something is left, with a file to go on in, and where their own file was seen to end, or 0.

        Args:
            surely: what is not found now will not turn up: tell those of which nothing is left, too.
        """
        for stream in list(self._streams):
            try:
                found = self._rest(stream) or self._find_again(stream)
            except SpoolError as error:
                self._say(stream, f"a log that is gone waits in the spool: {error}")
                continue
            except OSError as error:
                self._say(stream, f"cannot read a rotated log: {error.strerror}; it is tried again")
                continue
            if found is not None or surely:
                end = self._ends.get(stream.file_id, 0)
                self.drop(stream.file_id)
                yield stream, found, end

    def _find_again(self, stream: Stream) -> TailedFile | None:
        """A stream's file, of which the name may have moved while it was looked for."""
        file = self._folder.find(stream.identity)
        if file is None:
            return None
        try:
            there = holds(file.content, stream)
        except OSError:
            file.close()
            raise
        if there:
            return file
        file.close()
        return None

    def _say(self, stream: Stream, text: str) -> None:
        if (stream.file_id, text) not in self._told:
            self._told.add((stream.file_id, text))
            log.warning(text, extra={"path": stream.path, "offset": stream.acknowledged})
