"""Globs of log files: what they find, what they would find, and in which folders names decide that.

They mean what Python's own ``glob`` means by them, but for folders below ``**``: each is looked into once, whatever
links lead to it, so that a link to its own folder leads nowhere.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from logship.files.places import is_folder
from logship.files.rotation import is_numbered, uncompressed

_ANY_DEPTH = "**"


class Pattern:
    """An absolute path or glob.

    Args:
        text: as it was configured.

    Attributes:
        literal: the only path that it can find; None of a glob.
    """

    def __init__(self, text: str) -> None:
        path = Path(text)
        self.literal = None if has_magic(text) else path
        self._root = Path(path.parts[0])
        parts = [*path.parts[1:], *(["*"] if path.name == _ANY_DEPTH else [])] or [""]
        self._parts = [
            part for part, before in zip(parts, ["", *parts], strict=False) if not part == before == _ANY_DEPTH
        ]

    def matches(self, path: Path) -> bool:
        """Whether the glob finds a path once it is there."""
        return path == self.literal or _matches(self._parts, path.parts[1:])

    def find(self, names: Callable[[Path], Iterable[str]]) -> list[Path]:
        """What is there.

        Args:
            names: lists a folder, or raises OSError.
        """
        found, last = [], self._parts[-1]
        for folder in self._walk()[1]:
            if has_magic(last):
                with contextlib.suppress(OSError):
                    found += [folder / name for name in names(folder) if _fits(name, last)]
            elif os.path.lexists(folder / last):
                found.append(folder / last)
        return found

    def levels(self) -> list[tuple[Path, str]]:
        """The folders whose names decide what is found, and which names do."""
        levels, folders = self._walk()
        return levels + [(folder, self._parts[-1]) for folder in folders]

    def _walk(self) -> tuple[list[tuple[Path, str]], list[Path]]:
        """The levels above the last one, and the folders of that."""
        levels: list[tuple[Path, str]] = []
        folders = [self._root]
        for part in self._parts[:-1]:
            if part == _ANY_DEPTH:
                folders = list(dict.fromkeys(below for folder in folders for below in _below(folder)))
                levels += [(folder, "*") for folder in folders]
            elif has_magic(part):
                levels += [(folder, part) for folder in folders]
                folders = [
                    Path(entry) for folder in folders for entry in _folders_in(folder) if _fits(entry.name, part)
                ]
            else:
                below = {folder: is_folder(folder / part) for folder in folders}
                levels += [(folder, part) for folder, there in below.items() if not there]
                folders = [folder / part for folder, there in below.items() if there]
        return levels, folders


class Patterns:
    """All that are configured, the first that fits first.

    Args:
        texts: absolute paths and globs.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._patterns = [Pattern(text) for text in texts]
        self._literals = {one.literal for one in self._patterns}

    def __iter__(self) -> Iterator[Pattern]:
        return iter(self._patterns)

    def first(self, path: Path) -> int | None:
        """The number of the first that finds a path; None where none does."""
        return next((number for number, one in enumerate(self._patterns) if one.matches(path)), None)

    def levels(self) -> dict[Path, set[str]]:
        """By folder whose names decide what is found, patterns of the names that do."""
        found: dict[Path, set[str]] = {}
        for one in self._patterns:
            for folder, names in one.levels():
                found.setdefault(folder, set()).add(names)
        return found

    def apart(self, path: Path, live: Path) -> bool:
        """Whether a path that looks like an older generation of another is a log of its own.

        It is one that stands in the configuration itself, or that a glob names which does not name the other:
        vllm-1.log beside vllm.log. What has a number behind its whole name, or is compressed, was put there by a
        rotation, though.
        """
        if path in self._literals:
            return True
        if is_numbered(path.name, live.name) or uncompressed(path.name) != path.name:
            return False
        return any(one.matches(path) and not one.matches(live) for one in self._patterns)


def _matches(parts: Sequence[str], names: Sequence[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    if parts[0] != _ANY_DEPTH:
        return _fits(names[0], parts[0]) and _matches(parts[1:], names[1:])
    return _matches(parts[1:], names) or (not names[0].startswith(".") and _matches(parts, names[1:]))


def _fits(name: str, part: str) -> bool:
    """Whether a name is what a part of a glob stands for; a hidden one only where that says so."""
    if not has_magic(part):
        return name == part
    return (part.startswith(".") or not name.startswith(".")) and fnmatchcase(name, part)


def _below(folder: Path) -> Iterator[Path]:
    """A folder and all below it but the hidden ones, each once, by links only where they lead out of it."""
    seen: set[tuple[int, int]] = set()
    waiting, links = [folder], list[Path]()
    while waiting or links:
        here = waiting.pop() if waiting else links.pop(0)
        with contextlib.suppress(OSError):
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            yield here
            for entry in _folders_in(here):
                if not entry.name.startswith("."):
                    (links if entry.is_symlink() else waiting).append(Path(entry))


def _folders_in(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # a link to itself
                if entry.is_dir():
                    yield entry
