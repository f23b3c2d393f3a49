"""The shipper's place in every file, durable, in a database of its own.

An offset in it is that of acknowledged bytes only. A file's row stands there before its first line is sent.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forewarn.base.sqlite import migrate, open_writer
from logship.errors import LogshipError
from logship.feed import Anchor, FileState, Span
from logship.files.identity import Identity
from logship.streams import COLUMNS, PLACES, Stream, row_of, signed, stream_of

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
    """
    ALTER TABLE streams ADD COLUMN form TEXT NOT NULL DEFAULT '';
    ALTER TABLE streams ADD COLUMN form_columns INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE places (
        account TEXT PRIMARY KEY,
        reached INTEGER NOT NULL,
        state BLOB NOT NULL
    ) WITHOUT ROWID
    """,
)


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
        self._lock = threading.RLock()
        self._gathering = False
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

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make all changes of a block durable at once, at its end; other threads wait for it."""
        with self._lock, self._connection:
            self._gathering = True
            try:
                yield
            finally:
                self._gathering = False

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            if self._gathering:
                yield
            else:
                with self._connection:
                    yield

    def get(self, file_id: str) -> Stream:
        """A stream by its id."""
        with self._lock:
            return self._get(file_id)

    def has(self, file_id: str) -> bool:
        """Whether there is a stream of this id."""
        with self._lock:
            return bool(self._select("file_id = ?", file_id))

    def streams(self, accounts: Collection[str]) -> list[Stream]:
        """Those of these accounts that are streams, in the order in which they were found."""
        with self._lock:
            return [stream for account in accounts for stream in self._select("file_id = ?", account)]

    def is_over(self, account: str) -> bool:
        """Whether an account is a stream of which nothing more is to come."""
        return any(stream.finished for stream in self.streams([account]))

    def find(self, identity: Identity) -> Stream | None:
        """The newest stream that this file holds."""
        place = identity.device, signed(identity.inode), identity.birth_ns
        with self._lock:
            found = self._select("(device, inode, birth_ns) = (?, ?, ?)", *place, order="number DESC LIMIT 1")
            return found[0] if found else None

    def find_lasting(self, path: str, identity: Identity) -> Stream | None:
        """The newest stream of a followed path that this file held when its device had another number."""
        place = path, signed(identity.inode), identity.birth_ns
        with self._lock:
            found = self._select("(path, inode, birth_ns) = (?, ?, ?)", *place, order="number DESC LIMIT 1")
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
        with self._changing():
            self._connection.execute(f"INSERT INTO streams ({COLUMNS}) VALUES ({PLACES})", row_of(stream))
            self._hold(stream)

    def change(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Change attributes of streams and forget the anchors that they have passed; durable on return."""
        with self._changing():
            self._update([replace(self._get(file_id), **values) for file_id, values in changes.items()])

    def keep(self, spans: Sequence[Span]) -> None:
        """Everything up to the ends of these spans has arrived, one of each account; durable on return."""
        streams, places = [], []
        with self._changing():
            for span in spans:
                if isinstance(span.state, FileState):
                    streams.append(self._get(span.account).at(span.end, span.state))
                else:
                    places.append((span.account, span.end, span.state))
            self._update(streams)
            self._connection.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", places)

    def place(self, account: str) -> tuple[int, bytes] | None:
        """What is kept of a source that is no file: how far everything has arrived, and its state there."""
        with self._lock:
            found = self._connection.execute("SELECT reached, state FROM places WHERE account = ?", (account,))
            return found.fetchone()  # type: ignore[no-any-return]

    def places(self, prefix: str) -> dict[str, tuple[int, bytes]]:
        """What is kept of all accounts of sources that are no files whose names begin so."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT account, reached, state FROM places WHERE substr(account, 1, ?) = ?", (len(prefix), prefix)
            )
            return {account: (reached, state) for account, reached, state in rows}

    def drop_places(self, accounts: Collection[str]) -> None:
        """Keep nothing of these accounts any more; durable on return."""
        if accounts:
            with self._changing():
                self._connection.executemany("DELETE FROM places WHERE account = ?", [(one,) for one in accounts])

    def forget(self, file_ids: Collection[str]) -> None:
        """Drop streams and their anchors, durable on return."""
        with self._changing():
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
        with self._changing():
            self._connection.execute("INSERT INTO paths VALUES (?)", (path,))
            self._connection.executemany(
                "INSERT INTO history VALUES (?, ?, ?, ?)",
                [(path, old.device, signed(old.inode), old.birth_ns) for old in history],
            )

    def drop_history(self, path: str, inodes: Collection[int]) -> None:
        """Know these no more as generations from before a path was followed; durable on return."""
        if inodes:
            with self._changing():
                self._connection.executemany(
                    "DELETE FROM history WHERE (path, inode) = (?, ?)", [(path, signed(inode)) for inode in inodes]
                )

    def anchor(self, anchors: Sequence[Anchor]) -> None:
        """Write when lines were read, durable on return."""
        with self._changing():
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
        rows = self._connection.execute(f"SELECT {COLUMNS} FROM streams WHERE {where} ORDER BY {order}", values)
        return [stream_of(row) for row in rows]

    def _update(self, streams: Sequence[Stream]) -> None:
        self._connection.executemany(
            f"UPDATE streams SET ({COLUMNS}) = ({PLACES}) WHERE file_id = ?",
            [(*row_of(stream), stream.file_id) for stream in streams],
        )
        self._connection.executemany(
            "DELETE FROM anchors WHERE file_id = ? AND end_offset <= ?",
            [(stream.file_id, stream.acknowledged) for stream in streams],
        )
        for stream in streams:
            self._hold(stream)

    def _hold(self, stream: Stream) -> None:
        if stream.finished:
            self._open.pop(stream.file_id, None)
        else:
            self._open[stream.file_id] = stream
