"""Opening state.db for writing: a damaged file is set aside, for a daemon that does not start warns nobody."""

import contextlib
import logging
import sqlite3
from pathlib import Path

from collector.store.errors import StoreDamagedError, translated
from collector.store.recovery import set_aside
from forewarn.base.clock import Clock
from forewarn.base.sqlite import open_writer

log = logging.getLogger(__name__)


def open_state(path: Path, clock: Clock) -> tuple[sqlite3.Connection, Path | None]:
    """The writing connection, and where a damaged file went, if there was one.

    Raises:
        StoreError: the file cannot be opened.
    """
    try:
        return _open(path), None
    except StoreDamagedError as error:
        aside = set_aside(path, clock)
        log.error(  # noqa: TRY400  the error's text says all
            "state.db was damaged: set aside, a new one begun",
            extra={
                "error": error.message,
                "kept_as": str(aside),
                "lost": "alert states, notifications that were not sent yet, stored forecasts",
                "hint": "what goes on is told again, and forecasts are made anew; the series are not touched",
            },
        )
        return _open(path), aside


def _open(path: Path) -> sqlite3.Connection:
    with translated(path), contextlib.ExitStack() as undo:
        connection = open_writer(path)
        undo.callback(connection.close)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreDamagedError(f"{path} is damaged: {verdict}")
        undo.pop_all()
    return connection
