"""Opening metrics.db for writing: a damaged file is set aside and a new one begun."""

import contextlib
import logging
import sqlite3
from pathlib import Path

from collector.store.errors import StoreDamagedError, translated
from collector.store.schema import MIGRATIONS, ROOM
from forewarn.base.clock import Clock, rfc3339
from forewarn.base.files import sync
from forewarn.base.sqlite import migrate, open_writer

_CHECKED_BYTES = 256 * 2**20
_WAL_LIMIT_BYTES = 16 * 2**20

log = logging.getLogger(__name__)


def open_checked(path: Path, clock: Clock) -> tuple[sqlite3.Connection, Path | None]:
    """The writing connection with today's tables, and where a damaged file went, if there was one.

    Raises:
        StoreError: the file cannot be opened, or a newer Forewarn wrote it.
    """
    try:
        return _open(path), None
    except StoreDamagedError as error:
        aside = set_aside(path, clock)
        log.warning("the store is damaged, a new one is begun", extra={"error": error.message, "aside": str(aside)})
        return _open(path), aside


def set_aside(path: Path, clock: Clock) -> Path:
    """Rename the file, its write-ahead log and its index, so that they still belong together."""
    stamp = rfc3339(clock.now_ms() // 1000 * 1000).replace(":", "").replace("-", "")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(f"{path.name}{suffix}").replace(f"{aside}{suffix}")
    sync(path.parent)
    return aside


def _open(path: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    with translated(path), contextlib.ExitStack() as undo:
        connection = open_writer(path)
        undo.callback(connection.close)
        _check(connection, path)
        migrate(connection, path, ROOM, MIGRATIONS)
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
        undo.pop_all()
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Look for damage. A large file is not read whole at every start: where it is damaged, writing will meet that."""
    if path.stat().st_size <= _CHECKED_BYTES:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreDamagedError(f"{path} is damaged: {verdict}")
    for table in ("series", "layouts", "scrapes"):
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
            connection.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()
