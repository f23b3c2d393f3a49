"""Telling copies of a log file from strangers: rotation by copying and cutting off leaves one behind."""

import os

from logship.identity import HEAD_BYTES, MARKER_BYTES, Fingerprint
from logship.tail import TailedFile


def is_copy(candidate: TailedFile, original: TailedFile) -> bool:
    """Whether a file holds what was read of another one before that was cut off."""
    stream = original.stream
    if stream is None or candidate.modified_ns < stream.modified_ns:
        return False
    head = Fingerprint.of(original.head) if original.head else stream.fingerprint
    if not head.matches(candidate.descriptor):
        return False
    return candidate.size() < original.position or _holds_marker(candidate, original)


def is_copy_under_way(candidate: TailedFile, live: TailedFile) -> bool:
    """Whether a file is, or may become, a copy of what the live file still holds or what was last read of it."""
    size = candidate.size()
    if size == 0:
        return True
    head = live.head or live.first or os.pread(live.descriptor, HEAD_BYTES, 0)
    common = min(len(head), size)
    if common == 0 or os.pread(candidate.descriptor, common, 0) != head[:common]:
        return False
    if size >= live.position > 0:
        return _holds_marker(candidate, live)
    start = max(0, size - MARKER_BYTES)
    end = os.pread(candidate.descriptor, MARKER_BYTES, start)
    same = os.pread(live.descriptor, len(end), start) == end
    # A live file that was cut off this moment says nothing about the copy any more.
    return same or live.size() < size or not live.intact()


def _holds_marker(candidate: TailedFile, original: TailedFile) -> bool:
    start = original.position - len(original.marker)
    return os.pread(candidate.descriptor, len(original.marker), start) == original.marker
