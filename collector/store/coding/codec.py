"""Columns as bytes, lossless: pcodec's standalone format (https://github.com/pcodec/pcodec), of values or of runs."""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from pcodec import ChunkConfig
from pcodec.standalone import simple_compress, simple_decompress

from collector.store.coding import integers
from collector.store.model import Times, Values
from collector.store.schema import WINDOW_MS

CONFIG = ChunkConfig(compression_level=8)
UNREADABLE = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, StopIteration, struct.error)
"""What decoding damaged bytes raises: pcodec's RuntimeError, and what comes of wrong lengths."""
_RUNS, _STEPS = b"runs", b"step"  # pcodec's own magic number is "pco!"
_LEAST_RUN = 4  # mean length of runs from which storing them may be smaller
_LENGTH = struct.Struct("<I")


def pack_values(values: Values, *, thorough: bool = False) -> bytes:
    """A column of values; where they rarely change, the values and lengths of its runs.

    Args:
        values: finite numbers.
        thorough: try more forms, in five times the time: for what is written once and kept.
    """
    values = np.ascontiguousarray(values)
    forms = [bytes(simple_compress(values, CONFIG))]
    bits = values.view(np.int64)  # 0.0 and -0.0 are equal, but not the same
    starts = np.flatnonzero(np.concatenate(([True], bits[1:] != bits[:-1])))
    if len(starts) * _LEAST_RUN <= len(values):
        lengths = np.diff(starts, append=len(values)).astype(np.uint32)
        columns = (simple_compress(lengths, CONFIG), pack_values(values[starts], thorough=thorough))
        forms.append(b"".join((_RUNS, *framed(columns))))
    elif thorough and (steps := integers.pack(values)) is not None:
        forms.append(_STEPS + steps)
    return min(forms, key=len)


def unpack_values(data: bytes) -> Values:
    """The column again."""
    if data.startswith(_STEPS):
        return integers.unpack(data[len(_STEPS) :])
    if not data.startswith(_RUNS):
        return np.asarray(simple_decompress(data), np.float64)
    lengths, values = frames(data, len(_RUNS))
    return np.repeat(unpack_values(values), np.asarray(simple_decompress(lengths), np.int64))


def pack_axis(times: Times, window: int) -> bytes:
    """Time stamps of a window, as offsets from its start."""
    return bytes(simple_compress((times - window * WINDOW_MS).astype(np.uint32), CONFIG))


def unpack_axis(data: bytes, window: int) -> Times:
    """The time stamps again."""
    return np.asarray(simple_decompress(data)).astype(np.int64) + window * WINDOW_MS


def checksum(data: bytes) -> int:
    """CRC-32: what a row tells of its column, so that a bit that flips is seen."""
    return zlib.crc32(data)


def sound(data: bytes, crc: int | None) -> bool:
    """Whether the column is what was written; one without a checksum is taken for it."""
    return crc is None or zlib.crc32(data) == crc


def digest(data: bytes) -> bytes:
    """A name for content: sixteen bytes of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).digest()


def framed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Each part after its length."""
    for part in parts:
        yield _LENGTH.pack(len(part))
        yield part


def frames(data: bytes, offset: int = 0) -> Iterator[bytes]:
    """The parts again, those that begin at the offset."""
    while offset < len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        yield data[offset : offset + length]
        offset += length
