"""The seams of the shipper: what feeds give, what is kept of it, and who looks on.

A feed is a source of documents: a followed file with its generations, the journal, a part of the spool. Worker threads
take turns under one packing lock: a turn fills the worker's body from feeds of one data stream.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from logship.engine.documents import Bytes, Int32, Int64
from logship.engine.times import Carried

AHEAD_BYTES = 128 * 1024 * 1024
"""How far a source may be sent beyond what is kept of it as acknowledged: what a killed shipper leaves in doubt."""
LATE_MS = 5_000
"""Lines that were written longer ago than this before they are read say nothing of the present."""


class FileState(NamedTuple):
    """What the checkpoint keeps of a file, as of an offset.

    Attributes:
        marker: the last bytes before the offset.
        carried: what the lines before it say about time stamps behind it.
        head: the file's first bytes, as far as they were known then.
        modified_ns: the file's time of modification when it was read.
    """

    marker: bytes
    carried: Carried
    head: bytes
    modified_ns: int


State = FileState | bytes
"""Of a file its own kind of state; of any other source bytes that it understands (the journal: its cursor)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a source that travels in one request.

    Attributes:
        account: whose offsets these are: a file's id, the journal's sequence id.
        start: offset of the first byte (of the journal: the sequence number before the first entry); the end of the
            span before it.
        end: offset behind the last byte.
        state: what is kept once everything up to ``end`` has arrived.
    """

    account: str
    start: int
    end: int
    state: State


@dataclass(frozen=True, slots=True)
class Anchor:
    """The lines of a file up to an offset were read at this time (for lines that name none)."""

    file_id: str
    end_offset: int
    read_ms: int


@dataclass(frozen=True, slots=True)
class Filled:
    """What a feed put into a body.

    Attributes:
        size: bytes of the body.
        documents: as many.
        span: the piece of the source that they hold.
        written_ms: when the first of them was written, at the latest; None where that is not known.
        anchor: a reading time that must be kept before the body is sent.
        doubtful: whether an earlier process may have sent them.
        more: whether there may be more right away; else the feed was at its end a moment ago.
    """

    size: int
    documents: int
    span: Span
    written_ms: int | None = None
    anchor: Anchor | None = None
    doubtful: bool = False
    more: bool = True


class Feed(Protocol):
    """A source of documents for one data stream."""

    @property
    def stream(self) -> str:
        """The data stream that its documents go to."""

    def fill(self, out: Bytes, room: int) -> Filled | None:
        """Write documents of the next lines: each an action ``{"create":{"_id":...}}`` without index, and a source.

        Never waits. A feed of which ``fill`` has given None is asked again after ``Packer.wake(feed)``. Called under
        the packing lock.

        Args:
            out: takes the documents from its first byte on; it is longer than ``room`` by
                ``overrun(max_line_bytes)``.
            room: bytes after which to stop; only a first document may be longer.
        """


class Lines:
    """A chunk of one source's lines while it is packed.

    Attributes:
        dataset: of the source.
        source: its name: a path, a unit.
        data: the lines; good during the call only.
        starts: where each line begins, and the end of the last.
        read_ms: when they were read.
        late: whether they are older ones that are being caught up with; see LATE_MS.
    """

    __slots__ = ("data", "dataset", "late", "read_ms", "source", "starts")

    def __init__(
        self, dataset: str, source: str, data: Bytes, starts: Int64, read_ms: int, *, late: bool = False
    ) -> None:
        self.dataset, self.source, self.data, self.starts = dataset, source, data, starts
        self.read_ms, self.late = read_ms, late

    def __len__(self) -> int:
        return len(self.starts) - 1

    def line(self, number: int) -> bytes:
        """One of the lines, without its end."""
        return self.data[self.starts[number] : self.starts[number + 1]].tobytes().rstrip(b"\r\n")


class Observer(Protocol):
    """Looks on as lines are packed."""

    def observe(self, lines: Lines, templates: Int32) -> None:
        """See lines once, in the order of their source, each with its template's id; quick, for others wait.

        Called under the packing lock. Ids may be merged later: see ``Miner.resolve``.
        """


class Doubt(Protocol):
    """Knows of documents that a data stream holds in another index than the one that is written to.

    A roll-over between two sendings would make a second document of one id: Elasticsearch looks for ids in the index
    that is written to only.
    """

    def there(self, stream: str, ids: Sequence[bytes]) -> Collection[bytes]:
        """Those of the ids that an older backing index of the stream holds; none where it has no older ones.

        Raises:
            ControlError: the server does not answer now; it is asked again before anything is sent.
        """
