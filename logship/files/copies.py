"""Telling copies of a log file from strangers: rotation by copying and cutting off leaves one behind."""

from logship.files.identity import HEAD_BYTES, MARKER_BYTES, Fingerprint
from logship.files.tail import TailedFile


def is_copy(candidate: TailedFile, original: TailedFile) -> bool:
    """Whether a file holds what was read of another one before that was cut off."""
    stream = original.stream
    if stream is None or candidate.modified_ns < stream.modified_ns:
        return False
    head = Fingerprint.of(original.head) if original.head else stream.fingerprint
    if not head.matches(candidate.content):
        return False
    return _holds_marker(candidate, original) or candidate.size() < original.position


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
