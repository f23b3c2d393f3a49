"""From synthetic series to the net that ships, and from measured ones to the factors of its intervals."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from forecast.combiner import conformal, weights
from forecast.members.past import Past
from forecast.sources import Floats
from forecast.train.fitting import SHIPPED, Recipe, fit
from forecast.train.network import Network, apply
from forecast.train.pool import build
from forecast.train.reading import Windows, figures, series_weights, windows
from forecast.train.series import Hourly

log = logging.getLogger(__name__)

COUNT = 50_000
ORIGINS = 24
STATISTICS = ("mean", "max")


def make(sets: Sequence[Hourly], path: Path, seed: int, count: int = COUNT, recipe: Recipe = SHIPPED) -> None:
    """Train on synthetic series alone, calibrate on measured ones, write the file.

    Args:
        sets: measured series for the intervals; the net does not see them.
        path: of the weights.
        seed: of everything that is drawn.
        count: synthetic windows.
        recipe: of the training.
    """
    torch.set_num_threads(1)
    log.info("%d synthetic windows", count)
    pool = build(count, np.random.default_rng(seed))
    log.info("%d steps", recipe.steps)
    network = fit(pool, seed, recipe)
    tensors = {name: tensor.numpy().astype(np.float32) for name, tensor in network.state_dict().items()}
    for statistic in STATISTICS:
        log.info("intervals of hourly %s", statistic)
        found = windows(sets, statistic, ORIGINS)
        tensors[f"factors.{statistic}"] = _factors(network, found, statistic).astype(np.float32)
    sources = sorted({one.source for one in sets})
    about = {
        "trained_on": "synthetic",
        "calibrated_on": ",".join(sources),
        "seed": str(seed),
        "steps": str(recipe.steps),
    }
    weights.write(path, tensors, about)
    log.info("%s: %d bytes", path, path.stat().st_size)


def _factors(network: Network, found: Windows, statistic: str) -> Floats:
    told = found.features.restored(apply(network, found.features))
    groups = conformal.group_of(conformal.wander(Past.of(found.grid)))
    everything = np.ones(len(told), dtype=np.bool_)
    weight = np.where(found.grid.still, 0.0, series_weights(found, everything))
    factors = conformal.learned(told, found.actual, groups, weight)
    for name, quantiles in (("as it is", told), ("calibrated", conformal.widened(told, factors[groups]))):
        read = {name: round(value, 3) for name, value in figures(quantiles, found, everything).items()}
        log.info("hourly %s, %s: %s", statistic, name, read)
    log.info("factors %s", factors.round(2).tolist())
    return factors
