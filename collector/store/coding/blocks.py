"""Blocks of roll-up windows as bytes, lossless: in steps where their samples are made of such, else plain columns."""

import struct
from itertools import islice

import numpy as np
import numpy.typing as npt
from pcodec.standalone import simple_compress, simple_decompress

from collector.store.buckets import BUCKET, Buckets
from collector.store.coding import codec, stepped
from collector.store.schema import Tier

_HEAD = struct.Struct("<BH")
_COUNTER_BIT, _STEPS_BIT = 1, 2
_GAUGE = ("min", "max", "sum", "first", "last")
_COUNTER = ("first", "last", "inner")


def pack_block(buckets: Buckets, tier: Tier, block: int, *, counter: bool, thorough: bool = False) -> bytes:
    """One block of roll-ups: a head that tells the form and the number of windows, then its columns.

    Args:
        buckets: its windows.
        tier: how wide they are.
        block: the block's number.
        counter: which columns are kept.
        thorough: in steps, in three times the time: for what is not going to change.
    """
    places = (buckets["time"] - block * tier.block_ms) // tier.step_ms
    steps = stepped.pack(buckets, places, counter=counter) if thorough else None
    form = counter * _COUNTER_BIT | (steps is not None) * _STEPS_BIT
    return _HEAD.pack(form, len(buckets)) + (_plain(buckets, places, counter=counter) if steps is None else steps)


def unpack_block(data: bytes, tier: Tier, block: int) -> Buckets:
    """The block's buckets; what its kind of series does not keep is NaN."""
    form, length = _HEAD.unpack_from(data)
    counter, body = bool(form & _COUNTER_BIT), data[_HEAD.size :]
    buckets = np.empty(length, BUCKET)
    for name in (*_GAUGE, "inner"):
        buckets[name] = np.nan
    if form & _STEPS_BIT:
        places = stepped.unpack_into(buckets, body, counter=counter)
    else:
        columns = (simple_decompress(frame) for frame in codec.frames(body))
        places, buckets["count"] = (np.asarray(column).astype(np.int64) for column in islice(columns, 2))
        for name, column in zip(_COUNTER if counter else _GAUGE, columns, strict=True):
            buckets[name] = column
    buckets["time"] = places * tier.step_ms + block * tier.block_ms
    return buckets


def _plain(buckets: Buckets, places: npt.NDArray[np.int64], *, counter: bool) -> bytes:
    columns: list[npt.NDArray[np.generic]] = [
        places.astype(np.uint32),
        buckets["count"].astype(np.uint32),
        *(np.ascontiguousarray(buckets[name]) for name in (_COUNTER if counter else _GAUGE)),
    ]
    return b"".join(codec.framed(bytes(simple_compress(column, codec.CONFIG)) for column in columns))
