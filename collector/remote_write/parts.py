"""Cutting what is sent in two: for a receiver that finds it too large, or some of it wrong."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from collector.store.bulk import Block


class Cut(NamedTuple):
    """Two parts of what was to be sent; the first is sent first."""

    first: list[Block]
    second: list[Block]


def by_time(blocks: Sequence[Block]) -> Cut | None:
    """The earlier and the later times; None where there is only one."""
    times = np.unique(np.concatenate([block.times for block in blocks]))
    if len(times) < 2:
        return None
    middle = int(times[len(times) // 2])
    places = [(block, int(np.searchsorted(block.times, middle))) for block in blocks]
    return Cut(
        _filled([Block(block.ids, block.times[:at], block.values[:, :at]) for block, at in places]),
        _filled([Block(block.ids, block.times[at:], block.values[:, at:]) for block, at in places]),
    )


def by_series(blocks: Sequence[Block]) -> Cut | None:
    """The lower and the higher ids; None where there is only one."""
    ids = np.unique(np.concatenate([block.ids for block in blocks]))
    if len(ids) < 2:
        return None
    middle = int(ids[len(ids) // 2])
    places = [(block, int(np.searchsorted(block.ids, middle))) for block in blocks]
    return Cut(
        _filled([Block(block.ids[:at], block.times, block.values[:at]) for block, at in places]),
        _filled([Block(block.ids[at:], block.times, block.values[at:]) for block, at in places]),
    )


def without(blocks: Sequence[Block], ids: Collection[int]) -> list[Block]:
    """The blocks without some series."""
    gone = np.array(sorted(ids), np.int64)
    kept = [(block, ~np.isin(block.ids, gone)) for block in blocks]
    return _filled([Block(block.ids[mask], block.times, block.values[mask]) for block, mask in kept])


def size(blocks: Sequence[Block]) -> int:
    """Samples in them."""
    return sum(block.samples for block in blocks)


def newest_ms(blocks: Sequence[Block]) -> int:
    """Time of the newest sample."""
    return max(int(block.times[-1]) for block in blocks)


def _filled(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.samples]
