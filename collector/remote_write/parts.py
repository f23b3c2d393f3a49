"""Cutting what is sent in two: for a receiver that finds it too large, or some of it wrong."""

from collections.abc import Sequence

import numpy as np

from collector.store.bulk import Block


def halves(blocks: Sequence[Block]) -> tuple[list[Block], list[Block]] | None:
    """The earlier and the later times; of a single time the lower and the higher ids; None for a single sample."""
    times = np.unique(np.concatenate([block.times for block in blocks]))
    if len(times) > 1:
        middle = int(times[len(times) // 2])
        cuts = [(block, int(np.searchsorted(block.times, middle))) for block in blocks]
        early = [Block(block.ids, block.times[:at], block.values[:, :at]) for block, at in cuts]
        late = [Block(block.ids, block.times[at:], block.values[:, at:]) for block, at in cuts]
        return _filled(early), _filled(late)
    ids = np.unique(np.concatenate([block.ids for block in blocks]))
    if len(ids) < 2:
        return None
    middle = int(ids[len(ids) // 2])
    cuts = [(block, int(np.searchsorted(block.ids, middle))) for block in blocks]
    low = [Block(block.ids[:at], block.times, block.values[:at]) for block, at in cuts]
    high = [Block(block.ids[at:], block.times, block.values[at:]) for block, at in cuts]
    return _filled(low), _filled(high)


def size(blocks: Sequence[Block]) -> int:
    """Samples in them."""
    return sum(block.samples for block in blocks)


def newest_ms(blocks: Sequence[Block]) -> int:
    """Time of the newest sample."""
    return max(int(block.times[-1]) for block in blocks)


def _filled(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.samples]
