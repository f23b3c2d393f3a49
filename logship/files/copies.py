"""Telling copies of a log file from strangers: rotation by copying and cutting off leaves one behind."""

from collections.abc import Sequence

from forewarn.base.clock import Clock
from logship.files.folder import Folder
from logship.files.identity import HEAD_BYTES, MARKER_BYTES, Fingerprint
from logship.files.tail import TailedFile

LINGER_SECONDS = 60.0
"""How long a rotated file must have been quiet before nothing more is awaited of whoever writes it."""


def is_fresh(file: TailedFile, clock: Clock) -> bool:
    """Whether somebody may still be writing a file that looks unfinished; a clock that was set back makes none so."""
    return abs(clock.now_ms() * 1_000_000 - file.modified_ns) < LINGER_SECONDS * 1e9


def copy_of(original: TailedFile, folder: Folder, candidates: Sequence[TailedFile]) -> TailedFile | None:
    """The copy that was made of a file before it was cut off, standing where the reading of that ended.

    Args:
        original: the file.
        folder: is told which candidates cannot be read.
        candidates: what it may be, oldest first; all others are closed.
    """
    copy = None
    for candidate in reversed(candidates):
        try:
            if copy is None and is_copy(candidate, original):
                candidate.take_over(original)
                copy = candidate
        except OSError as error:
            folder.cannot_read(candidate, error)
        else:
            if candidate is not copy:
                candidate.close()
    return copy


def is_copy(candidate: TailedFile, original: TailedFile) -> bool:
    """Whether a file holds what was read of another one before that was cut off."""
    stream = original.stream
    if stream is None:
        return False
    head = Fingerprint.of(original.head) if original.head else stream.fingerprint
    if not head.matches(candidate.content):
        return False
    holds = _holds_marker(candidate, original)
    if holds and original.marker:
        return True  # whatever the times say: a clock may have been set back
    return (holds or candidate.size() < original.position) and candidate.modified_ns >= stream.modified_ns


def is_copy_under_way(candidate: TailedFile, live: TailedFile) -> bool:
    """Whether a file is, or may become, a copy of what the live file still holds or what was last read of it."""
    candidate.content.pread(1, live.position)  # a compressed one is known as far as it was decompressed
    size = candidate.size()
    if size == 0:
        return True
    head = live.head or live.first or live.content.pread(HEAD_BYTES, 0)
    common = min(len(head), size)
    if common == 0 or candidate.content.pread(common, 0) != head[:common]:
        return False
    if size >= live.position > 0:
        return _holds_marker(candidate, live)
    start = max(0, size - MARKER_BYTES)
    end = candidate.content.pread(MARKER_BYTES, start)
    same = live.content.pread(len(end), start) == end
    # A live file that was cut off this moment says nothing about the copy any more.
    return same or live.size() < size or not live.intact()


def _holds_marker(candidate: TailedFile, original: TailedFile) -> bool:
    start = original.position - len(original.marker)
    return candidate.content.pread(len(original.marker), start) == original.marker
