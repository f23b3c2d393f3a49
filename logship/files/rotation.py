"""Where rotated logs go: the names that logrotate and logging libraries give to older generations of a file."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

_NUMBER_OR_DATE = re.compile(r"\d[\d_.:T-]*")
_CUT = re.compile(r"[._-](?=\d)")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def uncompressed(name: str) -> str:
    """A name without the suffix that compressing adds."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix in _COMPRESSED else name


def bases(name: str) -> list[str]:
    """The names of which this may be an older generation: app.log of app.log.1, app.log-20260101.gz and app.1.log."""
    name, found = uncompressed(name), []
    for cut in _CUT.finditer(name):
        stem, rest = name[: cut.start()], name[cut.end() :]
        if _NUMBER_OR_DATE.fullmatch(rest):
            found.append(stem)
        middle, dot, suffix = rest.rpartition(".")
        if dot and _NUMBER_OR_DATE.fullmatch(middle):
            found.append(f"{stem}.{suffix}")
    return found


def is_numbered(name: str, base: str) -> bool:
    """Whether ``name`` is ``base`` with a number or a date behind it: app.log.1, app.log-20260101.gz."""
    behind = uncompressed(name).removeprefix(base)
    return behind != name and behind[:1] in {".", "_", "-"} and _NUMBER_OR_DATE.fullmatch(behind[1:]) is not None


def by_family(
    paths: Iterable[Path], followed: Iterable[Path], apart: Callable[[Path, Path], bool] = lambda _path, _live: False
) -> dict[Path, list[Path]]:
    """Paths that globs found, put in families: the live path, and those of its generations that were found too.

    Args:
        paths: what the globs found.
        followed: live paths that are known already (one may be missing right now, between rename and creation).
        apart: whether a path is no generation of a live one, whatever it is called.
    """
    ordered = sorted(set(paths), key=lambda path: (len(path.name), path.name))
    families: dict[Path, list[Path]] = {path: [] for path in followed}
    for path in ordered:
        if path in families:
            continue
        lives = (path.with_name(base) for base in bases(path.name) if base)
        base = next((base for base in lives if base in families and not apart(path, base)), None)
        if base is None:
            families[path] = []
        else:
            families[base].append(path)
    return families
