"""Roll-up windows of samples that are whole numbers in disguise (``integers``): columns in steps, less what others say.

First and last lie between min and max, and often are one of them; a sum is half known from these four; a counter grew
by last less first, unless it began again. Of five samples a window this leaves half of what plain columns take. A sum
of hundredths, say, is not to the last bit the hundredths that are nearest to it: these bits are a column of their own,
so that everything comes back as it was. Numbers wrap around at 64 bits, there and back alike.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pcodec.standalone import simple_compress, simple_decompress

from collector.store.buckets import Buckets
from collector.store.coding.codec import CONFIG
from collector.store.coding.integers import Scale, find_scale
from collector.store.model import Values

Numbers = npt.NDArray[np.int64]

_HEAD = struct.Struct("<BBqq")
_LENGTH = struct.Struct("<H")
_CONSTANT = struct.Struct("<q")
_LARGEST = 2.0**53
_AT_MIN, _AT_MAX, _BETWEEN = range(3)
_BITS_OF_CODES = 1.6  # what telling three cases apart takes


class _Grid(NamedTuple):
    """Samples are ``offset + size * number`` on a scale."""

    scale: Scale
    offset: int
    size: int

    @classmethod
    def of(cls, samples: Values) -> Self | None:
        """The samples' own, None where they have none."""
        scale = find_scale(samples)
        if scale is None:
            return None
        whole = scale.whole(samples)
        offset = int(whole.min())
        return cls(scale, offset, int(np.gcd.reduce(whole - offset)) or 1)

    def numbers(self, values: Values, count: "Numbers | int" = 1) -> Numbers:
        """The nearest numbers of values that are sums of so many samples."""
        above: Numbers = self.scale.whole(values) - count * self.offset
        return (above + self.size // 2) // self.size

    def values(self, numbers: Numbers, count: "Numbers | int" = 1) -> Values:
        """The values again, those of samples to the bit."""
        return self.scale.values(numbers * self.size + count * self.offset)


def pack(buckets: Buckets, places: Numbers, *, counter: bool) -> bytes | None:
    """The windows, None where their samples are not made of steps.

    Args:
        buckets: the windows.
        places: their places in the block, in order.
        counter: which columns they keep.
    """
    names, total, count = _layout(buckets, counter=counter)
    samples = [np.ascontiguousarray(buckets[name]) for name in names]
    grid = _Grid.of(np.concatenate(samples)) if len(buckets) else None
    totals = np.ascontiguousarray(buckets[total])
    if grid is None or not np.abs(totals).max() < _LARGEST / 10.0**grid.scale.digits:
        return None
    sums = grid.numbers(totals, count)
    bits = totals.view(np.int64) - grid.values(sums, count).view(np.int64)
    columns = [grid.numbers(column) for column in samples]
    parts = _counter_parts(columns, sums) if counter else _gauge_parts(columns, sums, buckets["count"])
    frames = map(_pack, (np.diff(places, prepend=-1) - 1, buckets["count"], bits, *parts))
    head = _HEAD.pack(grid.scale.divided, grid.scale.digits, grid.offset, grid.size)
    return head + b"".join(_LENGTH.pack(len(frame)) + frame for frame in frames)


def unpack_into(buckets: Buckets, data: bytes, *, counter: bool) -> Numbers:
    """Fill the windows' columns; their places in the block."""
    divided, digits, offset, size = _HEAD.unpack_from(data)
    grid = _Grid(Scale(bool(divided), digits), offset, size)
    frames = _frames(data)
    steps, buckets["count"], bits = (_unpack(next(frames), len(buckets)) for _ in range(3))
    names, total, count = _layout(buckets, counter=counter)
    columns, sums = (_counter_columns if counter else _gauge_columns)(frames, buckets["count"])
    for name, column in zip(names, columns, strict=True):
        buckets[name] = grid.values(column)
    buckets[total] = (grid.values(sums, count).view(np.int64) + bits).view(np.float64)
    return np.cumsum(steps + 1) - 1


def _layout(buckets: Buckets, *, counter: bool) -> "tuple[tuple[str, ...], str, Numbers | int]":
    """Columns that are samples, the one that is made of them, and how often it holds the offset."""
    return (("first", "last"), "inner", 0) if counter else (("min", "max", "first", "last"), "sum", buckets["count"])


def _gauge_parts(columns: list[Numbers], sums: Numbers, count: Numbers) -> tuple[Numbers, ...]:
    low, high, first, last = columns
    spread = high - low
    return low, spread, *_placed(first - low, spread), *_placed(last - low, spread), sums - _foreseen(columns, count)


def _gauge_columns(frames: Iterator[bytes], count: Numbers) -> tuple[list[Numbers], Numbers]:
    low, spread = (_unpack(next(frames), len(count)) for _ in range(2))
    first, last = (low + _replaced(frames, spread) for _ in range(2))
    columns = [low, low + spread, first, last]
    return columns, _unpack(next(frames), len(count)) + _foreseen(columns, count)


def _counter_parts(columns: list[Numbers], sums: Numbers) -> tuple[Numbers, ...]:
    first, last = columns
    grown = last - first
    return first - np.append(0, last[:-1]), grown, sums - grown


def _counter_columns(frames: Iterator[bytes], count: Numbers) -> tuple[list[Numbers], Numbers]:
    between, grown, resets = (_unpack(next(frames), len(count)) for _ in range(3))
    last = np.cumsum(between + grown)
    return [last - grown, last], grown + resets


def _placed(above: Numbers, spread: Numbers) -> tuple[Numbers, Numbers]:
    """Where samples lie in a window's spread: a code for each, and the places of those that are at neither end."""
    codes = np.select((above == 0, above == spread), (_AT_MIN, _AT_MAX), _BETWEEN)
    spared = np.where(codes == _BETWEEN, 0.0, np.log2(np.maximum(spread, 0) + 1.0))
    if spread.any() and spared.mean() < _BITS_OF_CODES:
        codes[:] = _BETWEEN
    return codes, above[codes == _BETWEEN]


def _replaced(frames: Iterator[bytes], spread: Numbers) -> Numbers:
    codes = _unpack(next(frames), len(spread))
    above = np.where(codes == _AT_MAX, spread, 0)
    between = codes == _BETWEEN
    above[between] = _unpack(next(frames), int(np.count_nonzero(between)))
    return above


def _foreseen(columns: list[Numbers], count: Numbers) -> Numbers:
    """What a window's samples sum up to where those that are not kept are as low as its least."""
    low, high, first, last = columns
    ends = np.where(count > 1, first + last, first) + np.maximum(count - 2, 0) * low
    return ends + np.where((first != high) & (last != high), high - low, 0)


def _pack(numbers: Numbers) -> bytes:
    """Nothing where all are 0, eight bytes where all are the same, else pcodec's, in the narrowest type."""
    if not numbers.any():
        return b""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high:
        return _CONSTANT.pack(low)
    narrow = next(
        (one for one in (np.int16, np.int32) if np.iinfo(one).min <= low and high <= np.iinfo(one).max), np.int64
    )
    return bytes(simple_compress(numbers.astype(narrow), CONFIG))


def _unpack(data: bytes, length: int) -> Numbers:
    if len(data) <= _CONSTANT.size:
        return np.full(length, _CONSTANT.unpack(data)[0] if data else 0)
    return np.asarray(simple_decompress(data)).astype(np.int64)


def _frames(data: bytes) -> Iterator[bytes]:
    offset = _HEAD.size
    while offset < len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size + length
        yield data[offset - length : offset]
