"""An open-addressed table in two arrays: 64-bit keys, never 0, and what stands beside each.

Its functions run as they stand, too: without a compiler there are few keys.
"""

from typing import Any

import numpy as np

from logship.patterns.compiled import compiled, inlined

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@inlined
def find(keys: Any, mask: int, key: Any) -> Any:
    """The cell that holds a key, or the empty one where it belongs, in a table of mask + 1 cells, a power of two."""
    cell = np.int64((key * _SPREAD) >> np.uint64(32)) & mask
    while keys[cell] != key and keys[cell] != np.uint64(0):
        cell = (cell + 1) & mask
    return cell


@compiled
def store(keys: Any, values: Any, key: Any, value: Any) -> None:
    """Set what the table gives for a key."""
    cell = find(keys, len(keys) - 1, key)
    keys[cell] = key
    values[cell] = value


@compiled
def keep(keys: Any, values: Any, dropped: Any, kept_keys: Any, kept_values: Any) -> int:
    """Copy a table without the slots that are dropped; how many keys are left."""
    count = 0
    for cell in range(len(keys)):
        if keys[cell] != np.uint64(0) and not dropped[values[cell]]:
            store(kept_keys, kept_values, keys[cell], values[cell])
            count += 1
    return count
