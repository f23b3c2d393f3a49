"""What stands at a path, as far as one may look: whatever keeps one from looking is nobody's trouble."""

import os
from pathlib import Path

# Path.is_dir and its like raise where a folder above may not be searched; what os.path says of those is no.


def is_folder(path: Path) -> bool:
    """Whether a folder stands there, or a link to one."""
    return os.path.isdir(path)  # noqa: PTH112


def is_link(path: Path) -> bool:
    """Whether a link stands there."""
    return os.path.islink(path)  # noqa: PTH114


def is_there(path: Path) -> bool:
    """Whether anything stands there, or where it leads as a link."""
    return os.path.exists(path)  # noqa: PTH110
