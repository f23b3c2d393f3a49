"""A recorded /proc and /sys: files below a folder, from one text that names each and says what is in it."""

from collections.abc import Mapping
from pathlib import Path

from collector.samplers.host.tree import Roots


def plant(folder: Path, files: Mapping[str, str]) -> Roots:
    """Write files (``proc/stat`` to its text) and return the roots; a value ``-> target`` makes a link."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
    for root in ("proc", "sys", "dev"):
        (folder / root).mkdir(exist_ok=True)
    return Roots(str(folder / "proc"), str(folder / "sys"), str(folder / "dev"))


def read_recording(path: Path) -> dict[str, str]:
    """The files of a recording: ``==> name <==`` begins each, as ``tail`` prints them."""
    files: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("==> ") and line.endswith(" <=="):
            lines = files.setdefault(line[4:-4], [])
        else:
            lines.append(line)
    return {name: "\n".join(lines).rstrip("\n") + "\n" for name, lines in files.items()}
