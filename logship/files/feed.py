"""A followed path as a feed: the next lines of its generations, oldest first."""

import threading
from collections.abc import Callable

from forewarn.base.clock import Clock
from logship.delivery.ledger import Ledger
from logship.engine.documents import Bytes
from logship.errors import LogshipError
from logship.feed import AHEAD_BYTES, Anchor, FileState, Filled, Span
from logship.files.family import Family
from logship.files.tail import Fault, TailedFile
from logship.press import Chunk, Press
from logship.shaping.redaction import LOOK_BACK, begins_inside
from logship.source import Source
from logship.streams import Stream


class FileFeed:
    """The files of one path.

    Args:
        family: finds and keeps them.
        source: what their documents have in common.
        press: writes the documents.
        ledger: what of them has arrived.
        clock: the clocks.
        trouble: is told why one of them cannot be read.
        later: has the feed asked again after so many seconds.
        wait: seconds of quiet after which a last line is taken to be complete.
        keep: takes a copy of all bytes before they are sent: stream, offset, bytes, lines, size of the file.

    Attributes:
        lock: for whoever uses the family.
        held: whether nothing is read because too much of it is still on its way.
    """

    def __init__(
        self,
        family: Family,
        source: Source,
        press: Press,
        *,
        ledger: Ledger,
        clock: Clock,
        trouble: Callable[[Exception], None],
        later: Callable[["FileFeed", float], None],
        wait: float,
        keep: Callable[[Stream, int, memoryview, int, int], None] | None = None,
    ) -> None:
        self.family = family
        self.lock = threading.Lock()
        self.held = False
        self._source = source
        self._press = press
        self._ledger = ledger
        self._clock = clock
        self._trouble = trouble
        self._later = later
        self._wait = wait
        self._keep = keep

    @property
    def stream(self) -> str:
        """The data stream that the documents go to."""
        return self._source.stream

    @property
    def dataset(self) -> str:
        """The data set that they are of."""
        return self._source.dataset

    def fill(self, out: Bytes, room: int) -> Filled | None:
        """Write documents of the next lines; nothing while somebody looks after the family, who then wakes the feed."""
        if not self.lock.acquire(blocking=False):
            return None
        try:
            self.held = False
            for file in list(self.family.files):
                try:
                    filled = self._fill_from(file, out, room)
                except OSError as error:
                    self._trouble(error)
                    if not self.family.give_up(file, error):
                        return None
                    continue
                except LogshipError as error:  # one path's trouble (a key of the spool is missing) ends no others
                    file.fault = file.fault or Fault(None, self._clock.monotonic())
                    self._trouble(error)
                    return None
                if filled is not None or self.held:
                    return filled  # a newer generation waits until the older one is at its end
            return None
        finally:
            self.lock.release()

    def look(self) -> tuple[int, bool]:
        """The bytes of all files, and whether some may wait to be filled in: unread ones, or others than before."""
        total, waits = 0, False
        for file in self.family.files:
            size = file.look()
            total += size
            unread = size != file.position or (file.content.compressed and not file.content.complete)
            waits = waits or unread or file.quiet_since is None
        return total, waits

    def _fill_from(self, file: TailedFile, out: Bytes, room: int) -> Filled | None:
        if file.stream is not None and file.position - self._ledger.kept(file.stream.file_id) > AHEAD_BYTES:
            self.held = True
            return None
        size = self.family.peek(file, self._press.raw, self._press.limit(room))
        file.fault = None
        if not size:
            if file.quiet_since is None:
                file.quiet_since = self._clock.monotonic()
            return None
        filled = self._write_if_complete(file, size, out, room)
        if filled is None and not file.at_end:  # a document that is longer than what was read
            size = self.family.peek(file, self._press.raw, self._press.most)
            if not size:
                return None
            filled = self._write_if_complete(file, size, out, room)
            if filled is None and not file.at_end:
                filled = self._write(file, size, out, room, final=True)
        if filled is not None:
            file.quiet_since = None
            return filled
        now = self._clock.monotonic()
        file.quiet_since = now if file.quiet_since is None else file.quiet_since
        file.waiting = file.position, size
        self._later(self, max(0.0, self._wait - (now - file.quiet_since)))
        return None

    def _write_if_complete(self, file: TailedFile, size: int, out: Bytes, room: int) -> Filled | None:
        """Write documents of lines that were read; None where they are one of which more may come."""
        final = self._is_complete(file, size)
        if not final and self._is_waited_for(file, size):
            return None
        return self._write(file, size, out, room, final=final)

    def _is_waited_for(self, file: TailedFile, size: int) -> bool:
        """Whether lines are those of which more may come, and nothing has come since they were seen last."""
        if file.waiting != (file.position, size):
            file.quiet_since = None
            return False
        return True

    def _is_complete(self, file: TailedFile, size: int) -> bool:
        """Whether the last line is a whole document: nothing came for a while, or it was taken for one before."""
        if not self._source.joins:
            return True
        if file.anchors and file.anchors[0].end_offset == file.position + size:
            return True
        quiet = file.quiet_since is not None and self._clock.monotonic() - file.quiet_since >= self._wait
        return quiet and file.waiting == (file.position, size)

    def _write(self, file: TailedFile, size: int, out: Bytes, room: int, *, final: bool) -> Filled | None:
        """Write documents of lines that were read; None where they are one of which more may come."""
        stream, start = file.stream, file.position
        assert stream is not None
        again = file.anchors[0] if file.anchors else None
        now_ms = self._clock.now_ms()
        read_ms = again.read_ms if again is not None else now_ms
        late = file.growth.is_late(start, now_ms, file.identity.birth_ns // 1_000_000)
        if file.inside is None:
            file.inside = begins_inside(file.content.pread(min(start, LOOK_BACK), max(0, start - LOOK_BACK)))
        chunk = Chunk(size, start, file.carried, read_ms, *file.known, final=final, inside=file.inside, late=late)
        body, rest, inside = self._press.press(self._source, stream, chunk, out, room)
        file.known = rest, max(start + size, file.known[1])
        if not body.consumed:
            return None
        modified_ns = file.modified_ns  # from before it was read: a copy that was made meanwhile is no older
        file_size, kept = file.look(), self._keep is not None and not file.removed()  # where these fail nothing is read
        file.advance(self._press.raw, body.consumed, body.carried)
        file.inside = inside
        if self._keep is not None and kept:
            with memoryview(self._press.raw) as raw, raw[: body.consumed] as sent:
                self._keep(stream, start, sent, body.lines, file_size)
        cut = final and self._source.joins and body.consumed == size
        known = again is not None and again.end_offset == file.position
        new = (body.fallback and again is None) or (cut and not known)
        state = FileState(file.marker, file.carried, file.head, modified_ns)
        return Filled(
            size=body.size,
            documents=body.documents,
            span=Span(stream.file_id, start, file.position, state),
            written_ms=file.growth.since(start),
            anchor=Anchor(stream.file_id, file.position, read_ms) if new else None,
            doubtful=start < file.doubtful_before,
            more=body.consumed < size or not file.at_end,
        )
