"""Writing files so that nobody ever sees half of one."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from forewarn.base.errors import ForewarnError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes the file's place when the block ends well: written, synced, renamed.

    Where the block raises, the file stays as it was.

    Raises:
        ForewarnError: the file cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            try:
                yield stream  # type: ignore[misc]  # the wrapper is the stream's twin
                stream.flush()
                os.fsync(stream.fileno())
                os.fchmod(stream.fileno(), 0o600)
                Path(stream.name).replace(path)
            except BaseException:  # raised again: whatever it was, no half file stays
                Path(stream.name).unlink(missing_ok=True)
                raise
        sync(path.parent)
    except OSError as error:
        raise ForewarnError(f"cannot write {path}: {error.strerror}", hint="choose another place") from error


def write_json(path: Path, body: Any) -> None:
    """Write a small file anew: beside it, fsync, rename, fsync of the folder; only its owner may read it.

    Raises:
        OSError: it could not be written; the file is as it was before.
    """
    scratch = path.with_name(f"{path.name}.new")
    scratch.touch(mode=0o600)
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(body, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content is on the disk, or a folder's names: what was made, renamed or removed there.

    Raises:
        OSError: it could not be synced.
    """
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
