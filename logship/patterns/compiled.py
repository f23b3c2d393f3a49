"""The compiler, where the extra ``fast`` is installed; else functions run as they stand."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

AVAILABLE = find_spec("numba") is not None


def compiled(function: F) -> F:
    """A function in machine code, kept in numba's cache folder; the function itself without numba."""
    return _made(function)


def inlined(function: F) -> F:
    """The same, written out wherever compiled code calls it."""
    return _made(function, forceinline=True)


def _made(function: F, **options: bool) -> F:
    if not AVAILABLE:
        return function
    from numba import njit  # noqa: PLC0415 - the extra may be missing

    try:
        return cast("F", njit(cache=True, nogil=True, **options)(function))
    except RuntimeError:  # no folder to keep machine code in: it is made again in each process
        return cast("F", njit(nogil=True, **options)(function))
