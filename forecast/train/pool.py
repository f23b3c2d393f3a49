"""The windows that the net learns from, with features made by the serving code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from forecast.combiner.features import Features, Looks, features
from forecast.grid import DAY_HOURS, GRID_HOURS, Grid, Halves
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forecast.train.synthetic import Random, series

SHARE_CUT = 0.3
"""How many windows have a shorter past than 28 days: of 1 to 28, every magnitude as likely."""
CHUNK = 2000
LARGEST_TARGET = 1e4


@dataclass(frozen=True)
class Pool:
    """Windows ready for training.

    Attributes:
        features: as the daemon would make them at the origin.
        target: [n, 72] what came, as its distance from the plain combination in units of the scale.
    """

    features: Features
    target: Halves


def build(count: int, random: Random) -> Pool:
    """So many synthetic windows."""
    parts: list[Features] = []
    targets: list[Halves] = []
    for begin in range(0, count, CHUNK):
        array = np.stack(list(_windows(min(CHUNK, count - begin), random)))
        past, future = array[:, :GRID_HOURS], array[:, GRID_HOURS:]
        found = features(Looks(Grid(0, past)))
        target = (future - found.location[:, None]) / found.scale[:, None] - found.plain
        parts.append(found)
        targets.append(np.clip(target, -LARGEST_TARGET, LARGEST_TARGET).astype(np.float32))
    return Pool(joined(parts), np.concatenate(targets))


def joined(parts: Sequence[Features]) -> Features:
    """Features one after the other."""
    return Features(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Features)}
    )


def _windows(count: int, random: Random) -> Iterator[Floats]:
    """Each 28 days and the three after them, the past's largest value 1."""
    made = 0
    while made < count:
        window = series(random, GRID_HOURS + HORIZON_HOURS)
        if random.random() < SHARE_CUT:
            days = int(np.exp(random.uniform(0, np.log(28))))
            window[: GRID_HOURS - DAY_HOURS * days] = np.nan
        largest = np.nanmax(np.abs(window[:GRID_HOURS]))
        if not np.isfinite(window[GRID_HOURS - DAY_HOURS :]).all():
            continue
        yield window / (largest or 1.0)
        made += 1
