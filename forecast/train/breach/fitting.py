"""The training of the breach's net, and the calibration of what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from forecast.grid import Flags, Halves, Ints
from forecast.sources import Floats
from forecast.train import learning
from forecast.train.breach.network import Network
from forecast.train.breach.questions import Questions


@dataclass(frozen=True, slots=True)
class Recipe(learning.Recipe):
    """How the net is trained; the defaults are what ships.

    Attributes:
        knots: at so many knots a step looks, the last always among them.
        last: how much the last knot counts beside another.
    """

    rate: float = 3e-3
    weight_decay: float = 0.02
    average: float = 0.998
    knots: int = 4
    last: float = 5.0


SHIPPED = Recipe()
SMALLEST_DEVIATION = 1e-2
SMALLEST_SLOPE = 0.1


@dataclass(frozen=True, slots=True)
class Share:
    """A pool of questions, and its part of each batch."""

    questions: Questions
    part: float


def fit(pools: Sequence[Share], seed: int, recipe: Recipe = SHIPPED) -> Network:
    """A net from pools: the moving average of its weights along the way."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = _prepared([pool.questions for pool in pools])
    drawers = [_Drawer(pool.questions, round(pool.part * recipe.batch), random) for pool in pools]

    def cost() -> Tensor:
        series, inputs, crossed = (torch.cat(parts) for parts in zip(*(one.draw() for one in drawers), strict=True))
        last = inputs.shape[1] - 1
        knots = np.append(random.choice(last, recipe.knots - 1, replace=False), last)
        weights = torch.ones(recipe.knots)
        weights[-1] = recipe.last
        found = network(series, inputs[:, knots])
        return (binary_cross_entropy_with_logits(found, crossed[:, knots], reduction="none") * weights).mean()

    return learning.learned(network, cost, recipe)


def _prepared(pools: Sequence[Questions]) -> Network:
    series = np.concatenate([pool.series for pool in pools])
    inputs = np.concatenate([pool.inputs.reshape(-1, pool.inputs.shape[2]) for pool in pools])
    network = Network(series.shape[1], inputs.shape[1])
    for prefix, values in (("series_", series), ("", inputs)):
        getattr(network, f"{prefix}mean").copy_(torch.from_numpy(values.mean(axis=0)))
        deviation = values.std(axis=0, dtype=np.float64) + SMALLEST_DEVIATION
        getattr(network, f"{prefix}deviation").copy_(torch.from_numpy(deviation))
    return network


class _Drawer:
    """Draws questions by their weight."""

    def __init__(self, questions: Questions, count: int, random: np.random.Generator) -> None:
        self._questions, self._count, self._random = questions, count, random
        reached = np.cumsum(questions.weight)
        self._reached = reached / reached[-1]

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs of series, of questions, and what came."""
        found = self._questions
        rows = np.searchsorted(self._reached, self._random.random(self._count), side="right")
        return (
            torch.from_numpy(found.series[found.asked[rows]]),
            torch.from_numpy(found.inputs[rows]),
            torch.from_numpy(found.crossed[rows].astype(np.float32)),
        )


def logits(network: Network, series: Halves, asked: Ints, inputs: Halves) -> Floats:
    """What the net says before it is calibrated, [m, knots]."""
    network.eval()
    parts = []
    with torch.no_grad():
        for rows in np.array_split(np.arange(asked.size), max(1, asked.size // 2000)):
            found = network(torch.from_numpy(series[asked[rows]]), torch.from_numpy(inputs[rows]))
            parts.append(np.asarray(found.numpy(), dtype=np.float64))
    return np.concatenate(parts)


def platt(found: Floats, came: Flags, weight: Floats, steps: int = 100) -> tuple[float, float]:
    """Slope and offset of the logits by weighted logistic regression, in Newton's steps of 1 at most.

    Platt, Probabilistic outputs for support vector machines, 1999. The slope is at least 0.1, so that order is kept.
    """
    design = np.stack([found, np.ones_like(found)], axis=1)
    share = weight / weight.sum()
    theta = np.array([1.0, 0.0])
    for _ in range(steps):
        said = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (share * (came - said))
        curvature = (design * (share * said * (1 - said))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        theta += step / max(1.0, float(np.abs(step).max()))
        theta[0] = max(theta[0], SMALLEST_SLOPE)
    return float(theta[0]), float(theta[1])
