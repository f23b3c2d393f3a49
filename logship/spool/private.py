"""Files and folders that only the shipper's user may read, also where root makes them with a command."""

import os
from pathlib import Path


def open_private(path: Path, flags: int) -> int:
    """Open a file, 0600 where it is made; what root makes belongs to the owner of its folder.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0 and flags & os.O_CREAT:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def make_private(folder: Path) -> None:
    """Make a folder where there is none, 0700; what root makes belongs to the owner of the folder around it.

    Raises:
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        owner = folder.parent.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
