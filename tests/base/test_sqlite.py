import sqlite3
from pathlib import Path

import pytest

from forewarn.base.errors import StoreError
from forewarn.base.sqlite import migrate, open_reader, open_writer

FIRST = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"
SECOND = "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7"


def test_migrations_run_once_and_in_order_after_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    writer = open_writer(path)
    migrate(writer, path, "room", [FIRST])
    migrate(writer, path, "room", [FIRST])
    migrate(writer, path, "room", [FIRST, SECOND])
    assert writer.execute("SELECT x, y FROM a").fetchall() == [(1, 7)]
    copy = sqlite3.connect(tmp_path / "state.db.room-v1.bak")
    assert copy.execute("SELECT * FROM a").fetchall() == [(1,)]
    copy.close()
    writer.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    writer = open_writer(path)
    migrate(writer, path, "room", [FIRST, SECOND])
    with pytest.raises(StoreError, match="version 2 of the room tables, this Forewarn knows 1"):
        migrate(writer, path, "room", [FIRST])
    writer.close()


def test_the_file_is_private_and_the_reader_reads_only(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    writer = open_writer(path)
    migrate(writer, path, "room", [FIRST])
    assert path.stat().st_mode & 0o777 == 0o600
    reader = open_reader(path)
    assert reader.execute("SELECT x FROM a").fetchone() == (1,)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("INSERT INTO a VALUES (2)")
    reader.close()
    writer.close()


def test_a_reader_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="forewarn run"):
        open_reader(tmp_path / "none.db")
