"""The folder of a followed log, where its generations are found again whatever they are called by now."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from logship.identity import Identity
from logship.rotation import Generation, generations
from logship.tail import TailedFile

_LISTINGS = 5

log = logging.getLogger(__name__)


class Folder:
    """Opens files of one folder while a rotation may be moving their names.

    Args:
        path: the followed path in it.
        max_line: the longest line in bytes that is kept in one piece.
    """

    def __init__(self, path: Path, max_line: int) -> None:
        self._path = path
        self._max_line = max_line
        self._unreadable: set[Path] = set()

    def find(self, identity: Identity) -> TailedFile | None:
        """Open the file of this identity, whatever it is called; None where it is gone.

        Raises:
            OSError: it cannot be opened, or the folder cannot be listed.
        """
        for _ in range(_LISTINGS):  # names may move while they are looked at
            with os.scandir(self._path.parent) as entries:
                path = next((Path(entry.path) for entry in entries if entry.inode() == identity.inode), None)
            if path is None:
                continue
            try:
                file = TailedFile.open(path, self._max_line)
            except FileNotFoundError:
                continue
            if file.identity == identity:
                return file
            file.close()
        return None

    def unknown(self, is_known: Callable[[Identity], bool]) -> list[TailedFile]:
        """The older generations that are not known, opened, oldest first."""
        for _ in range(_LISTINGS):
            listing = generations(self._path)
            files = [file for generation in listing if (file := self._open_unknown(generation, is_known)) is not None]
            again = generations(self._path) if listing else []
            if [(g.path, g.inode) for g in listing] == [(g.path, g.inode) for g in again]:
                break
            for file in files:  # a rotation moved the names meanwhile
                file.close()
            files = []
        return files

    def inodes(self) -> set[int] | None:
        """The inodes of all that is there; None where that cannot be seen."""
        try:
            with os.scandir(self._path.parent) as entries:
                return {entry.inode() for entry in entries}
        except FileNotFoundError:
            return set()
        except OSError:
            return None

    def _open_unknown(self, generation: Generation, is_known: Callable[[Identity], bool]) -> TailedFile | None:
        try:
            file = TailedFile.open(generation.path, self._max_line)
        except OSError as error:
            if not isinstance(error, FileNotFoundError) and generation.path not in self._unreadable:
                self._unreadable.add(generation.path)
                log.warning("cannot read the rotated log %s: %s", generation.path, error.strerror)
            return None
        if not is_known(file.identity):
            return file
        file.close()
        return None
