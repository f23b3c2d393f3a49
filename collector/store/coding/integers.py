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
_DIGITS = 9
_A_FEW = 64
_EXACT = 2.0**52
_PREDICTED_FROM = 16
_CONFIGS = (
    ChunkConfig(compression_level=8, delta_spec=DeltaSpec.try_conv1(_PREDICTED_FROM)),
    ChunkConfig(compression_level=8),
)


class Scale(NamedTuple):
    """Whole numbers over a power of ten, or times its inverse: these differ in last bits."""

    divided: bool
    digits: int

    def whole(self, values: Values) -> npt.NDArray[np.int64]:
        """The nearest whole numbers."""
        return np.rint(values * 10.0**self.digits).astype(np.int64)

    def values(self, whole: npt.NDArray[np.int64]) -> Values:
        """The values that whole numbers stand for."""
        numbers = whole.astype(np.float64)
        return numbers / 10.0**self.digits if self.divided else numbers * 10.0**-self.digits

    def fits(self, values: Values) -> bool:
        """Whether all values are whole numbers here, bit for bit: 0.0 is not -0.0."""
        return np.array_equal(self.values(self.whole(values)).view(np.int64), values.view(np.int64))


class Steps(NamedTuple):
    """A column as ``offset + size * numbers`` on a scale."""

    scale: Scale
    size: int
    offset: int
    numbers: npt.NDArray[np.unsignedinteger]


def pack(values: Values) -> bytes | None:
    """The column, None where it is not made of steps."""
    steps = find_steps(values)
    if steps is None:
        return None
    body = min((bytes(simple_compress(steps.numbers, config)) for config in _CONFIGS), key=len)
    return _HEAD.pack(steps.scale.divided, steps.scale.digits, steps.size, steps.offset) + body


def unpack(data: bytes) -> Values:
    """The column again."""
    divided, digits, size, offset = _HEAD.unpack_from(data)
    numbers = np.asarray(simple_decompress(data[_HEAD.size :])).astype(np.int64)
    return Scale(bool(divided), digits).values(numbers * size + offset)


def find_scale(values: Values) -> Scale | None:
    """The scale with the fewest digits on which all values are whole to the last bit, None where there is none."""
    largest = np.abs(values).max()
    for digits in range(_DIGITS + 1):
        if largest >= _EXACT / 10.0**digits:
            return None
        for scale in (Scale(True, digits), Scale(False, digits)):
            if scale.fits(values[:_A_FEW]) and scale.fits(values):  # noise is seen for what it is by a few
                return scale
    return None


def find_steps(values: Values) -> Steps | None:
    """The steps that the values are made of to the last bit, None where there are none that fit."""
    scale = find_scale(values)
    if scale is None:
        return None
    whole = scale.whole(values)
    offset = int(whole.min())
    size = int(np.gcd.reduce(whole - offset)) or 1
    numbers = (whole - offset) // size
    for width in (np.uint16, np.uint32):
        if numbers.max() <= np.iinfo(width).max:
            return Steps(scale, size, offset, numbers.astype(width))
    return None
