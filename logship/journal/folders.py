"""Where journal files lie, and which of them have come."""

import errno
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from logship.journal.file import JournalFile
from logship.journal.foreign import JOURNALCTL, ForeignFile
from logship.journal.layout import KNOWN, UnknownFormatError, UnreadableError

MACHINE_ID = Path("/etc/machine-id")
_NAME = re.compile(r"(?P<scope>[^@]+?)(@.*)?\.journal~?$")
_OF_MACHINE = re.compile(r"[0-9a-f]{32}(\.[\w.@:-]+)?$")

log = logging.getLogger(__name__)


class Folders:
    """Looks into the folders of journals: those named, and in them those of machines and of their name spaces.

    Args:
        roots: the folders.
        machine_id: file that holds this machine's id.
        known: incompatible flags of journal files that are understood.
    """

    def __init__(self, roots: Sequence[Path], machine_id: Path = MACHINE_ID, known: int = KNOWN) -> None:
        self._roots, self._machine_id, self._flags = roots, machine_id, known
        self._seen: dict[tuple[int, int], Path] = {}
        self._stamps: dict[Path, int] = {}
        self._told: set[Path] = set()

    def changed(self) -> bool:
        """Whether names may have come or gone since the last look."""
        return self._stamped() != self._stamps

    def look(self) -> list[JournalFile]:
        """Files that are new, opened."""
        self._stamps = self._stamped()
        names = [path for folder in self._stamps for path in self._list(folder) if _NAME.match(path.name)]
        seen: dict[tuple[int, int], Path] = {}
        found = []
        for path in names:
            try:
                about = path.lstat()
                place = about.st_dev, about.st_ino
                if place not in self._seen and place not in seen:
                    found.append(self._open(path))
                seen[place] = path
            except FileNotFoundError:
                continue
            except UnknownFormatError as error:
                seen[place] = path
                self._tell(path, str(error))
            except UnreadableError as error:
                self._later(path, error)
            except OSError as error:
                self._tell(path, why(error))
        self._seen = seen
        return found

    def open_all(self) -> Iterator[JournalFile]:
        """All files that are there now, each opened anew; the caller closes them."""
        for path in list(self._seen.values()):
            try:
                file = self._open(path)
            except (UnreadableError, OSError):
                continue
            yield file

    def _open(self, path: Path) -> JournalFile:
        try:
            return JournalFile(path, self._flags)
        except UnknownFormatError as error:
            if shutil.which(JOURNALCTL) is None:
                raise
            if path.parent not in self._told:
                self._told.add(path.parent)
                log.warning("the journals in %s are read by journalctl, slower: %s", path.parent, error)
            return ForeignFile(path)

    def machine(self) -> str:
        """This machine's id; empty where it has none."""
        try:
            return self._machine_id.read_text().strip().replace("-", "")
        except OSError:
            return ""

    def _later(self, path: Path, error: UnreadableError) -> None:
        """A file that is just being made is looked at again."""
        self._stamps.pop(path.parent, None)
        if path.stat().st_size and not path.name.endswith(".journal"):
            self._tell(path, str(error))

    def _stamped(self) -> dict[Path, int]:
        stamps: dict[Path, int] = {}
        for root in self._roots:
            folders = [root, *(path for path in self._list(root) if _OF_MACHINE.match(path.name))]
            for folder in folders:
                try:
                    stamps[folder] = folder.stat().st_mtime_ns
                except OSError:
                    continue  # it has gone, or was never there
        return stamps

    def _list(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._tell(folder, why(error))
            return []

    def _tell(self, path: Path, reason: str) -> None:
        if path not in self._told:
            self._told.add(path)
            log.warning("the journal's %s is not read: %s", path, reason)


def scope_of(path: Path) -> str:
    """Whose entries a file holds: ``system``, ``user-1000``."""
    found = _NAME.match(path.name)
    return found["scope"] if found else path.name


def why(error: OSError) -> str:
    """What keeps from reading, and what to do about it."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "no right to; add the user that Forewarn runs as to the group systemd-journal, and start it again"
    return error.strerror or str(error)
