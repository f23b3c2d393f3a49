"""SQLite as the house uses it: WAL, full sync for writers, read-only readers, numbered migrations a room.

A database keeps in ``schema_versions`` the version of every room that has tables in it. Older ones are migrated after
a copy was set beside the file, newer ones are refused.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from forewarn.base.errors import StoreError

BUSY_SECONDS = 5.0
_SMALL_CACHE = "PRAGMA cache_size = -512"  # KiB a connection; the kernel's page cache holds the rest, once for all


def open_writer(path: Path) -> sqlite3.Connection:
    """The writing connection: created 0600, WAL, every commit durable, incremental auto-vacuum from creation.

    Transactions are explicit (``with connection:``). The connection may be used from one thread at a time.
    """
    path.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only an empty file takes it
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(_SMALL_CACHE)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection; it may be used from one thread at a time.

    Raises:
        StoreError: the file is not there or cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute(_SMALL_CACHE)
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot open {path}: {error}", hint="has 'forewarn run' ever run here?") from error
    return connection


def migrate(connection: sqlite3.Connection, path: Path, room: str, migrations: Sequence[str]) -> None:
    """Bring a room's tables up to ``len(migrations)``; each entry is a script of SQL statements.

    Raises:
        StoreError: the file was written by a newer Forewarn.
    """
    with connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL)"
        )
    row = connection.execute("SELECT version FROM schema_versions WHERE room = ?", (room,)).fetchone()
    have = row[0] if row else 0
    if have > len(migrations):
        raise StoreError(
            f"{path} has version {have} of the {room} tables, this Forewarn knows {len(migrations)}",
            hint="install the newer Forewarn again, or point --data-dir elsewhere",
        )
    if 0 < have < len(migrations):
        _copy(connection, path.with_name(f"{path.name}.{room}-v{have}.bak"))
    for version in range(have, len(migrations)):
        connection.executescript(
            f"BEGIN;\n{migrations[version]};\n"
            f"INSERT INTO schema_versions VALUES ('{room}', {version + 1})"
            " ON CONFLICT (room) DO UPDATE SET version = excluded.version;\nCOMMIT;"
        )


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    """The whole database beside it; under another name until it is whole, for a kill may come in between."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    copy = sqlite3.connect(part)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
