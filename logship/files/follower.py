"""Looks after the followed paths: new files, rotations, files that are over, how far each is behind.

The kernel says what has changed, so that quiet files cost nothing. Only where it cannot, and where something is under
way (a rotated file that is not over yet, one that cannot be read), files are looked at every second; and all of them
now and then, for what nobody is told of (a file that is written to by another name).
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.errors import LogshipError
from logship.files.family import Family
from logship.files.feed import FileFeed
from logship.files.globs import Patterns
from logship.files.lags import Lags
from logship.files.links import Links
from logship.files.listing import Listings
from logship.files.names import Names, Stamp, stamp_at
from logship.files.places import is_folder
from logship.files.rotation import bases, by_family
from logship.files.vanishing import Guard
from logship.files.watch import Changes, Watch, folders_of
from logship.packer import Packer
from logship.press import Press
from logship.settings import FileSettings, LogsSettings
from logship.source import source_of
from logship.stats import Stats

LOOK_SECONDS = 1.0
"""Between two looks at a path with which something is under way."""

ALL_SECONDS = 10.0
"""Between two looks at all of them."""

_SHORTEST_POLL = 0.05
_LONGEST_POLL = 1.0
_TOGETHER = 100
"""New files whose rows become durable at once."""
_SEARCH_SHARE = 10
"""A search for new files is followed by so many times its own length without one."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Poll:
    """A path of which the kernel does not say that it grows.

    Attributes:
        due: seconds on the monotonic clock at which to see whether it has.
        grew: when it last had.
    """

    due: float
    grew: float


