"""SQLite's errors in the house's words."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from forewarn.base.errors import StoreError

_NEARLY_NOTHING = 1024 * 1024
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FROM_SQLITE = (sqlite3.Error, UnicodeDecodeError, JSONDecodeError)
"""What SQLite raises, and what the text of a damaged file does: names, labels, even the words of an error."""


class StoreFullError(StoreError):
    """There is no room for more samples: the disk is full, or the store's size limit is reached."""


class StoreDamagedError(StoreError):
    """The file is no database, or a damaged one."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as ours.

    Raises:
        StoreFullError: the disk is full, or the size limit is reached.
        StoreDamagedError: the file is damaged.
        StoreError: anything else that SQLite says.
    """
    try:
        yield
    except _FROM_SQLITE as error:
        raise _ours(error, path) from error


def _ours(error: Exception, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the primary code
    schema = code == sqlite3.SQLITE_ERROR and str(error).startswith("no such ")  # a table of ours, or a column
    if code in _DAMAGE or schema or isinstance(error, sqlite3.DataError | UnicodeDecodeError | JSONDecodeError):
        return StoreDamagedError(
            f"{path} is damaged: {error}", hint="'forewarn run' sets it aside and begins a new one"
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _disk_is_full(path)):
        return _full(path)
    return StoreError(f"cannot use {path}: {error}", hint="see its permissions and the disk")


def _full(path: Path) -> StoreFullError:
    if _disk_is_full(path):
        return StoreFullError(f"{os.strerror(errno.ENOSPC)}: {path}", hint="free space on its filesystem")
    return StoreFullError(f"{path} has reached its size limit", hint="raise store.max_size or shorten the retention")


def _disk_is_full(path: Path) -> bool:
    return shutil.disk_usage(path.parent).free < _NEARLY_NOTHING
