"""Columns as bytes, lossless: pcodec's standalone format (https://github.com/pcodec/pcodec), of values or of runs."""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig
from pcodec.standalone import simple_compress, simple_decompress

from collector.store import integers
from collector.store.buckets import BUCKET, Buckets
from collector.store.model import Times, Values
from collector.store.schema import WINDOW_MS, Tier

_CONFIG = ChunkConfig(compression_level=8)
_RUNS, _STEPS = b"runs", b"step"  # pcodec's own magic number is "pco!"
_LEAST_RUN = 4  # mean length of runs from which storing them may be smaller
_HEAD = struct.Struct("<BH")
_LENGTH = struct.Struct("<I")
_GAUGE = ("min", "max", "sum", "first", "last")
_COUNTER = ("first", "last", "inner")


def pack_values(values: Values, *, thorough: bool = False) -> bytes:
    """A column of values; where they rarely change, the values and lengths of its runs.

    Args:
        values: finite numbers.
        thorough: try more forms, in five times the time: for what is written once and kept.
    """
    values = np.ascontiguousarray(values)
    forms = [bytes(simple_compress(values, _CONFIG))]
    bits = values.view(np.int64)  # 0.0 and -0.0 are equal, but not the same
    starts = np.flatnonzero(np.concatenate(([True], bits[1:] != bits[:-1])))
    if len(starts) * _LEAST_RUN <= len(values):
        lengths = np.diff(starts, append=len(values)).astype(np.uint32)
        columns = (simple_compress(lengths, _CONFIG), pack_values(values[starts], thorough=thorough))
        forms.append(b"".join((_RUNS, *_framed(columns))))
    elif thorough and (steps := integers.pack(values)) is not None:
        forms.append(_STEPS + steps)
    return min(forms, key=len)


def unpack_values(data: bytes) -> Values:
    """The column again."""
    if data.startswith(_STEPS):
        return integers.unpack(data[len(_STEPS) :])
    if not data.startswith(_RUNS):
        return np.asarray(simple_decompress(data), np.float64)
    lengths, values = _frames(data, len(_RUNS))
    return np.repeat(unpack_values(values), np.asarray(simple_decompress(lengths), np.int64))


def pack_axis(times: Times, window: int) -> bytes:
    """Time stamps of a window, as offsets from its start."""
    return bytes(simple_compress((times - window * WINDOW_MS).astype(np.uint32), _CONFIG))


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


def pack_buckets(buckets: Buckets, tier: Tier, block: int, *, counter: bool) -> bytes:
    """One block of roll-ups: a head, then each column with its length before it."""
    columns: list[npt.NDArray[np.generic]] = [
        ((buckets["time"] - block * tier.block_ms) // tier.step_ms).astype(np.uint32),
        buckets["count"].astype(np.uint32),
        *(np.ascontiguousarray(buckets[name]) for name in (_COUNTER if counter else _GAUGE)),
    ]
    return b"".join((_HEAD.pack(counter, len(buckets)), *_framed(simple_compress(c, _CONFIG) for c in columns)))


def unpack_buckets(data: bytes, tier: Tier, block: int) -> Buckets:
    """The block's buckets; what its kind of series does not keep is NaN."""
    counter, length = _HEAD.unpack_from(data)
    columns = _columns(data, _HEAD.size)
    buckets = np.empty(length, BUCKET)
    buckets["time"] = next(columns).astype(np.int64) * tier.step_ms + block * tier.block_ms
    buckets["count"] = next(columns)
    kept = _COUNTER if counter else _GAUGE
    for name in (*_GAUGE, "inner"):
        buckets[name] = next(columns) if name in kept else np.nan
    return buckets


def _framed(parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield _LENGTH.pack(len(part))
        yield part


def _columns(data: bytes, offset: int) -> "Iterator[npt.NDArray[np.generic]]":
    return (np.asarray(simple_decompress(frame)) for frame in _frames(data, offset))


def _frames(data: bytes, offset: int) -> Iterator[bytes]:
    while offset < len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        yield data[offset : offset + length]
        offset += length
