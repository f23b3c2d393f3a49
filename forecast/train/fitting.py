"""The training loop."""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from forecast.train.network import Inputs, Network, loss
from forecast.train.pool import Pool


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the net is trained; the defaults are what ships.

    Attributes:
        every: of each window a step looks at one hour in so many.
    """

    steps: int = 2500
    batch: int = 256
    rate: float = 2e-3
    warm_up: int = 100
    lowest_rate: float = 0.02
    weight_decay: float = 0.05
    average: float = 0.997
    clip: float = 1.0
    every: int = 6


SHIPPED = Recipe()


def fit(pool: Pool, seed: int, recipe: Recipe = SHIPPED) -> Network:
    """A net from a pool: the moving average of its weights along the way."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    inputs, targets = Inputs(pool.features), torch.from_numpy(pool.target)
    shapes = inputs.windows.shape[1], inputs.hours.shape[2], inputs.members.shape[1]
    network = Network(*shapes)
    network.mean.copy_(inputs.windows.mean(0))
    network.deviation.copy_(inputs.windows.std(0) + 1e-3)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)
    network.train()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step, recipe)
        rows = torch.from_numpy(random.integers(len(targets), size=recipe.batch))
        ahead = slice(int(random.integers(recipe.every)), None, recipe.every)
        cost = loss(network(*inputs.rows(rows, ahead)), targets[rows, ahead]).mean()
        optimizer.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        kept = min(recipe.average, (step + 1) / (step + 10))
        with torch.no_grad():
            for old, new in zip(average.parameters(), network.parameters(), strict=True):
                old.mul_(kept).add_(new, alpha=1 - kept)
    average.eval()
    return average


def _schedule(step: int, recipe: Recipe) -> float:
    """Warm-up, then half a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return min(1.0, (step + 1) / recipe.warm_up) * (recipe.lowest_rate + (1 - recipe.lowest_rate) * cosine)