class Follower:
    """Follows the configured files; one thread runs it.

    Args:
        settings: what to follow.
        hostname: the node's name.
        checkpoint: where reading goes on.
        ledger: what has arrived.
        packer: is told which files have something.
        press: writes documents.
        stats: is told how much waits.
        clock: the clocks.
        stopping: ends the work.
        guard: copies what would vanish.
    """

    def __init__(
        self,
        settings: LogsSettings,
        hostname: str,
        *,
        checkpoint: Checkpoint,
        ledger: Ledger,
        packer: Packer,
        press: Press,
        stats: Stats,
        clock: Clock,
        stopping: threading.Event,
        guard: Guard,
    ) -> None:
        self._settings = settings
        self._hostname = hostname
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._packer = packer
        self._press = press
        self._stats = stats
        self._clock = clock
        self._stopping = stopping
        self._guard = guard
        self._feeds: dict[Path, FileFeed] = {}
        self._looks: dict[Path, float] = {}  # when to look after a path with which something is under way
        self._polls: dict[Path, Poll] = {}
        self._calm: dict[Path, Stamp] = {}
        self._links = Links()
        self._troubles: dict[Path, str] = {}
        self._unnamed: set[str] = set()
        self._first_search = True
        self._patterns = Patterns(file.path for file in settings.file)
        self._listings = Listings(clock, self._patterns.apart)
        self._names = Names(self._patterns, lambda path: bool(self._paths_of(path)), self._listings, clock)
        self._lags = Lags(stats)
        self._watch = Watch(clock)
        self._searched = self._next_search = self._next_all = self._next_tell = float("-inf")
        self._changed = True
        self._done: set[Callable[[Family], None]] = set()

    @property
    def behind(self) -> frozenset[str]:
        """Data sets of which older lines are being caught up with."""
        return self._lags.behind

    def run(self) -> None:
        """Follow until it is time to stop."""
        changes = Changes()
        while not self._stopping.is_set():
            now = self._clock.monotonic()
            for folder in changes.folders:
                self._listings.forget(folder)
            self._changed = self._changed or any(self._names.matter(name) for name in changes.names)
            if now >= self._next_all or changes.everything:
                self._look_at_all(now, unsure=changes.everything)
            elif self._changed and now >= self._next_search:
                self._search()
            self._react(changes)
            self._look_after([path for path, due in self._looks.items() if now >= due])
            self._poll(now)
            if now >= self._next_tell and self._lags.moving:
                self._lags.tell(self._feeds, self._packer.wake)
                self._next_tell = now + LOOK_SECONDS
            changes = self._watch.wait(self._until() - self._clock.monotonic())

    def wake(self) -> None:
        """See that it is time to stop; from any thread."""
        self._watch.wake()

    def release(self) -> None:
        """More has been kept as acknowledged: go on with files that were held; from any thread."""
        for feed in list(self._feeds.values()):
            if feed.held:
                self._packer.wake(feed)

    def part(self) -> None:
        """Once nobody follows any more, have copied what would vanish with this process; requests may be under way."""
        self._once(self._guard.last)

    def reckon(self) -> None:
        """Have counted what vanishes with this process, once it waits for no more answers."""
        self._once(self._guard.count)

    def close(self) -> None:
        """Let go of all files, once nobody reads them any more."""
        for feed in self._feeds.values():
            feed.family.close()
        self._watch.close()

    def _once(self, work: Callable[[Family], None]) -> None:
        if work not in self._done:
            self._done.add(work)
            for feed in self._feeds.values():
                with feed.lock, contextlib.suppress(OSError):
                    work(feed.family)

    def _until(self) -> float:
        """When to wake up if nothing changes."""
        times = [self._next_all, *self._looks.values(), *(poll.due for poll in self._polls.values())]
        if self._changed:
            times.append(self._next_search)
        if self._lags.moving:
            times.append(self._next_tell)
        return min(times)

    def _look_at_all(self, now: float, *, unsure: bool) -> None:
        """Find what nobody was told of. Where no name has changed, an open file is the one that its path leads to."""
        self._next_all = now + ALL_SECONDS
        changed = self._names.have_changed(self._watch.folders) or bool(self._watch.polled) or self._first_search
        if changed:
            self._search()
        self._look_after([path for path in self._feeds if self._has_changed(path, named=not changed and not unsure)])

    def _has_changed(self, path: Path, *, named: bool) -> bool:
        """Whether a file is another than it was when it was looked after, or nobody would have said so."""
        if path in self._polls:
            return True
        live = next(reversed(self._feeds[path].family.files), None) if named and path not in self._links else None
        return self._calm.get(path) != stamp_at(path if live is None else live.content.descriptor)

    def _react(self, changes: Changes) -> None:
        """Have read what was written to, and look after the paths of which names have changed."""
        renamed = {path for name in changes.names for path in self._paths_of(name)}
        written = {changed: self._paths_of(changed) for changed in changes.paths}
        for path in renamed.union(*written.values()):
            feed = self._feeds[path]
            if path in renamed or path in self._links or path in self._troubles or not feed.family.files:
                self._look_after([path])
            self._packer.wake(feed)
            self._lags.touch(path)
        due = self._clock.monotonic() + LOOK_SECONDS
        for changed, paths in written.items():
            for path in paths - {changed}:  # a rotated file is written to, which may be closed by now
                self._looks.setdefault(path, due)

    def _paths_of(self, changed: Path) -> set[Path]:
        """The followed paths to which a file belongs."""
        bearers = (changed.with_name(base) for base in bases(changed.name) if base)
        lives = {path for path in bearers if path in self._feeds and not self._patterns.apart(changed, path)}
        return lives | ({changed, *self._links.to(changed)} & self._feeds.keys())

    def _poll(self, now: float) -> None:
        """See whether files have grown of which the kernel does not say so."""
        for path, poll in self._polls.items():
            if now < poll.due:
                continue
            if self._wake_if_waiting(path):
                poll.grew = now
            poll.due = now + min(_LONGEST_POLL, max(_SHORTEST_POLL, (now - poll.grew) / 10))

    def _wake_if_waiting(self, path: Path) -> bool:
        feed = self._feeds[path]
        try:
            with feed.lock:
                _, waits = feed.look()
        except OSError as error:
            self._trouble(path, error)
            waits = True
        if waits:
            self._packer.wake(feed)
            self._lags.touch(path)
        return waits

    def _search(self) -> None:
        """Find new files, let go of those that are gone, and watch the folders of all."""
        began = self._clock.monotonic()
        found = self._find()
        families = by_family(found, self._feeds, self._patterns.apart)
        there = {path for path, older in families.items() if older or path in found}
        new = [(path, older, found[path]) for path, older in families.items() if path not in self._feeds]
        new += self._vanished()
        for at in range(0, len(new), _TOGETHER):
            with self._ledger.together():
                for path, older, file in new[at : at + _TOGETHER]:
                    if path not in self._feeds and not is_folder(path):
                        self._begin(path, older, file)
        self._first_search = False
        for path in [path for path, feed in self._feeds.items() if path not in there and feed.family.is_gone]:
            self._forget(path)
        self._changed = self._watch_folders()
        self._listings.forget_unproven()
        begun = {path for path, _, _ in new}
        unsure = self._changed  # nobody told what happened in a folder before it was watched
        self._look_after(
            [path for path in self._feeds if path in begun or (unsure and self._has_changed(path, named=False))]
        )
        now = self._clock.monotonic()
        self._next_search = now + max(_SHORTEST_POLL, _SEARCH_SHARE * (now - began))

    def _find(self) -> dict[Path, FileSettings]:
        """What is there of what is configured, and by which entry, the first that names it."""
        found: dict[Path, FileSettings] = {}
        for file, pattern in zip(self._settings.file, self._patterns, strict=True):
            paths = [path for path in pattern.find(self._listings.names) if self._is_text(str(path))]
            if not paths and pattern.literal is not None and pattern.literal not in self._feeds:
                self._say(pattern.literal, "there is no such file yet")
            found |= dict.fromkeys([path for path in paths if path not in found], file)
        return found

    def _is_text(self, name: str) -> bool:
        """Whether a path can stand in a document; one of other bytes is told of once."""
        try:
            name.encode()
        except UnicodeEncodeError:
            if name not in self._unnamed:
                self._unnamed.add(name)
                shown = os.fsencode(name).decode(errors="backslashreplace")
                log.warning("the log file %s is not read: its path is no UTF-8; rename it", shown)
            return False
        return True

    def _watch_folders(self) -> bool:
        """Watch the folders of all; whether any is new, in which files may have come before it was watched."""
        new = self._watch.follow(folders_of(self._names.folders(), self._feeds))
        self._links.update(self._feeds)
        polled = self._watch.polled
        now = self._clock.monotonic()
        self._polls = {
            path: self._polls.get(path) or Poll(now, now) for path in self._feeds if polled and path.parent in polled
        }
        if polled:
            self._next_all = min(self._next_all, now + LOOK_SECONDS)
        return new

    def _look_after(self, paths: Iterable[Path]) -> None:
        """See to rotations of these paths, and whether there is something to read."""
        for path in list(paths):
            feed = self._feeds[path]
            before = stamp_at(path)
            with feed.lock:
                gone = feed.family.is_gone
                self._look(path, feed.family)
                if not gone and feed.family.is_gone:
                    self._changed = True  # a path that is gone is let go of by a search
                under_way = self._protect(path, feed.family) or feed.family.under_way or path in self._troubles
            self._calm[path] = before
            if under_way:
                self._looks[path] = self._clock.monotonic() + LOOK_SECONDS
            else:
                self._looks.pop(path, None)
            self._wake_if_waiting(path)

    def _protect(self, path: Path, family: Family) -> bool:
        """Copy what would vanish; whether to look again soon."""
        try:
            return self._guard.look(family)
        except OSError as error:
            self._trouble(path, error)
            return True

    def _vanished(self) -> list[tuple[Path, list[Path], FileSettings]]:
        """At the start, the paths of which nothing may be left but what the spool holds."""
        found: list[tuple[Path, list[Path], FileSettings]] = []
        for stream in self._checkpoint.streams(self._guard.accounts()) if self._first_search else ():
            number = self._patterns.first(Path(stream.path))
            if number is not None and not stream.finished:
                found.append((Path(stream.path), [], self._settings.file[number]))
        return found

    def _begin(self, path: Path, older: list[Path], file: FileSettings) -> None:
        family = Family(
            path,
            checkpoint=self._checkpoint,
            ledger=self._ledger,
            clock=self._clock,
            max_line=self._settings.max_line_bytes,
            stats=self._stats,
            listings=self._listings,
            rest=self._guard.rest,
            unneeded=self._guard.forget,
            lose=self._guard.lose,
        )
        feed = FileFeed(
            family,
            source_of(str(path), file, self._settings, self._hostname),
            self._press,
            ledger=self._ledger,
            clock=self._clock,
            trouble=lambda error: self._trouble(path, error),
            later=self._packer.later,
            wait=self._settings.multiline.wait,
            keep=self._guard.keep if self._settings.spool.what == "everything" else None,
        )
        from_end = self._first_search and self._settings.read_from == "end"
        try:
            family.begin(older, from_end=from_end)
        except (OSError, LogshipError) as error:
            self._trouble(path, error)
        self._feeds[path] = feed
        self._lags.touch(path)

    def _look(self, path: Path, family: Family) -> None:
        try:
            family.look()
        except (OSError, LogshipError) as error:
            self._trouble(path, error)
        else:
            readable = not any(file.fault for file in family.files)
            if readable and self._troubles.pop(path, None) is not None:
                log.info("the log file can be read again", extra={"path": str(path)})
        with contextlib.suppress(OSError):  # on NFS, a handle that has gone stale says nothing
            family.retire()

    def _forget(self, path: Path) -> None:
        """Let go of a path that is gone; one that comes again is begun again."""
        feed = self._feeds.pop(path)
        self._packer.drop(feed)
        feed.family.forget()
        for kept in (self._looks, self._polls, self._calm, self._troubles):
            kept.pop(path, None)
        self._lags.forget(path)

    def _trouble(self, path: Path, error: Exception) -> None:
        self._say(path, error.strerror or str(error) if isinstance(error, OSError) else str(error))

    def _say(self, path: Path, reason: str) -> None:
        if self._troubles.get(path) != reason:
            self._troubles[path] = reason
            log.warning("cannot read the log file %s: %s; the others go on, it is tried again", path, reason)
