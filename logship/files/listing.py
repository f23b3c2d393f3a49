"""Folders as they were last seen: one look serves all paths that are followed in them."""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from forewarn.base.clock import Clock
from logship.files.places import is_link, is_there
from logship.files.rotation import bases, uncompressed

FRESH_NS = 1_000_000_000
"""A folder's time of modification is coarse: one that is younger than this may hide the next change."""

_SHARED_SECONDS = 0.02
_SHARED_MOST = 0.5
_SHARE = 10
"""A listing is shared for so many times its own length at least, so that a thousand paths do not make a thousand."""
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
    size: int
    changed_ns: int


@dataclass(slots=True)
class Listing:
    """The names in a folder.

    Attributes:
        modified_ns: the folder's time of modification, read before its names.
        inodes: by name.
        names: by inode, one of each.
        older: names of older generations by the name of which they may be ones.
    """

    modified_ns: int
    inodes: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    older: dict[str, list[str]] = field(default_factory=dict)
    _alike: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> "Listing":
        """Look into a folder.

        Raises:
            OSError: it cannot be listed.
        """
        listing = cls(folder.stat().st_mtime_ns)
        with os.scandir(folder) as entries:
            listing.inodes = {entry.name: entry.inode() for entry in entries}
        for name, inode in listing.inodes.items():
            listing.names[inode] = name
            for base in bases(name):
                listing.older.setdefault(base, []).append(name)
        return listing

    def alike(self, name: str) -> list[str]:
        """Other names that are the same but for their digits, and those of older generations."""
        if not self._alike:
            for other in self.inodes:
                self._alike.setdefault(key_of(other), []).append(other)
        return sorted({*self._alike.get(key_of(name), ()), *self.older.get(name, ())} - {name})


@dataclass(frozen=True, slots=True)
class _Kept:
    """A listing, and when it was made (monotonic), how long it is shared, and whether the folder's time proves it."""

    listing: Listing
    made: float
    shared: float
    settled: bool


class Listings:
    """Keeps each folder's listing while nothing changes in it; for one thread at a time.

    Args:
        clock: tells how fresh a change is.
        apart: whether a path is no older generation of another, whatever it is called.
    """

    def __init__(self, clock: Clock, apart: Callable[[Path, Path], bool] = lambda _path, _live: False) -> None:
        self._clock = clock
        self._apart = apart
        self._kept: dict[Path, _Kept] = {}

    def look(self, folder: Path, *, anew: bool = False) -> Listing:
        """A folder's names.

        Args:
            folder: where.
            anew: what was seen a moment ago is good enough only where nothing can have changed since.

        Raises:
            OSError: it cannot be listed.
        """
        kept, began = self._kept.get(folder), self._clock.monotonic()
        if kept is not None and not anew and began - kept.made < kept.shared:
            return kept.listing
        if kept is not None and kept.settled and folder.stat().st_mtime_ns == kept.listing.modified_ns:
            return kept.listing
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        listing = Listing.of(folder)
        settled = self._is_settled(listing.modified_ns)
        shared = min(_SHARED_MOST, max(_SHARED_SECONDS, _SHARE * (self._clock.monotonic() - began)))
        self._kept[folder] = _Kept(listing, began, shared, settled)
        return listing

    def names(self, folder: Path) -> Collection[str]:
        """The names in a folder as it is now.

        Raises:
            OSError: it cannot be listed.
        """
        return self.look(folder, anew=True).inodes

    def forget(self, folder: Path) -> None:
        """A folder has changed."""
        self._kept.pop(folder, None)

    def forget_unproven(self) -> None:
        """Whatever was seen a moment ago is good enough no more."""
        self._kept = {folder: kept for folder, kept in self._kept.items() if kept.settled}

    def _is_settled(self, modified_ns: int) -> bool:
        return self._clock.now_ms() * 1_000_000 - modified_ns > FRESH_NS

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
        return tuple(times), self._is_settled(max(times))

    def generations(self, path: Path, *, anew: bool = False) -> list[Generation]:
        """The older generations of a file in its folder, oldest first.

        A compressed one whose original is still there is being made, and left out. Of a path that is a link to a file
        with digits in its name, files are older generations that are named alike but for the digits. Where one is not
        what it was when the folder was listed, names are moving: it is listed again.
        """
        found = []
        with contextlib.suppress(FileNotFoundError):
            found = self._generations(path, path, lambda listing: listing.older.get(path.name, ()), anew=anew)
            target = _target(path)
            if target is not None:
                found += self._generations(path, target, lambda listing: listing.alike(target.name), anew=anew)
        return sorted(found, key=lambda one: age(one.path, one.modified_ns))

    def _generations(
        self, path: Path, beside: Path, older: Callable[[Listing], Iterable[str]], *, anew: bool
    ) -> list[Generation]:
        listing = self.look(beside.parent, anew=anew)
        found, moved = self._stat(path, beside, older(listing), listing)
        if moved and not anew:
            listing = self.look(beside.parent, anew=True)
            found, _ = self._stat(path, beside, older(listing), listing)
        return found

    def _stat(self, path: Path, beside: Path, names: Iterable[str], listing: Listing) -> tuple[list[Generation], bool]:
        """What stands at these names, and whether any of it is not what was listed."""
        found, moved = [], False
        for name in names:
            original, older = uncompressed(name), beside.with_name(name)
            if self._apart(older, path):
                continue
            if original != name and (original in listing.inodes or is_there(beside.with_name(original))):
                continue
            try:
                status = older.stat()
            except FileNotFoundError:
                moved = True
                continue
            except OSError:  # a link that leads to where nobody may look holds up no other
                continue
            if stat.S_ISREG(status.st_mode):
                found.append(_generation(older, status))
                moved = moved or status.st_ino != listing.inodes[name]
        return found, moved


def _generation(path: Path, status: os.stat_result) -> Generation:
    times = status.st_mtime_ns, status.st_ctime_ns
    return Generation(path, status.st_dev, status.st_ino, times[0], status.st_size, times[1])


def key_of(name: str) -> str:
    """What names have in common that differ in their digits alone."""
    return _DIGITS.sub("#", uncompressed(name))


def _target(path: Path) -> Path | None:
    """Where a link leads, if that has digits in its name."""
    if not is_link(path):
        return None
    target = Path(os.path.realpath(path))
    return target if _DIGITS.search(target.name) else None


def age(path: Path, modified_ns: int) -> tuple[int, int, str]:
    """Sorts generations, oldest first: by time of modification; of equal ones the higher number is older."""
    name = uncompressed(path.name)
    number = _NUMBER.search(name)
    return modified_ns, -int(number[1]) if number else 0, name
