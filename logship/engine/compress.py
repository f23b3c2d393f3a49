"""gzip of bodies in steps that fit a core's cache, into a buffer that is used again."""

from isal import isal_zlib

LEVEL = 1
_STEP = 128 * 1024
_GZIP = 31
"""Window bits that ask for a gzip wrapper: https://www.zlib.net/manual.html#Advanced"""


class Gzip:
    """Compresses one body after the other; for one thread at a time.

    Args:
        step: bytes at a time.
    """

    def __init__(self, step: int = _STEP) -> None:
        self._step = step
        self._buffer = bytearray()

    def compress(self, body: memoryview) -> memoryview:
        """The body as one gzip member; good until the next call."""
        stream = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
        size = 0
        for begin in range(0, len(body), self._step):
            size = self._put(size, stream.compress(body[begin : begin + self._step]))
        size = self._put(size, stream.flush())
        return memoryview(self._buffer)[:size]

    def _put(self, at: int, piece: bytes) -> int:
        end = at + len(piece)
        if end > len(self._buffer):
            self._buffer = bytearray(memoryview(self._buffer)[:at]) + bytearray(max(end, 2 * len(self._buffer)) - at)
        self._buffer[at:end] = piece
        return end
