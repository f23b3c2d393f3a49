"""The folder of a followed log, where its generations are found again whatever they are called by now."""

import logging
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from logship.files.identity import Identity
from logship.files.listing import Generation, Listings, age
from logship.files.tail import TailedFile

_LISTINGS = 5

log = logging.getLogger(__name__)


class Folder:
    """Opens files of one folder while a rotation may be moving their names.

    Args:
        path: the followed path in it.
        max_line: the longest line in bytes that is kept in one piece.
        listings: what all paths know of folders.
    """

    def __init__(self, path: Path, max_line: int, listings: Listings) -> None:
        self._path = path
        self._listings = listings
        self._max_line = max_line
        self._unreadable: set[Path] = set()
        self._target = path

    def stamp(self, opened: Iterable[TailedFile]) -> tuple[tuple[object, ...], bool]:
        """When names and what stands behind them were changed last, and whether names that change now will show.

        Args:
            opened: files of which the contents do not matter here.

        Raises:
            OSError: the folder cannot be seen.
        """
        if self._path.is_symlink():
            self._target = Path(os.path.realpath(self._path))
        held = {(file.identity.device, file.identity.inode) for file in opened}
        times, settled = self._listings.stamp(self._path)
        others = [one for one in self._listings.generations(self._path) if (one.device, one.inode) not in held]
        return (times, *(_changed(one.path) for one in others)), settled

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
                    file = TailedFile.open(folder / name, self._max_line)
                except FileNotFoundError:
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
        held = {(file.identity.device, file.identity.inode) for file in opened}
        files: list[TailedFile] = []
        before: list[Generation] | None = None
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
                if (file.identity.device, file.identity.inode) in held:  # its name moved between the looks
                    file.close()
                    continue
                held.add((file.identity.device, file.identity.inode))
                files.append(file)
            if not files and not surely:
                break
            before = listing
        return sorted(files, key=lambda file: age(file.path, file.modified_ns))

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
        try:
            file = TailedFile.open(generation.path, self._max_line)
        except OSError as error:
            if not isinstance(error, FileNotFoundError) and generation.path not in self._unreadable:
                self._unreadable.add(generation.path)
                log.warning("cannot read the rotated log %s: %s", generation.path, error.strerror)
            return None
        if not is_known(file):
            return file
        file.close()
        return None


def _names(listing: list[Generation]) -> list[tuple[Path, int]]:
    return [(generation.path, generation.inode) for generation in listing]


def _changed(path: Path) -> tuple[object, ...]:
    """Which file stands at a path, how long it is, and when anything of it was changed."""
    try:
        status = path.stat()
    except OSError:
        return (path,)
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns
