"""The net that gives the probability: inference in NumPy, the same as ``forecast.train.breach.network`` in torch.

What is known whatever the threshold becomes a vector, by any weights; what is known of the threshold by each knot goes
through weights that are all positive (Sill, Monotonic networks, NIPS 1997), which makes the answer monotone.
"""

from collections.abc import Mapping

import numpy as np

from forecast.combiner.net import silu
from forecast.combiner.weights import Tensor
from forecast.grid import Ints
from forecast.sources import Floats

LARGEST_SERIES_INPUT, LARGEST_INPUT = 4.0, 6.0
"""Inputs further from their mean than so many standard deviations are taken to be so far."""
LARGEST_LOGIT = 9.0
"""Nothing is certain: probabilities stay within 0.0001 and 0.9999."""
BATCH = 512


def probabilities(weights: Mapping[str, Tensor], series: Floats, asked: Ints, inputs: Floats) -> Floats:
    """The probability to have reached each threshold by each knot, [m, knots].

    Args:
        weights: of the net.
        series: [n, inputs] of ``forecast.breach.features.of_series``.
        asked: [m] of each question its series.
        inputs: [m, knots, inputs] of ``forecast.breach.features.of_questions``.
    """
    z = _series(weights, series.astype(np.float32))
    parts = [np.empty((0, inputs.shape[1]))]
    for begin in range(0, asked.size, BATCH):
        rows = slice(begin, begin + BATCH)
        logits = _logits(weights, z[asked[rows]], inputs[rows].astype(np.float32)).astype(np.float64)
        logits = weights["slope"] * logits + weights["offset"]
        parts.append(1 / (1 + np.exp(-np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT))))
    return np.concatenate(parts)


def _series(weights: Mapping[str, Tensor], series: Tensor) -> Tensor:
    scaled = (series - weights["series_mean"]) / weights["series_deviation"]
    x = np.clip(scaled, -LARGEST_SERIES_INPUT, LARGEST_SERIES_INPUT)
    for layer in ("first", "second"):
        x = silu(_linear(weights, layer, x))
    return np.asarray(x)


def _logits(weights: Mapping[str, Tensor], z: Tensor, inputs: Tensor) -> Tensor:
    scaled = (inputs - weights["mean"]) / weights["deviation"]
    p = np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT)
    x = p
    for layer in ("low", "high"):
        x = np.tanh(x @ _positive(weights[f"{layer}_weight"]).T + _linear(weights, f"{layer}_shift", z)[:, None])
    gates = _positive(_linear(weights, "gates", z))
    out = (x @ _positive(weights["out_weight"]).T)[..., 0] + _linear(weights, "out_shift", z)
    return np.asarray(out + np.einsum("mi,mki->mk", gates, p))


def _linear(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def _positive(x: Tensor) -> Tensor:
    """Softplus."""
    return np.asarray(np.logaddexp(np.float32(0), x))
