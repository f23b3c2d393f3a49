"""Says which files have changed, by inotify, so that quiet ones cost nothing.

Where folders cannot be watched (file systems that other machines write to; the limit of watches is reached) they are
named, to be looked at again and again instead. The calls are those of inotify(7), the events those of linux/inotify.h.
"""

import ctypes
import errno
import logging
import os
import select
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forewarn.base.clock import Clock
from logship.files.places import is_folder, is_link

GATHER_SECONDS = 0.01
"""Shortest time between two answers: a busy writer must not wake us at each of its lines."""

_MODIFY, _ATTRIB = 0x2, 0x4
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT = 0x400, 0x800, 0x2000
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_ONLY_FOLDERS, _ADD = 0x1000000, 0x20000000

_NAMES = _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_NAMES_CHANGE = _NAMES & ~_ATTRIB
_FOLDER_GONE = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED

_EVENT = struct.Struct("=iIII")
_QUEUE_BYTES = 256 * 1024
_STATFS_BYTES = 256

# Magic numbers of file systems that this kernel alone writes to: linux/magic.h, and those of zfs and bcachefs.
_LOCAL = frozenset(
    {0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630, 0xF2F52010, 0x2FC12FC1, 0xCA451A4E, 0x858458F6, 0x4D44}
)

_Place = tuple[int, int] | None
"""Device and inode; None where there is nothing."""

_libc = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Changes:
    """What has changed since the last answer.

    Attributes:
        paths: files in watched folders that were written to, or whose rights were changed.
        folders: those in which names came, went or moved.
        names: these names, and watched folders that went or moved themselves.
        everything: events were lost; look at all.
    """

    paths: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    names: set[Path] = field(default_factory=set)
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.paths or self.folders or self.everything)


