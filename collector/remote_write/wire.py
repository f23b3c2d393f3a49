"""Prometheus' WriteRequest in protobuf's wire format, a block of samples at a time.

The messages (https://prometheus.io/docs/specs/prw/remote_write_spec/): WriteRequest{1: TimeSeries*},
TimeSeries{1: Label*, 2: Sample*}, Label{1: name, 2: value}, Sample{1: double value, 2: int64 timestamp}. A series'
labels are encoded once and kept; samples are filled into a matrix of bytes, for with time stamps of one length each
takes as many as the next.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from collector.series import Labels
from collector.store.bulk import Block
from collector.store.model import Times

_SERIES, _LABELS, _SAMPLES = 0x0A, 0x0A, 0x12  # field 1, field 1, field 2; each of wire type 2
_NAME, _TEXT = 0x0A, 0x12
_VALUE, _TIME = 0x09, 0x10  # field 1 of wire type 1 (64 bits), field 2 of wire type 0 (varint)
_BOUNDS = np.array([1 << (7 * size) for size in range(1, 9)], np.int64)
_LONGEST = 10


@lru_cache(maxsize=4096)
def varint(number: int) -> bytes:
    """A number that is not negative, seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_labels(name: str, labels: Labels) -> bytes:
    """The labels of a series, its name among them, in the order of their names as the protocol wants it."""
    pairs = sorted((("__name__", name), *labels))
    return b"".join(_framed(_LABELS, _text(_NAME, key) + _text(_TEXT, value)) for key, value in pairs)


def encode(blocks: Iterable[Block], labels: Callable[[int], bytes]) -> bytes:
    """A WriteRequest.

    Args:
        blocks: samples; a series in several blocks is written several times, in the same order.
        labels: a series' encoded labels, by its id.
    """
    return b"".join(part for block in blocks for part in _encode_block(block, labels))


def _encode_block(block: Block, labels: Callable[[int], bytes]) -> Iterator[bytes]:
    samples, size = _samples(block)
    for place, series in enumerate(block.ids.tolist()):
        head = labels(series)
        yield _series_head(len(head) + size)
        yield head
        yield samples[place * size : (place + 1) * size]


def _samples(block: Block) -> tuple[bytes, int]:
    """The samples of all series of a block, one after the other, and the bytes that each series takes."""
    sizes = _varint_sizes(block.times)
    if len(sizes) and sizes[0] == sizes[-1] and bool(np.all(sizes == sizes[0])):
        data = _records(block.values, block.times, int(sizes[0]))
        return data.tobytes(), data.shape[1] * data.itemsize
    parts = [_records(block.values[:, [at]], block.times[[at]], int(size)) for at, size in enumerate(sizes)]
    rows = [b"".join(part[row].tobytes() for part in parts) for row in range(len(block.ids))]
    return b"".join(rows), sum(part.itemsize for part in parts)


def _records(values: npt.NDArray[np.float64], times: Times, size: int) -> npt.NDArray[np.void]:
    data = np.empty(values.shape, _record(size))
    data["head"] = (_SAMPLES, 10 + size, _VALUE)
    data["value"] = values
    data["time_tag"] = _TIME
    data["time"] = _varints(times, size)
    return data


@cache
def _record(size: int) -> np.dtype[np.void]:
    return np.dtype([("head", "u1", 3), ("value", "<f8"), ("time_tag", "u1"), ("time", "u1", size)])


def _varint_sizes(times: Times) -> npt.NDArray[np.intp]:
    """Bytes that each time stamp takes; negative ones take ten, as every int64 below 0 does."""
    return np.where(times < 0, _LONGEST, np.searchsorted(_BOUNDS, times, side="right") + 1)


def _varints(times: Times, size: int) -> npt.NDArray[np.uint8]:
    shifts = np.arange(size, dtype=np.uint64) * np.uint64(7)
    digits = (times.astype(np.uint64)[:, None] >> shifts & np.uint64(0x7F)).astype(np.uint8)
    digits[:, :-1] |= 0x80
    return digits


@lru_cache(maxsize=4096)
def _series_head(length: int) -> bytes:
    return bytes([_SERIES]) + varint(length)


def _framed(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + varint(len(body)) + body


def _text(tag: int, text: str) -> bytes:
    return _framed(tag, text.encode())
