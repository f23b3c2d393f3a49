"""Opening metrics.db for reading."""

import contextlib
import sqlite3
from pathlib import Path

from collector.store.schema import MIGRATIONS, ROOM
from forewarn.base.errors import StoreError
from forewarn.base.sqlite import open_reader


def open_store(path: Path) -> sqlite3.Connection:
    """A read-only connection to a file with today's tables; it may be used from one thread at a time.

    Raises:
        StoreError: the file is not there, cannot be opened, or is of an older version.
        sqlite3.Error: the file is damaged.
    """
    connection = open_reader(path)
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        (version,) = connection.execute(
            "SELECT coalesce(max(version), 0) FROM schema_versions WHERE room = ?", (ROOM,)
        ).fetchone()
        if version < len(MIGRATIONS):
            raise StoreError(
                f"{path} has version {version} of the {ROOM} tables, this Forewarn reads {len(MIGRATIONS)}",
                hint="start 'forewarn run' once: it migrates the file, after a copy",
            )
        undo.pop_all()
    return connection
