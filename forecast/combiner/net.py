"""The net that weighs the members: inference in NumPy, the same as ``forecast.train.network`` in torch."""

from collections.abc import Mapping

import numpy as np

from forecast.combiner.features import Features
from forecast.combiner.weights import Tensor
from forecast.grid import Halves

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
LARGEST_INPUT = 5.0
"""Window statistics further from their mean than so many standard deviations are taken to be so far."""
LARGEST_LOG_WIDTH = 4.0
BATCH = 32


def silu(x: Halves) -> Halves:
    """X times the logistic function of x (Elfwing, Uchibe and Doya, 2017); a tanh is quicker than an exponential."""
    y = np.tanh(0.5 * x)
    y += 1
    y *= x
    y *= 0.5
    return np.asarray(y)


def quantiles(weights: Mapping[str, Tensor], inputs: Features) -> Halves:
    """The five quantiles of every hour ahead, [n, 72, 5], as distances from the plain combination in the scale's units.

    They never cross: outer ones are the inner ones and a positive gap.
    """
    count = inputs.windows.shape[0]
    parts = [_batch(weights, inputs, slice(begin, begin + BATCH)) for begin in range(0, count, BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, inputs.hours.shape[1], len(LEVELS)), dtype=np.float32)


def _batch(weights: Mapping[str, Tensor], inputs: Features, rows: slice) -> Halves:
    def linear(name: str, x: Halves) -> Halves:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    windows = (inputs.windows[rows] - weights["mean"]) / weights["deviation"]
    z = silu(linear("first", np.clip(windows, -LARGEST_INPUT, LARGEST_INPUT)))
    z = linear("third", silu(linear("second", z)))
    x = silu(linear("window", z)[:, None] + linear("hour", inputs.hours[rows]))
    out = linear("out", silu(linear("deep", x)))
    members, exists = inputs.members[rows], inputs.exists[rows]
    count = members.shape[1]
    shares = np.where(exists[:, None], np.exp(out[..., :count] - out[..., : count + 1].max(axis=2, keepdims=True)), 0)
    plain = np.exp(out[..., count] - out[..., : count + 1].max(axis=2))
    weighed = np.einsum("nhm,nmh->nh", shares, members) / (shares.sum(axis=2) + plain)
    tolerance = inputs.tolerance[rows, None]
    middle = weighed + np.tanh(out[..., count + 1]) * tolerance
    width = np.exp(np.clip(out[..., count + 2], -LARGEST_LOG_WIDTH, LARGEST_LOG_WIDTH)) * tolerance
    gaps = np.logaddexp(0, out[..., count + 3 :]) * width[..., None]
    low, high = middle - gaps[..., 1], middle + gaps[..., 2]
    return np.stack([low - gaps[..., 0], low, middle, high, high + gaps[..., 3]], axis=2)
