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
BATCH = 128

# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: |error| <= 1.5e-7.
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_STEP = 0.3275911


def erf(x: Halves) -> Halves:
    """The error function."""
    size = np.abs(x)
    t = 1 / (1 + _ERF_STEP * size)
    series = t * (_ERF[0] + t * (_ERF[1] + t * (_ERF[2] + t * (_ERF[3] + t * _ERF[4]))))
    return np.asarray(np.copysign(1 - series * np.exp(-size * size), x))


def gelu(x: Halves) -> Halves:
    """X times the normal distribution function of x (Hendrycks and Gimpel, 2016), exact."""
    return np.asarray(0.5 * x * (1 + erf(x * np.float32(np.sqrt(0.5)))), dtype=np.float32)


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
    z = gelu(linear("first", np.clip(windows, -LARGEST_INPUT, LARGEST_INPUT)))
    z = linear("third", gelu(linear("second", z)))
    x = gelu(linear("window", z)[:, None] + linear("hour", inputs.hours[rows]))
    out = linear("out", gelu(linear("deep", x)))
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
