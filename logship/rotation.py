"""Where rotated logs go: the names that logrotate and logging libraries give to older generations of a file."""

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NUMBER_OR_DATE = re.compile(r"\d[\d_.:T-]*")
_CUT = re.compile(r"[._-](?=\d)")
_COMPRESSED = (".gz", ".xz", ".zst", ".bz2", ".lz4")


def is_generation(name: str, base: str) -> bool:
    """Whether ``name`` is an older generation of ``base``: app.log.1, app.log-20260101, app.1.log, app-2026-01.log."""
    stem = base.rpartition(".")[0] or base
    return name.startswith(stem) and base in _bases(name)


def _bases(name: str) -> list[str]:
    """The names of which this may be an older generation."""
    found = []
    for cut in _CUT.finditer(name):
        stem, rest = name[: cut.start()], name[cut.end() :]
        if _NUMBER_OR_DATE.fullmatch(rest):
            found.append(stem)
        middle, dot, suffix = rest.rpartition(".")
        if dot and _NUMBER_OR_DATE.fullmatch(middle):
            found.append(f"{stem}.{suffix}")
    return found


@dataclass(frozen=True, slots=True)
class Generation:
    """An older generation as it stood in the folder."""

    path: Path
    inode: int
    modified_ns: int


def generations(path: Path) -> list[Generation]:
    """The older generations of a file in its folder, oldest first; compressed ones are left out."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        for entry in entries:
            if is_generation(entry.name, path.name) and not entry.name.endswith(_COMPRESSED):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        found.append(Generation(path.with_name(entry.name), status.st_ino, status.st_mtime_ns))
    return sorted(found, key=_age)


def _age(found: Generation) -> tuple[int, int, str]:
    """By time of modification; of equal ones the higher number is older."""
    number = re.search(r"\.(\d{1,4})$", found.path.name)
    return found.modified_ns, -int(number[1]) if number else 0, found.path.name


def by_family(paths: Iterable[Path], followed: Iterable[Path]) -> dict[Path, list[Path]]:
    """Paths that a glob found, put in families: the live path, and those of its generations that were found too.

    Args:
        paths: what the glob found.
        followed: live paths that are known already (one may be missing right now, between rename and creation).
    """
    ordered = sorted(set(paths), key=lambda path: (len(path.name), path.name))
    families: dict[Path, list[Path]] = {path: [] for path in followed}
    for path in ordered:
        if path in families:
            continue
        bases = (path.with_name(base) for base in _bases(path.name) if base)
        base = next((base for base in bases if base in families), None)
        if base is None:
            families[path] = []
        else:
            families[base].append(path)
    return families
