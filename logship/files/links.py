"""Followed paths that are links: whose they are that was written to where a link leads."""

import os
from collections.abc import Iterable
from pathlib import Path

from logship.files.listing import key_of
from logship.files.places import is_link
from logship.files.rotation import bases


class Links:
    """The links among the followed paths."""

    def __init__(self) -> None:
        self._links: set[Path] = set()
        self._by_target: dict[Path, set[Path]] = {}
        self._by_kin: dict[Path, set[Path]] = {}

    def __contains__(self, path: Path) -> bool:
        return path in self._links

    def update(self, paths: Iterable[Path]) -> None:
        """See which of these paths are links, and where they lead."""
        self._links = set(filter(is_link, paths))
        self._by_target, self._by_kin = {}, {}
        for path in self._links:
            target = Path(os.path.realpath(path))
            self._by_target.setdefault(target, set()).add(path)
            self._by_kin.setdefault(target.with_name(key_of(target.name)), set()).add(path)

    def to(self, changed: Path) -> set[Path]:
        """The links to a file; of one to which none leads, those to files of which it may be a generation."""
        if changed in self._by_target:
            return self._by_target[changed]
        if not self._links:
            return set()
        keys = {changed.with_name(key_of(name)) for name in (changed.name, *bases(changed.name)) if name}
        return {path for key in keys for path in self._by_kin.get(key, ())}
