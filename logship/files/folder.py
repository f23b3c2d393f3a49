"""The folder of a followed log, where its generations are found again whatever they are called by now."""

import contextlib
import logging
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from forewarn.base.clock import Clock
from logship.errors import LogshipError
from logship.files.identity import Identity, identity_at
from logship.files.listing import Generation, Listings, age
from logship.files.places import is_link
from logship.files.tail import TailedFile

_LISTINGS = 5
_RETRY_SHARE = 10
"""A generation that cannot be read is tried again after so great a part of the time for which it could not."""
_LONGEST_RETRY = 60.0

log = logging.getLogger(__name__)


_Place = tuple[int, int]
"""Device and inode."""


@dataclass(slots=True)
class _Failing:
    """A generation that cannot be read.

    Attributes:
        path: where it stood.
        since: when that was found (monotonic).
        due: when it is tried again; None where a change will show that it can be read.
    """

    path: Path
    since: float
    due: float | None


class Folder:
    """Opens files of one folder while a rotation may be moving their names.

    Args:
        path: the followed path in it.
        max_line: the longest line in bytes that is kept in one piece.
        listings: what all paths know of folders.
        clock: tells how long one could not be read.
    """

    def __init__(self, path: Path, max_line: int, listings: Listings, clock: Clock) -> None:
        self._path = path
        self._listings = listings
        self._max_line = max_line
        self._clock = clock
        self._failing: dict[_Place, _Failing] = {}
        self._target = path

    @property
    def unreadable(self) -> list[Path]:
        """The older generations that could not be read when they were looked at last."""
        return [one.path for one in self._failing.values()]

    @property
    def failing(self) -> bool:
        """Whether any may be readable in a moment though no change will show it."""
        return any(one.due is not None for one in self._failing.values())

    @property
    def retries(self) -> bool:
        """Whether it is time to try one of these again."""
        now = self._clock.monotonic()
        return any(one.due is not None and one.due <= now for one in self._failing.values())

    def stamp(self, opened: Iterable[TailedFile]) -> tuple[tuple[object, ...], bool]:
        """When names and what stands behind them were changed last, and whether names that change now will show.

        Args:
            opened: files of which the contents do not matter here.

        Raises:
            OSError: the folder cannot be seen.
        """
        if is_link(self._path):
            self._target = Path(os.path.realpath(self._path))
        held = _places(opened)
        times, settled = self._listings.stamp(self._path)
        others = [one for one in self._listings.generations(self._path) if (one.device, one.inode) not in held]
        return (times, *((one.device, one.inode, one.size, one.changed_ns) for one in others)), settled

    def find(self, identity: Identity) -> TailedFile | None:
        """Open the file of this identity, whatever it is called; None where it is gone.

        Raises:
            OSError: it cannot be opened, or the folder cannot be listed.
        """
        folders = dict.fromkeys([self._path.parent, Path(os.path.realpath(self._path)).parent])
        for number in range(_LISTINGS):  # names may move while they are looked at
            for folder in folders:
                name = self._listings.look(folder, anew=number > 0).names.get(identity.inode)
                if name is None:
                    continue
                try:
                    if identity_at(folder / name).lasting != identity.lasting:
                        continue  # what has its inode by now need not be readable
                    file = TailedFile.open(folder / name, self._max_line)
                except (FileNotFoundError, LogshipError):  # it moved; without times of birth it may be a folder by now
                    continue
                if file.identity.lasting == identity.lasting:
                    return file
                file.close()
        return None

    def unknown(
        self, is_known: Callable[[TailedFile], bool], opened: Iterable[TailedFile] = (), *, surely: bool = False
    ) -> list[TailedFile]:
        """The older generations that are not known, opened, oldest first.

        What was opened once is kept, for names may move faster than they can all be looked at.

        Args:
            is_known: tells which are not wanted.
            opened: files that are known and open, so that none other can have their inodes.
            surely: a name that moves right now must not be missed.
        """
        known = _places(opened)
        held = set(known)
        files: list[TailedFile] = []
        before: list[Generation] | None = None
        with contextlib.ExitStack() as unless_all:
            for _ in range(_LISTINGS):
                listing = self._listings.generations(self._path, anew=surely)
                if before is not None and _names(listing) == _names(before):
                    break
                for generation in listing:
                    if (generation.device, generation.inode) in held:
                        continue
                    file = self._open_unknown(generation, is_known)
                    if file is None:
                        continue
                    if _place(file) in held:  # its name moved between the looks
                        file.close()
                        continue
                    held.add(_place(file))
                    files.append(file)
                    unless_all.callback(file.close)
                if not files and not surely:
                    break
                before = listing
            unless_all.pop_all()
        there = {(generation.device, generation.inode) for generation in listing} - known
        self._failing = {place: one for place, one in self._failing.items() if place in there}
        return sorted(files, key=lambda file: age(file.path, file.modified_ns))

    def cannot_read(self, file: TailedFile, error: OSError) -> None:
        """Let go of a generation that cannot be read, for now, and say so once."""
        file.close()
        self._fails(file.path, _place(file), error)

    def _fails(self, path: Path, place: _Place, error: OSError) -> None:
        """It is tried again, less and less often; where rights are missing, the change that brings them shows."""
        now = self._clock.monotonic()
        if place not in self._failing:
            self._failing[place] = _Failing(path, now, None)
            log.warning("cannot read the rotated log %s: %s", path, error.strerror)
        if not isinstance(error, PermissionError):
            one = self._failing[place]
            one.due = now + min(_LONGEST_RETRY, (now - one.since) / _RETRY_SHARE)

    def inodes(self) -> Collection[int] | None:
        """The inodes of all that is there, also where the path led as a link; None where that cannot be seen."""
        found: set[int] = set()
        for folder in {self._path.parent, self._target.parent}:
            try:
                found.update(self._listings.look(folder).names)
            except FileNotFoundError:
                continue
            except OSError:
                return None
        return found

    def _open_unknown(self, generation: Generation, is_known: Callable[[TailedFile], bool]) -> TailedFile | None:
        path = generation.path
        try:
            with contextlib.ExitStack() as unless_unknown:
                file = TailedFile.open(path, self._max_line)
                unless_unknown.callback(file.close)
                known = is_known(file)
                if not known:
                    unless_unknown.pop_all()
        except (FileNotFoundError, LogshipError):  # its name moved between the looks
            return None
        except OSError as error:
            self._fails(path, (generation.device, generation.inode), error)
            return None
        if known:
            self._failing.pop(_place(file), None)
            return None
        return file


def _place(file: TailedFile) -> _Place:
    return file.identity.device, file.identity.inode


def _places(opened: Iterable[TailedFile]) -> set[_Place]:
    """Where open files are; what the spool holds of one keeps no other from having its inode."""
    return {_place(file) for file in opened if not file.spooled}


def _names(listing: list[Generation]) -> list[tuple[Path, int]]:
    return [(generation.path, generation.inode) for generation in listing]
