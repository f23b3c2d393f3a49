"""The breach's net in torch, for training; ``forecast.breach.net`` is the same in NumPy."""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from forecast.breach.net import LARGEST_INPUT, LARGEST_SERIES_INPUT

SERIES_WIDTH, SHARED, LOW_WIDTH, HIGH_WIDTH = 64, 48, 48, 24
DROPOUT = 0.25


class Network(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Series inputs become a vector; question inputs go through positive weights that it shifts and gates."""

    def __init__(self, series: int, inputs: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(series, SERIES_WIDTH), nn.Linear(SERIES_WIDTH, SHARED)
        self.low_weight = nn.Parameter(0.3 * torch.randn(LOW_WIDTH, inputs) - 2.5)
        self.high_weight = nn.Parameter(0.3 * torch.randn(HIGH_WIDTH, LOW_WIDTH) - 3.0)
        self.out_weight = nn.Parameter(0.3 * torch.randn(1, HIGH_WIDTH) - 1.0)
        self.low_shift, self.high_shift = nn.Linear(SHARED, LOW_WIDTH), nn.Linear(SHARED, HIGH_WIDTH)
        self.out_shift, self.gates = nn.Linear(SHARED, 1), nn.Linear(SHARED, inputs)
        for name, width in (("series", series), ("", inputs)):
            prefix = f"{name}_" if name else ""
            self.register_buffer(f"{prefix}mean", torch.zeros(width))
            self.register_buffer(f"{prefix}deviation", torch.ones(width))
        self.register_buffer("slope", torch.ones(1))
        self.register_buffer("offset", torch.zeros(1))
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.gates.weight.mul_(0.1)
            self.gates.bias.fill_(-3.0)

    def forward(self, series: Tensor, inputs: Tensor) -> Tensor:
        """Logits before their calibration, [m, knots], from [m, series inputs] and [m, knots, inputs]."""
        x = (series - self.series_mean) / self.series_deviation
        x = torch.clamp(x, -LARGEST_SERIES_INPUT, LARGEST_SERIES_INPUT)
        z = self.dropout(silu(self.second(self.dropout(silu(self.first(x))))))
        p = torch.clamp((inputs - self.mean) / self.deviation, -LARGEST_INPUT, LARGEST_INPUT)
        x = torch.tanh(p @ softplus(self.low_weight).T + self.low_shift(z)[:, None])
        x = torch.tanh(x @ softplus(self.high_weight).T + self.high_shift(z)[:, None])
        out = (x @ softplus(self.out_weight).T)[..., 0] + self.out_shift(z)
        return out + (softplus(self.gates(z))[:, None] * p).sum(-1)
