"""Choosing the next token of every sequence in a batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Choice:
    """How one sequence picks its tokens.

    Attributes:
        temperature: 0 takes the likeliest token; higher flattens the distribution.
        top_p: the likeliest tokens that together reach this probability are drawn from.
    """

    temperature: float = 1.0
    top_p: float = 1.0


def choose(logits: torch.Tensor, choices: Sequence[Choice], draws: Sequence[float]) -> list[int]:
    """One token id a row.

    Nucleus sampling (Holtzman et al. 2020, section 3.1) by inversion: a row's draw, uniform in [0, 1), falls on the
    cumulated probabilities of its likeliest tokens. A row is unmoved by the rows beside it.

    Args:
        logits: float[batch, vocabulary].
        choices: how each row picks.
        draws: one uniform number a row; rows of temperature 0 ignore theirs.
    """
    picked: list[int] = logits.argmax(dim=-1).tolist()
    rows = [row for row, choice in enumerate(choices) if choice.temperature > 0]
    if not rows:
        return picked
    device = logits.device
    heat = torch.tensor([choices[row].temperature for row in rows], device=device)
    nucleus = torch.tensor([choices[row].top_p for row in rows], device=device)
    draw = torch.tensor([draws[row] for row in rows], device=device)
    chances, order = (logits[rows].float() / heat[:, None]).softmax(dim=-1).sort(dim=-1, descending=True)
    before = chances.cumsum(dim=-1) - chances
    kept = chances.masked_fill((before >= nucleus[:, None]) & (before > 0), 0.0).cumsum(dim=-1)
    at = torch.searchsorted(kept, (draw * kept[:, -1])[:, None], right=True).clamp(max=kept.shape[1] - 1)
    for row, token in zip(rows, order.gather(1, at)[:, 0].tolist(), strict=True):
        picked[row] = token
    return picked
