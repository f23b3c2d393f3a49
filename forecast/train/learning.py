"""How both nets learn: AdamW, warm-up and half a cosine, and the moving average of the weights along the way."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a net learns.

    Attributes:
        steps: how many batches.
        batch: how many rows each has.
        rate: the highest learning rate.
        warm_up: steps until then.
        lowest_rate: the last rate, as a share of the highest.
        weight_decay: of AdamW.
        average: how much of the old average a step keeps, once there were enough.
        clip: the largest norm of a gradient.
    """

    steps: int = 2500
    batch: int = 256
    rate: float = 2e-3
    warm_up: int = 100
    lowest_rate: float = 0.02
    weight_decay: float = 0.05
    average: float = 0.997
    clip: float = 1.0


def learned(network: N, cost: Callable[[], Tensor], recipe: Recipe) -> N:
    """The average of the weights that a net had while it learned; the net itself keeps those that it has at the end.

    Args:
        network: with weights to begin with.
        cost: draws a batch and says what the net costs on it.
        recipe: how long and how fast.
    """
    result = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)
    network.train()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step, recipe)
        found = cost()
        optimizer.zero_grad()
        found.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        kept = min(recipe.average, (step + 1) / (step + 10))
        with torch.no_grad():
            for old, new in zip(result.parameters(), network.parameters(), strict=True):
                old.mul_(kept).add_(new, alpha=1 - kept)
    result.eval()
    return result


def _schedule(step: int, recipe: Recipe) -> float:
    """Warm-up, then half a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return min(1.0, (step + 1) / recipe.warm_up) * (recipe.lowest_rate + (1 - recipe.lowest_rate) * cosine)
