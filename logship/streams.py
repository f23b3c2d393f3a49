"""A stream of bytes of a file as the checkpoint keeps it: a row of its table and back."""

import sqlite3
from dataclasses import dataclass, replace

from logship.engine.forms import FORMS
from logship.engine.times import Carried
from logship.feed import FileState
from logship.files.identity import HEAD_BYTES, Fingerprint, Identity

COLUMNS = (
    "file_id, path, device, inode, birth_ns, epoch, head_length, head_digest, acknowledged, marker, carry,"
    " first_seen_ms, modified_ns, finished, form, form_columns"
)
PLACES = ", ".join("?" * len(COLUMNS.split(",")))
_NAMES = tuple(f"{form.lead}\t{form.pattern}" for form in FORMS)
"""Forms by what they are: their numbers change from one version to the next."""
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of bytes: what a file holds between its beginning and its being cut off or removed.

    Attributes:
        file_id: its name in document ids.
        path: the followed path that it belongs to, whatever it is called now.
        identity: the file that holds it now (of a stream that was copied and cut off: the copy).
        epoch: how often its file was cut off before.
        fingerprint: of its first bytes, as far as they were acknowledged.
        acknowledged: offset before which everything has arrived.
        marker: the bytes right before that offset.
        carried: what the lines before that offset say about time stamps behind it.
        first_seen_ms: when it was found.
        modified_ns: its file's time of modification when it was last read.
        finished: whether nothing more is to come of it.
    """

    file_id: str
    path: str
    identity: Identity
    epoch: int
    fingerprint: Fingerprint
    acknowledged: int
    marker: bytes
    carried: Carried
    first_seen_ms: int
    modified_ns: int
    finished: bool = False

    def at(self, offset: int, state: FileState) -> "Stream":
        """The stream with everything up to an offset acknowledged."""
        head = state.head[: min(offset, HEAD_BYTES)]
        longer = len(head) > self.fingerprint.length
        return replace(
            self,
            acknowledged=offset,
            marker=state.marker,
            carried=state.carried,
            modified_ns=state.modified_ns,
            fingerprint=Fingerprint.of(head) if longer else self.fingerprint,
        )


def row_of(stream: Stream) -> tuple[object, ...]:
    """A stream's values in the order of COLUMNS."""
    identity, head, carried = stream.identity, stream.fingerprint, stream.carried
    return (
        stream.file_id,
        stream.path,
        identity.device,
        signed(identity.inode),
        identity.birth_ns,
        stream.epoch,
        head.length,
        head.digest,
        stream.acknowledged,
        stream.marker,
        carried.stamp,
        stream.first_seen_ms,
        stream.modified_ns,
        int(stream.finished),
        _NAMES[carried.form] if carried.form >= 0 else "",
        signed(carried.columns),
    )


def stream_of(row: sqlite3.Row) -> Stream:
    """The stream of a row."""
    file_id, path, device, inode, birth, epoch, length, digest, reached, marker, stamp, *rest = row
    seen, modified, end, form, columns = rest
    return Stream(
        file_id,
        path,
        Identity(device, inode % 2**64, birth),
        epoch,
        Fingerprint(length, digest),
        reached,
        marker,
        Carried(_NUMBERS[form], columns % 2**64, stamp) if form in _NUMBERS else Carried(stamp=stamp),
        seen,
        modified,
        bool(end),
    )


def signed(number: int) -> int:
    """An unsigned number of 64 bits as SQLite keeps it."""
    return number - 2**64 if number >= 2**63 else number
