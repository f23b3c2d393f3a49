"""The training of the combiner's net."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from forecast.train import learning
from forecast.train.network import Inputs, Network, loss
from forecast.train.pool import Pool


@dataclass(frozen=True, slots=True)
class Recipe(learning.Recipe):
    """How the net is trained; the defaults are what ships.

    Attributes:
        every: of each window a step looks at one hour in so many.
    """

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

    def cost() -> Tensor:
        rows = torch.from_numpy(random.integers(len(targets), size=recipe.batch))
        ahead = slice(int(random.integers(recipe.every)), None, recipe.every)
        return loss(network(*inputs.rows(rows, ahead)), targets[rows, ahead]).mean()

    return learning.learned(network, cost, recipe)
