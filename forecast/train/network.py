"""The combiner's net in torch, for training; ``forecast.combiner.net`` is the same in NumPy."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from forecast.combiner.features import Features
from forecast.combiner.net import LARGEST_INPUT, LARGEST_LOG_WIDTH, LEVELS
from forecast.sources import Floats

WINDOW_WIDTH, SHARED, HOUR_WIDTH, DEEP_WIDTH = 160, 96, 160, 96
"""Widths of the layers: of the window statistics, of what hours share, and of each hour."""
DROPOUT = 0.1
PLAIN_HEAD_START = 1.5
"""The plain combination's logit at the start: the net has to learn what is better."""
LOSS_CAP = 2.5
RELATIVE_SHARE = 0.5
RELATIVE_FLOOR = 0.15
_LEVEL_WEIGHTS = (0.7, 0.9, 2.0, 0.9, 0.7)


class Inputs:
    """Features as tensors."""

    def __init__(self, features: Features) -> None:
        self.windows = torch.from_numpy(features.windows)
        self.hours = torch.from_numpy(np.ascontiguousarray(features.hours))
        self.members = torch.from_numpy(features.members)
        self.exists = torch.from_numpy(features.exists)
        self.tolerance = torch.from_numpy(features.tolerance)

    def rows(self, rows: Tensor, ahead: slice = slice(None)) -> tuple[Tensor, ...]:
        """Some windows and hours ahead, in the order of the net's arguments."""
        return (
            self.windows[rows],
            self.hours[rows, ahead],
            self.members[rows, :, ahead],
            self.exists[rows],
            self.tolerance[rows],
        )


class Network(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Window statistics become a vector that is shared by all hours ahead; each hour weighs the members by it."""

    def __init__(self, windows: int, hours: int, members: int) -> None:
        super().__init__()
        self.first = nn.Linear(windows, WINDOW_WIDTH)
        self.second, self.third = nn.Linear(WINDOW_WIDTH, SHARED), nn.Linear(SHARED, SHARED)
        self.window, self.hour = nn.Linear(SHARED, HOUR_WIDTH), nn.Linear(hours, HOUR_WIDTH)
        self.deep, self.out = nn.Linear(HOUR_WIDTH, DEEP_WIDTH), nn.Linear(DEEP_WIDTH, members + 1 + 2 + 4)
        self.register_buffer("mean", torch.zeros(windows))
        self.register_buffer("deviation", torch.ones(windows))
        self.members = members
        self.dropout = nn.Dropout(DROPOUT)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias.zero_()
            self.out.bias[members] = PLAIN_HEAD_START

    def forward(self, windows: Tensor, hours: Tensor, members: Tensor, exists: Tensor, tolerance: Tensor) -> Tensor:
        """Quantiles, [n, 72, 5]; see ``forecast.combiner.net.quantiles``."""
        windows = torch.clamp((windows - self.mean) / self.deviation, -LARGEST_INPUT, LARGEST_INPUT)
        z = self.dropout(silu(self.first(windows)))
        z = self.third(silu(self.second(z)))
        x = self.dropout(silu(self.window(z)[:, None] + self.hour(hours)))
        out = self.out(silu(self.deep(x)))
        count = self.members
        allowed = torch.cat([exists, torch.ones_like(exists[:, :1])], dim=1)[:, None]
        shares = torch.softmax(out[..., : count + 1].masked_fill(~allowed, -1e9), dim=-1)
        weighed = (shares[..., :count] * members.transpose(1, 2)).sum(-1)
        tolerance = tolerance[:, None]
        middle = weighed + torch.tanh(out[..., count + 1]) * tolerance
        width = torch.exp(torch.clamp(out[..., count + 2], -LARGEST_LOG_WIDTH, LARGEST_LOG_WIDTH)) * tolerance
        gaps = softplus(out[..., count + 3 :]) * width[..., None]
        low, high = middle - gaps[..., 1], middle + gaps[..., 2]
        return torch.stack([low - gaps[..., 0], low, middle, high, high + gaps[..., 3]], dim=-1)


def loss(found: Tensor, target: Tensor) -> Tensor:
    """Each window's loss, [n]: pinball over the quantiles in units of the scale, half of it beside the plain error.

    What a window costs above a cap counts by its logarithm, so that jumps nobody could foresee do not lead.
    """
    levels, weights = torch.tensor(LEVELS), torch.tensor(_LEVEL_WEIGHTS)
    error = target[..., None] - found
    pinball = (torch.maximum(levels * error, (levels - 1) * error) * weights).sum(-1).mean(1) * 4 / weights.sum()
    capped = torch.where(
        pinball > LOSS_CAP, LOSS_CAP * (1 + torch.log(pinball.clamp(min=LOSS_CAP) / LOSS_CAP)), pinball
    )
    plain = target.abs().mean(1)
    return capped * (1 - RELATIVE_SHARE) + RELATIVE_SHARE * capped / (plain + RELATIVE_FLOOR)


def apply(network: Network, features: Features, batch: int = 1000) -> Floats:
    """Quantiles of many windows, [n, 72, 5]."""
    network.eval()
    inputs = Inputs(features)
    with torch.no_grad():
        parts = [network(*inputs.rows(some)) for some in torch.arange(len(features.windows)).split(batch)]
        return np.asarray(torch.cat(parts).numpy())
