"""Folders as they were last seen: one look serves all paths that are followed in them."""

import contextlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from forewarn.base.clock import Clock
from logship.files.rotation import bases, uncompressed

FRESH_NS = 1_000_000_000
"""A folder's time of modification is coarse: one that is younger than this may hide the next change."""

_SHARED_SECONDS = 0.02
_MOST_KEPT = 10_000

_NUMBER = re.compile(r"\.(\d{1,4})$")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Generation:
    """An older generation as it stood in its folder."""

    path: Path
    device: int
    inode: int
    modified_ns: int


@dataclass(slots=True)
class Listing:
    """The names in a folder.

    Attributes:
        modified_ns: the folder's time of modification, read before its names.
        inodes: by name.
        older: names of older generations by the name of which they may be ones.
    """

    modified_ns: int
    inodes: dict[str, int] = field(default_factory=dict)
    older: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> "Listing":
        """Look into a folder.

        Raises:
            OSError: it cannot be listed.
        """
        listing = cls(folder.stat().st_mtime_ns)
        with os.scandir(folder) as entries:
            listing.inodes = {entry.name: entry.inode() for entry in entries}
        for name in listing.inodes:
            for base in bases(name):
                listing.older.setdefault(base, []).append(name)
        return listing


class Listings:
    """Keeps each folder's listing while nothing changes in it; for one thread at a time.

    Args:
        clock: tells how fresh a change is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Path, tuple[float, Listing]] = {}

    def look(self, folder: Path, *, anew: bool = False) -> Listing:
        """A folder's names.

        Args:
            folder: where.
            anew: whatever is kept is not good enough.

        Raises:
            OSError: it cannot be listed.
        """
        taken, kept = self._kept.get(folder, (0.0, None))
        if kept is not None and not anew and self._is_good(taken, kept, folder):
            return kept
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        listing = Listing.of(folder)
        self._kept[folder] = self._clock.monotonic(), listing
        return listing

    def forget(self, folder: Path) -> None:
        """A folder has changed."""
        self._kept.pop(folder, None)

    def _is_good(self, taken: float, kept: Listing, folder: Path) -> bool:
        if self._clock.monotonic() - taken < _SHARED_SECONDS:
            return True
        modified = folder.stat().st_mtime_ns
        return kept.modified_ns == modified and self._clock.now_ms() * 1_000_000 - modified > FRESH_NS

    def stamp(self, path: Path) -> tuple[tuple[int, ...], bool]:
        """When the folders of a path were changed last, and whether that is long enough ago to show every change.

        Raises:
            OSError: the path's own folder cannot be seen.
        """
        times = [path.parent.stat().st_mtime_ns]
        target = _target(path)
        if target is not None:
            with contextlib.suppress(OSError):
                times.append(target.parent.stat().st_mtime_ns)
        return tuple(times), self._clock.now_ms() * 1_000_000 - max(times) > FRESH_NS

    def generations(self, path: Path, *, anew: bool = False) -> list[Generation]:
        """The older generations of a file in its folder, oldest first.

        A compressed one whose original is still there is being made, and left out. Of a path that is a link to a file
        with digits in its name, files are older generations that are named alike but for the digits.
        """
        found = []
        with contextlib.suppress(FileNotFoundError):
            listing = self.look(path.parent, anew=anew)
            found = _stat(path, listing.older.get(path.name, []), listing)
            target = _target(path)
            if target is not None:
                listing = self.look(target.parent, anew=anew)
                found += _stat(target, _alike(target.name, listing), listing)
        return sorted(found, key=lambda one: age(one.path, one.modified_ns))


def _alike(name: str, listing: Listing) -> list[str]:
    key = _DIGITS.sub("#", name)
    names = {other for other in listing.inodes if _DIGITS.sub("#", uncompressed(other)) == key}
    return sorted((names | {*listing.older.get(name, [])}) - {name})


def _stat(beside: Path, names: list[str], listing: Listing) -> list[Generation]:
    found = []
    for name in names:
        original = uncompressed(name)
        if original != name and (original in listing.inodes or beside.with_name(original).exists()):
            continue
        with contextlib.suppress(FileNotFoundError):
            path = beside.with_name(name)
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found.append(Generation(path, status.st_dev, status.st_ino, status.st_mtime_ns))
    return found


def _target(path: Path) -> Path | None:
    """Where a link leads, if that has digits in its name."""
    if not path.is_symlink():
        return None
    target = Path(os.path.realpath(path))
    return target if _DIGITS.search(target.name) else None


def age(path: Path, modified_ns: int) -> tuple[int, int, str]:
    """Sorts generations, oldest first: by time of modification; of equal ones the higher number is older."""
    name = uncompressed(path.name)
    number = _NUMBER.search(name)
    return modified_ns, -int(number[1]) if number else 0, name
