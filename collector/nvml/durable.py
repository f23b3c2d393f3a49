"""Small JSON files that are there whole, or as they were before."""

import json
import os
from pathlib import Path
from typing import Any


def write_durably(path: Path, body: Any) -> None:
    """Write a file anew: beside it, fsync, rename, fsync of the folder; only its owner may read it.

    Raises:
        OSError: it could not be written.
    """
    scratch = path.with_name(f"{path.name}.new")
    scratch.touch(mode=0o600)
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(body, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
