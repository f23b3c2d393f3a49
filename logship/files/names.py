"""Which names in watched folders decide what is followed, and whether any of them has changed unseen."""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from forewarn.base.clock import Clock
from logship.files.globs import Patterns
from logship.files.listing import FRESH_NS, Listings

Stamp = tuple[int, ...] | None
"""Device, inode, size and time of modification (ns); None where there is nothing."""


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: Stamp = field(compare=False)
    settled: bool = field(compare=False)
    folder: Stamp
    names: frozenset[tuple[str, int]]


class Names:
    """The names that decide; a folder may change for others as often as it likes.

    Args:
        patterns: what is configured.
        is_followed: whether a file belongs to a path that is followed by now.
        listings: what is known of folders.
        clock: tells how fresh a change is.
    """

    def __init__(
        self, patterns: Patterns, is_followed: Callable[[Path], bool], listings: Listings, clock: Clock
    ) -> None:
        self._patterns = patterns
        self._is_followed = is_followed
        self._listings = listings
        self._clock = clock
        self._levels: dict[Path, set[str]] = {}
        self._seen: dict[Path, _Seen] = {}

    def folders(self) -> Collection[Path]:
        """The folders whose names decide what the patterns find now."""
        self._levels = self._patterns.levels()
        return self._levels.keys()

    def matter(self, path: Path) -> bool:
        """Whether something else may be followed because this name came, went or moved."""
        wanted = self._levels.get(path.parent, ())
        return path in self._levels or any(fnmatchcase(path.name, name) for name in wanted) or self._is_followed(path)

    def have_changed(self, folders: Iterable[Path]) -> bool:
        """Whether names that matter have changed in any of these folders since the last call."""
        found = {folder: self._look(folder) for folder in folders}
        before, self._seen = self._seen, found
        return found != before

    def _look(self, folder: Path) -> _Seen:
        stamp, before = stamp_at(folder), self._seen.get(folder)
        if before is not None and before.settled and before.stamp == stamp:
            return before
        try:
            inodes = self._listings.look(folder, anew=True).inodes
        except OSError:
            inodes = {}
        names = frozenset(one for one in inodes.items() if self.matter(folder / one[0]))
        settled = stamp is None or self._clock.now_ms() * 1_000_000 - stamp[3] > FRESH_NS
        return _Seen(stamp, settled, stamp and stamp[:2], names)


def stamp_at(place: Path | int) -> Stamp:
    """What stands at a path, or what a descriptor leads to."""
    try:
        status = os.stat(place)  # noqa: PTH116  of a thousand files, every few seconds
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
