"""How far each followed path is behind; only of those that grow is it worked out again."""

from collections.abc import Callable, Mapping
from pathlib import Path

from logship.feed import LATE_MS
from logship.files.feed import FileFeed
from logship.stats import Stats


class Lags:
    """Keeps what is told of each path.

    Args:
        stats: is told.

    Attributes:
        behind: data sets of which older lines are being caught up with.
    """

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._known: dict[str, tuple[int, float]] = {}
        self._moving: set[Path] = set()
        self.behind: frozenset[str] = frozenset()

    @property
    def moving(self) -> bool:
        """Whether any path may have got further behind, or be catching up."""
        return bool(self._moving)

    def touch(self, path: Path) -> None:
        """Something was written to a path, or it is new."""
        self._moving.add(path)

    def forget(self, path: Path) -> None:
        """A path is gone."""
        self._moving.discard(path)
        if self._known.pop(str(path), None) is not None:
            self._stats.lag(dict(self._known))

    def tell(self, feeds: Mapping[Path, FileFeed], wake: Callable[[FileFeed], None]) -> None:
        """Work out bytes and seconds of the paths that move.

        Args:
            feeds: by path.
            wake: is told of those that could not be read meanwhile.
        """
        behind = set()
        for path in list(self._moving):
            lag = _lag(feeds[path])
            wake(feeds[path])
            if lag is None:
                self._known.pop(str(path), None)
                continue
            self._known[str(path)] = lag
            if not lag[0]:
                self._moving.discard(path)
            if 1000 * lag[1] > LATE_MS:
                behind.add(feeds[path].dataset)
        self.behind = frozenset(behind)
        self._stats.lag(dict(self._known))


def _lag(feed: FileFeed) -> tuple[int, float] | None:
    """Bytes and seconds; None where a file system that went away (NFS) does not say."""
    try:
        with feed.lock:
            return feed.family.lag()
    except OSError:
        return None
