"""The compiler, where the extra ``fast`` is installed and may be used; else functions run as they stand."""

import contextlib
import hashlib
import mmap
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

INSTALLED = find_spec("numba") is not None
_FOLDER = "NUMBA_CACHE_DIR"
_MADE = "made"
_UNUSED_SECONDS = 7 * 86_400.0
_MARK = b"logship.patterns.compiled import"


def _may_run() -> bool:
    """Whether this process may run code that it has made, which systemd's MemoryDenyWriteExecute forbids."""
    try:
        mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except OSError:
        return False
    return True


FORBIDDEN = INSTALLED and not _may_run()
AVAILABLE = INSTALLED and not FORBIDDEN


def compiled(function: F) -> F:
    """A function in machine code, kept in numba's cache folder; the function itself without numba."""
    return _made(function)


def brief(function: F) -> F:
    """The same for what takes microseconds: it keeps the interpreter's lock, for handing it over costs more."""
    return _made(function, nogil=False)


def inlined(function: F) -> F:
    """The same, written out wherever compiled code calls it."""
    return _made(function, forceinline=True)


def users_folder() -> Path:
    """Where commands keep machine code: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "forewarn" / "compiled"


def keep_in(folder: Path) -> None:
    """Keep machine code in a folder from now on, unless NUMBA_CACHE_DIR names another one.

    Each version of the program has a folder of its own there, because numba looks at a function's own file only, not at
    those of the functions that it calls. What other versions kept is removed once it was not used for a week.
    """
    if not AVAILABLE or os.environ.get(_FOLDER):
        return
    mine = folder / _version()
    old = time.time() - _UNUSED_SECONDS
    for other in folder.iterdir() if folder.is_dir() else ():
        if other != mine and other.stat().st_mtime < old:
            shutil.rmtree(other, ignore_errors=True)
    with contextlib.suppress(OSError):  # there is none yet, or it is somebody else's
        os.utime(mine)
    os.environ[_FOLDER] = str(mine)
    if "numba" in sys.modules:
        sys.modules["numba"].config.reload_config()


def is_wanting() -> bool:
    """Whether machine code is still to be made for the folder where it is kept."""
    folder = os.environ.get(_FOLDER)
    return AVAILABLE and folder is not None and not (Path(folder) / _MADE).exists()


def note_made() -> None:
    """Note that everything was made."""
    folder = os.environ.get(_FOLDER)
    if folder is not None:
        (Path(folder) / _MADE).touch()


def _version() -> str:
    """A hash of the sources of what is compiled and of all beside it, whose constants go into the code."""
    found = hashlib.blake2b(digest_size=8)
    sources = {path: path.read_bytes() for path in sorted(Path(__file__).parent.parent.rglob("*.py"))}
    folders = {path.parent for path, source in sources.items() if _MARK in source or b"llvmlite" in source}
    for path, source in sources.items():
        if path.parent in folders:
            found.update(source)
    return found.hexdigest()


def _made(function: F, *, nogil: bool = True, **options: bool) -> F:
    if not AVAILABLE:
        return function
    from numba import njit  # noqa: PLC0415 - the extra may be missing

    keep_in(users_folder())
    try:
        return cast("F", njit(cache=True, nogil=nogil, **options)(function))
    except RuntimeError:  # no folder to keep machine code in: it is made again in each process
        return cast("F", njit(nogil=nogil, **options)(function))
