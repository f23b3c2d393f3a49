"""Columns that are whole numbers in disguise: 0.37 is 37 hundredths, 21617704960 is 10308 times 2 MiB.

What devices tell comes in steps. Counted in steps a column fits 16 or 32 bits, and for those pcodec can predict each
number from sixteen before it (linear predictive coding), which is worth a twentieth to a sixth on noisy series.
"""

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, DeltaSpec
from pcodec.standalone import simple_compress, simple_decompress

Values = npt.NDArray[np.float64]

_HEAD = struct.Struct("<BBqq")
_DIGITS = 6
_EXACT = 2.0**52
_PREDICTED_FROM = 16
_CONFIGS = (
    ChunkConfig(compression_level=8, delta_spec=DeltaSpec.try_conv1(_PREDICTED_FROM)),
    ChunkConfig(compression_level=8),
)


class Steps(NamedTuple):
    """A column as ``offset + size * numbers``, over a power of ten or times its inverse (these differ in last bits)."""

    divided: bool
    digits: int
    size: int
    offset: int
    numbers: npt.NDArray[np.unsignedinteger]


def pack(values: Values) -> bytes | None:
    """The column, None where it is not made of steps."""
    steps = find_steps(values)
    if steps is None:
        return None
    body = min((bytes(simple_compress(steps.numbers, config)) for config in _CONFIGS), key=len)
    return _HEAD.pack(steps.divided, steps.digits, steps.size, steps.offset) + body


def unpack(data: bytes) -> Values:
    """The column again."""
    divided, digits, size, offset = _HEAD.unpack_from(data)
    numbers = np.asarray(simple_decompress(data[_HEAD.size :]))
    return _scaled((numbers.astype(np.int64) * size + offset).astype(np.float64), digits, divided=bool(divided))


def find_steps(values: Values) -> Steps | None:
    """The steps that the values are made of to the last bit, None where there are none that fit."""
    for digits in range(_DIGITS + 1):
        scaled = np.rint(values * 10.0**digits)
        if np.abs(scaled).max() >= _EXACT:
            return None
        whole = scaled.astype(np.int64)
        for divided in (True, False):
            if _same(_scaled(whole.astype(np.float64), digits, divided=divided), values):
                return _counted(whole, digits, divided=divided)
    return None


def _counted(whole: npt.NDArray[np.int64], digits: int, *, divided: bool) -> Steps | None:
    offset = int(whole.min())
    size = int(np.gcd.reduce(whole - offset)) or 1
    numbers = (whole - offset) // size
    for width in (np.uint16, np.uint32):
        if numbers.max() <= np.iinfo(width).max:
            return Steps(divided, digits, size, offset, numbers.astype(width))
    return None


def _scaled(whole: Values, digits: int, *, divided: bool) -> Values:
    return whole / 10.0**digits if divided else whole * 10.0**-digits


def _same(one: Values, other: Values) -> bool:
    """Bit for bit: 0.0 is not -0.0."""
    return np.array_equal(one.view(np.int64), other.view(np.int64))
