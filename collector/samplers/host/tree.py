"""Reading the kernel's small files, below roots that a test can move."""

import os
from dataclasses import dataclass

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the kernel's file systems are mounted."""

    proc: str = "/proc"
    sys: str = "/sys"
    dev: str = "/dev"


def read_text(path: str) -> str:
    """The whole file; bytes that are no UTF-8 are replaced.

    Raises:
        OSError: it is not there, or the kernel will not give it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = [os.read(descriptor, _CHUNK)]
        while chunks[-1]:  # a file of /proc ends where a read gives nothing, not where it gives less
            chunks.append(os.read(descriptor, _CHUNK))
    finally:
        os.close(descriptor)
    return b"".join(chunks).decode("utf-8", "replace")


def word(path: str) -> str | None:
    """The file's text without the space around it; None where there is none."""
    try:
        return read_text(path).strip() or None
    except OSError:
        return None


def number(path: str) -> int | None:
    """The whole number that a file holds; None where there is no file, no answer or no number.

    Attributes of /sys answer with an error where a device does not offer them.
    """
    text = word(path)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def names_in(folder: str) -> list[str]:
    """The names in a folder, sorted; none where there is no folder."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  read every round: no Path for each name
    except OSError:
        return []
