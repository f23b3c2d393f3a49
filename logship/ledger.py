"""Who has arrived: acknowledged pieces of every stream, and the prefix without gaps that they make."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from logship.checkpoint import Checkpoint, Stream
from logship.identity import HEAD_BYTES, Fingerprint


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a stream that travels in one request.

    Attributes:
        file_id: of the stream.
        start: offset of its first byte.
        end: offset behind its last.
        marker: the last bytes before ``end``.
        carry: the last time stamp before ``end``.
        head: the stream's first bytes, as far as they were known then.
        modified_ns: the file's time of modification when the piece was read.
    """

    file_id: str
    start: int
    end: int
    marker: bytes
    carry: bytes
    head: bytes
    modified_ns: int


class Ledger:
    """Turns settled pieces, which come in any order, into offsets that only grow; may be used from any thread."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._lock = threading.Lock()
        self._committing = threading.Lock()
        self._reached: dict[str, int] = {}
        self._waiting: dict[str, dict[int, Span]] = {}
        self._moved: dict[str, Span] = {}

    def start(self, stream: Stream) -> None:
        """Begin to keep a stream's account, at what is acknowledged of it."""
        with self._lock:
            self._reached.setdefault(stream.file_id, stream.acknowledged)

    def settle(self, spans: list[Span]) -> None:
        """These pieces have arrived, whole."""
        with self._lock:
            for span in spans:
                if span.file_id not in self._reached:
                    continue  # forgotten meanwhile
                waiting = self._waiting.setdefault(span.file_id, {})
                waiting[span.start] = span
                while (following := waiting.pop(self._reached[span.file_id], None)) is not None:
                    self._reached[span.file_id] = following.end
                    self._moved[span.file_id] = following

    def reached(self, file_id: str) -> int:
        """The offset before which everything of a stream has arrived."""
        with self._lock:
            return self._reached[file_id]

    def commit(self) -> bool:
        """Make what has been reached durable; whether there was anything."""
        with self._committing:
            with self._lock:
                moved, self._moved = self._moved, {}
            if moved:
                self._checkpoint.change({span.file_id: self._changes(span) for span in moved.values()})
            return bool(moved)

    def finish(self, file_id: str) -> None:
        """Nothing more is to come of a stream: keep no account of it here, and what arrived of it on disk."""
        with self._committing:
            with self._lock:
                span = self._moved.pop(file_id, None)
                for account in (self._reached, self._waiting):
                    account.pop(file_id, None)
            arrived = {} if span is None else self._changes(span)
            self._checkpoint.change({file_id: {**arrived, "finished": True}})

    def forget(self, file_ids: Collection[str]) -> None:
        """Keep no account of these streams any more, here and on disk."""
        with self._committing:
            with self._lock:
                for account in (self._reached, self._waiting, self._moved):
                    for file_id in file_ids:
                        account.pop(file_id, None)
            self._checkpoint.forget(file_ids)

    def _changes(self, span: Span) -> dict[str, Any]:
        changes = {
            "acknowledged": span.end,
            "marker": span.marker,
            "carry": span.carry,
            "modified_ns": span.modified_ns,
        }
        head = span.head[: min(span.end, HEAD_BYTES)]
        if len(head) > self._checkpoint.get(span.file_id).fingerprint.length:
            changes["fingerprint"] = Fingerprint.of(head)
        return changes