class Watch:
    """Watches folders; for one thread, but for `wake`.

    Args:
        clock: tells how long ago the last answer was.

    Attributes:
        polled: folders that cannot be watched.

    Raises:
        OSError: the kernel gives no file descriptor.
    """

    def __init__(self, clock: Clock) -> None:
        self.polled: set[Path] = set()
        self._clock = clock
        self._folders: dict[int, set[Path]] = {}  # by watch: two paths may lead to one folder
        self._wanted: dict[Path, bool] = {}
        self._watches: dict[Path, int] = {}
        self._places: dict[Path, _Place] = {}
        self._answered = float("-inf")
        self._told = False
        self._wakes = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._inotify = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll, self._nap = select.poll(), select.poll()
        for poll in (self._poll, self._nap):
            poll.register(self._wakes, select.POLLIN)
        if self._inotify < 0:
            self._say("there are no inotify instances left (fs.inotify.max_user_instances)")
        else:
            self._poll.register(self._inotify, select.POLLIN)

    @property
    def folders(self) -> Collection[Path]:
        """The folders that are watched."""
        return self._watches.keys()

    def follow(self, wanted: Mapping[Path, bool]) -> bool:
        """Watch these folders and no others; cheap where nothing is new.

        A path that leads to another folder than when it was watched (a link that was changed, a parent that was made
        anew) is watched there; while it leads nowhere, the folder that it led to stays watched.

        Args:
            wanted: by folder, whether writing to its files matters too, not only their names.

        Returns:
            Whether any is watched from now on: nobody told what happened there until now.
        """
        before = dict(self._watches)
        for folder in [folder for folder in self._wanted if self._is_over(folder, wanted)]:
            self._drop(folder)
        self.polled &= wanted.keys()
        for folder, contents in wanted.items():
            if folder not in self._watches:
                self._add(folder, contents)
        return not self._watches.items() <= before.items()

    def wait(self, seconds: float) -> Changes:
        """Wait until something changes, `wake` is called, or the time is over."""
        ready = self._poll.poll(max(0.0, seconds) * 1000)
        early = self._answered + GATHER_SECONDS - self._clock.monotonic()
        if ready and early > 0:
            self._nap.poll(early * 1000)
        self._answered = self._clock.monotonic()
        changes = Changes()
        for descriptor, _ in ready:
            if descriptor == self._wakes:
                os.eventfd_read(self._wakes)
            else:
                self._read(changes)
        return changes

    def wake(self) -> None:
        """End a waiting; from any thread."""
        os.eventfd_write(self._wakes, 1)

    def close(self) -> None:
        """Let go of the descriptors."""
        os.close(self._wakes)
        if self._inotify >= 0:
            os.close(self._inotify)

    def _is_over(self, folder: Path, wanted: Mapping[Path, bool]) -> bool:
        if wanted.get(folder) != self._wanted[folder]:
            return True
        place = _place_of(folder)
        return place is not None and place != self._places[folder]

    def _add(self, folder: Path, contents: bool) -> None:  # noqa: FBT001  a value of the mapping
        if self._inotify < 0 or not _is_local(folder):
            if is_folder(folder):
                self.polled.add(folder)
            return
        mask = _NAMES | (_MODIFY if contents else 0) | _ONLY_FOLDERS | _ADD
        place = _place_of(folder)  # before: one that is replaced in between is then seen to be another
        watch = _libc.inotify_add_watch(self._inotify, os.fsencode(folder), mask)
        if watch >= 0:
            self._folders.setdefault(watch, set()).add(folder)
            self._watches[folder], self._wanted[folder], self._places[folder] = watch, contents, place
            self.polled.discard(folder)
        elif ctypes.get_errno() not in {errno.ENOENT, errno.ENOTDIR}:
            self.polled.add(folder)
            if ctypes.get_errno() == errno.ENOSPC:
                self._say("the limit of inotify watches is reached (fs.inotify.max_user_watches)")

    def _say(self, reason: str) -> None:
        if not self._told:
            self._told = True
            log.warning("%s; log files are looked at every second instead, which costs more and is slower", reason)

    def _drop(self, folder: Path) -> None:
        del self._wanted[folder], self._places[folder]
        watch = self._watches.pop(folder)
        folders = self._folders.get(watch, set())
        folders.discard(folder)
        if not folders and self._folders.pop(watch, None) is not None:
            _libc.inotify_rm_watch(self._inotify, watch)

    def _read(self, changes: Changes) -> None:
        try:
            events = os.read(self._inotify, _QUEUE_BYTES)
        except BlockingIOError:
            return
        at = 0
        while at < len(events):
            watch, mask, _, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size
            name = events[at : at + length].rstrip(b"\0")
            at += length
            if mask & _OVERFLOW:
                changes.everything = True
            for folder in tuple(self._folders.get(watch, ())):
                self._sort(folder, mask, name, changes)
            if mask & _IGNORED:  # the kernel has removed the watch
                self._folders.pop(watch, None)

    def _sort(self, folder: Path, mask: int, name: bytes, changes: Changes) -> None:
        if mask & _FOLDER_GONE and not name:
            changes.folders.add(folder)
            changes.names.add(folder)
            if folder in self._wanted:
                self._drop(folder)
        elif mask & _NAMES_CHANGE:
            changes.folders.add(folder)
            changes.names.add(folder / os.fsdecode(name))
        if name and mask & (_MODIFY | _ATTRIB | _CREATE | _MOVED_TO):
            changes.paths.add(folder / os.fsdecode(name))


def folders_of(levels: Iterable[Path], files: Iterable[Path]) -> dict[Path, bool]:
    """The folders to watch, so that no change of these files and no new file is missed.

    Args:
        levels: folders whose names decide what is followed.
        files: what is followed by now.

    Returns:
        By folder, whether writing to its files matters too: elsewhere only names do.
    """
    found = dict.fromkeys(levels, False)
    for file in files:
        found[file.parent] = True
        if is_link(file):
            found[Path(os.path.realpath(file)).parent] = True
    return found


def _place_of(folder: Path) -> _Place:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_local(folder: Path) -> bool:
    """Whether only this kernel writes to a folder's file system."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.statfs(os.fsencode(folder), buffer) != 0:
        return True  # it is not there: watching it says so
    (kind,) = struct.unpack_from("=Q", buffer, 0)
    return kind & 0xFFFFFFFF in _LOCAL
