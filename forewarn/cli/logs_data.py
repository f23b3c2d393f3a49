"""The data directory of a shipper, for commands that only look at it."""

import os
from pathlib import Path

from forewarn.cli.options import data_dir


def shipper_dir(given: Path | None) -> Path:
    """The data directory that was given, or the default one.

    Raises:
        ForewarnError: it is not there or cannot be read, so that nothing can be said of the logs.
    """
    from forewarn.base.errors import ForewarnError

    path = data_dir(given).path
    try:
        with os.scandir(path):
            return path
    except OSError as error:
        hint = "name the --data-dir of 'forewarn run', and run this as its user"
        raise ForewarnError(f"cannot read {path}: {error.strerror}", hint=hint) from error
