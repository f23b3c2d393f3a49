"""What is there when a path begins to be followed: older generations that nobody asked for are left out."""

import contextlib
from collections.abc import Collection
from pathlib import Path

from logship.files.folder import Folder
from logship.files.identity import identity_at
from logship.files.register import Register
from logship.files.tail import TailedFile


def leave_out_older(folder: Folder, register: Register, wanted: Collection[Path], *, from_end: bool) -> None:
    """Leave out generations from before a path was followed; what is added to those that are wanted is read.

    Args:
        folder: where they lie.
        register: is told; whatever an earlier try, which broke off, has told it stays as it is.
        wanted: those that the configuration names itself.
        from_end: whether what these hold by now is not wanted either.

    Raises:
        OSError: the folder cannot be seen.
    """
    read = () if from_end else wanted
    with contextlib.ExitStack() as opened:
        older = folder.unknown(lambda _file: False)
        for file in older:
            opened.callback(file.close)
        for file in older:
            passed = file.path in read or _is_passed_over(register, file)
            if not passed or (file.identity.birth_ns and file.path not in wanted):
                register.leave_out([file.identity])
    for path in folder.unreadable:
        if path not in read:
            with contextlib.suppress(OSError):  # it is gone
                register.leave_out([identity_at(path)])


def _is_passed_over(register: Register, file: TailedFile) -> bool:
    """Whether a file counts as read, and will be known again by its bytes."""
    try:
        return register.is_known(file) or register.pass_over(file)
    except OSError:
        return False
