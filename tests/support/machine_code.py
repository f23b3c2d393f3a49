"""Machine code of the log shipper, made once for all tests, before any of them waits for a line."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from logship.patterns.compiled import is_wanting, keep_in, users_folder


def make() -> None:
    """Have it made where it is wanting, by one process of all that run tests; it takes a minute or two."""
    keep_in(users_folder())
    if not is_wanting():
        return
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_wanting():
            subprocess.run([sys.executable, "-P", "-m", "logship.warm"], check=True)
