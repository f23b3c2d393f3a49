"""The plain combination: members weighted by how near they came at earlier origins."""

from dataclasses import dataclass

import numpy as np

from forecast.grid import Halves
from forecast.members import NAMES
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

POWER = 3
SMALLEST_ERROR = 0.02
SMALLEST_TOLERANCE, LARGEST_TOLERANCE = 0.05, 20.0
_FIRST = np.array([name in {"yesterday", "profile", "three_days", "smoothed"} for name in NAMES])
"""Members that share the forecast, equally, where there is no earlier origin to judge them by."""


@dataclass(frozen=True, slots=True)
class Plain:
    """The combination of n series.

    Attributes:
        weights: [n, members], of sum 1.
        path: [n, 72].
        tolerance: [n] the error to be expected, in units of the series' scale.
    """

    weights: Floats
    path: Floats
    tolerance: Floats


def combine(members: Floats, errors: Floats) -> Plain:
    """Weights in proportion to 1 / error^3.

    Args:
        members: [n, members, 72], NaN where a member does not exist.
        errors: [n, members] mean absolute errors in units of the series' scale, NaN where not known.
    """
    exists = np.isfinite(members[:, :, 0])
    judged = exists & np.isfinite(errors)
    weights = np.where(judged, 1 / np.maximum(np.nan_to_num(errors), SMALLEST_ERROR) ** POWER, 0.0)
    new = np.asarray(~judged.any(axis=1))
    weights = np.where(new[:, None], exists & _FIRST, weights)
    weights /= weights.sum(axis=1, keepdims=True)
    path = np.einsum("nm,nmh->nh", weights, np.where(exists[:, :, None], members, 0.0))
    tolerance = np.where(new, 1.0, (weights * np.where(judged, np.nan_to_num(errors), 0.0)).sum(axis=1))
    return Plain(weights, path, np.clip(tolerance, SMALLEST_TOLERANCE, LARGEST_TOLERANCE))


REACH = np.array([[-4.7, -1.4, 0.0, 1.4, 4.7], [-5.8, -1.6, 0.0, 1.6, 5.8], [-6.5, -1.8, 0.0, 1.8, 6.5]])
"""How many tolerances the quantiles lie from the path on each day ahead, as measured on the open series."""


def quantiles(tolerance: Floats | Halves) -> Floats:
    """The quantiles' distances from the path, [n, 72, 5], in units of the scale."""
    return np.asarray(np.repeat(REACH, HORIZON_HOURS // REACH.shape[0], axis=0) * tolerance[:, None, None])
