"""The shipper's place in every file, durable, in a database of its own.

An offset in it is that of acknowledged bytes only. A file's row stands there before its first line is sent.
"""

import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forewarn.base.sqlite import migrate, open_writer
from logship.errors import LogshipError
from logship.identity import Fingerprint, Identity

FILE_NAME = "logship.db"

MIGRATIONS = (
    """
    CREATE TABLE streams (
        number INTEGER PRIMARY KEY,
        file_id TEXT NOT NULL UNIQUE,
        path TEXT NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        birth_ns INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        head_length INTEGER NOT NULL,
        head_digest BLOB NOT NULL,
        acknowledged INTEGER NOT NULL,
        marker BLOB NOT NULL,
        carry BLOB NOT NULL,
        first_seen_ms INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        finished INTEGER NOT NULL
    );
    CREATE INDEX streams_by_path ON streams (path, number);
    CREATE TABLE paths (path TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE history (
        path TEXT NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        birth_ns INTEGER NOT NULL
    );
    CREATE TABLE anchors (
        file_id TEXT NOT NULL,
        end_offset INTEGER NOT NULL,
        read_ms INTEGER NOT NULL,
        PRIMARY KEY (file_id, end_offset)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX streams_by_file ON streams (device, inode, birth_ns, number)",
)
_COLUMNS = (
    "file_id, path, device, inode, birth_ns, epoch, head_length, head_digest, acknowledged, marker, carry,"
    " first_seen_ms, modified_ns, finished"
)
_PLACES = ", ".join("?" * len(_COLUMNS.split(",")))


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
        carry: the last time stamp before that offset, empty where there was none.
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
    carry: bytes
    first_seen_ms: int
    modified_ns: int
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Anchor:
    """The lines of a stream up to an offset were read at this time (for lines that name none)."""

    file_id: str
    end_offset: int
    read_ms: int


class Checkpoint:
    """All streams on disk, and in memory those that are not finished; may be used from any thread.

    A finished stream is kept: its name must not be given again to a later one of the same file, whose lines
    Elasticsearch would then take for those that it has.

    Args:
        path: the database's file.

    Raises:
        LogshipError: the file is damaged or cannot be opened.
        StoreError: a newer Forewarn wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._connection = open_writer(path)
            migrate(self._connection, path, "logship", MIGRATIONS)
            self._open = {stream.file_id: stream for stream in self._select("NOT finished")}
        except (sqlite3.Error, OSError) as error:
            raise LogshipError(
                f"cannot use the log shipper's checkpoint {path}: {error}",
                hint="is there room on the disk? If the file is damaged, move it away: files are then read from their"
                " beginning, and Elasticsearch knows most lines by their ids",
            ) from error

    def get(self, file_id: str) -> Stream:
        """A stream by its id."""
        with self._lock:
            return self._get(file_id)

    def has(self, file_id: str) -> bool:
        """Whether there is a stream of this id."""
        with self._lock:
            return bool(self._select("file_id = ?", file_id))

    def find(self, identity: Identity) -> Stream | None:
        """The newest stream that this file holds."""
        place = identity.device, _signed(identity.inode), identity.birth_ns
        with self._lock:
            found = self._select("(device, inode, birth_ns) = (?, ?, ?)", *place, order="number DESC LIMIT 1")
            return found[0] if found else None

    def of_path(self, path: str) -> list[Stream]:
        """The streams of a followed path, in the order in which they were found."""
        with self._lock:
            return self._select("path = ?", path)

    def unfinished(self, path: str) -> list[Stream]:
        """Those streams of a followed path of which more may come, in the order in which they were found."""
        with self._lock:
            return self._select("path = ? AND NOT finished", path)

    def add(self, stream: Stream) -> None:
        """Write a new stream, durable on return."""
        with self._lock, self._connection:
            self._connection.execute(f"INSERT INTO streams ({_COLUMNS}) VALUES ({_PLACES})", _row(stream))
            self._hold(stream)

    def change(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Change attributes of streams and forget the anchors that they have passed; durable on return."""
        with self._lock, self._connection:
            streams = [replace(self._get(file_id), **values) for file_id, values in changes.items()]
            self._connection.executemany(
                f"UPDATE streams SET ({_COLUMNS}) = ({_PLACES}) WHERE file_id = ?",
                [(*_row(stream), stream.file_id) for stream in streams],
            )
            self._connection.executemany(
                "DELETE FROM anchors WHERE file_id = ? AND end_offset <= ?",
                [(stream.file_id, stream.acknowledged) for stream in streams],
            )
            for stream in streams:
                self._hold(stream)

    def forget(self, file_ids: Collection[str]) -> None:
        """Drop streams and their anchors, durable on return."""
        with self._lock, self._connection:
            for table in ("streams", "anchors"):
                self._connection.executemany(f"DELETE FROM {table} WHERE file_id = ?", [(name,) for name in file_ids])
            for name in file_ids:
                self._open.pop(name, None)

    def history(self, path: str) -> set[Identity] | None:
        """Generations from before a path was followed, which are not read; None where it never was."""
        with self._lock:
            if self._connection.execute("SELECT 1 FROM paths WHERE path = ?", (path,)).fetchone() is None:
                return None
            rows = self._connection.execute("SELECT device, inode, birth_ns FROM history WHERE path = ?", (path,))
            return {Identity(device, inode % 2**64, birth_ns) for device, inode, birth_ns in rows}

    def follow(self, path: str, history: Collection[Identity]) -> None:
        """Begin to follow a path, durable on return; whatever else appears beside it is read."""
        with self._lock, self._connection:
            self._connection.execute("INSERT INTO paths VALUES (?)", (path,))
            self._connection.executemany(
                "INSERT INTO history VALUES (?, ?, ?, ?)",
                [(path, old.device, _signed(old.inode), old.birth_ns) for old in history],
            )

    def anchor(self, anchors: Sequence[Anchor]) -> None:
        """Write when lines were read, durable on return."""
        with self._lock, self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO anchors VALUES (?, ?, ?)",
                [(anchor.file_id, anchor.end_offset, anchor.read_ms) for anchor in anchors],
            )

    def anchors(self, stream: Stream) -> list[Anchor]:
        """The anchors beyond what is acknowledged, by offset."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT file_id, end_offset, read_ms FROM anchors WHERE file_id = ? AND end_offset > ?"
                " ORDER BY end_offset",
                (stream.file_id, stream.acknowledged),
            )
            return [Anchor(*row) for row in rows]

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._connection.close()

    def _get(self, file_id: str) -> Stream:
        return self._open.get(file_id) or self._select("file_id = ?", file_id)[0]

    def _select(self, where: str, *values: object, order: str = "number") -> list[Stream]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM streams WHERE {where} ORDER BY {order}", values)
        return [_stream(row) for row in rows]

    def _hold(self, stream: Stream) -> None:
        if stream.finished:
            self._open.pop(stream.file_id, None)
        else:
            self._open[stream.file_id] = stream


def _row(stream: Stream) -> tuple[object, ...]:
    identity, head = stream.identity, stream.fingerprint
    return (
        stream.file_id,
        stream.path,
        identity.device,
        _signed(identity.inode),
        identity.birth_ns,
        stream.epoch,
        head.length,
        head.digest,
        stream.acknowledged,
        stream.marker,
        stream.carry,
        stream.first_seen_ms,
        stream.modified_ns,
        int(stream.finished),
    )


def _stream(row: sqlite3.Row) -> Stream:
    file_id, path, device, inode, birth_ns, epoch, length, digest, acknowledged, marker, carry, seen, modified, end = (
        row
    )
    identity = Identity(device, inode % 2**64, birth_ns)
    head = Fingerprint(length, digest)
    return Stream(file_id, path, identity, epoch, head, acknowledged, marker, carry, seen, modified, bool(end))


def _signed(inode: int) -> int:
    return inode - 2**64 if inode >= 2**63 else inode  # SQLite's integers are signed
