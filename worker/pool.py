"""Keys and values of every running sequence, one row of memory a token.

A sequence holds the slots that it was given when it was admitted, in any order; a table of slots says where each of its
positions lies. So sequences join and leave a batch without moving anything. Slot 0 belongs to nobody: padding is
written there and never read, because the mask hides it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.models.llama.configuration_llama import LlamaConfig


@dataclass(slots=True)
class View:
    """What one model step sees of the pool.

    Attributes:
        write: slots that the step's tokens are written to, int64[batch, tokens].
        table: slots of each sequence's positions, padded with slot 0, int64[batch, longest].
    """

    write: torch.Tensor
    table: torch.Tensor


class _Layer(CacheLayerMixin):  # type: ignore[misc]  # transformers is not followed
    """One layer's part of the pool, in the form that transformers' attention asks for."""

    is_sliding = False

    def __init__(self, shape: tuple[int, int, int], dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        # Zeros, for attention multiplies a hidden value by 0, and 0 times a stray NaN would be NaN.
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.is_initialized = True
        self.view: View | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to do: the memory is there from the start."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the step's states; the states of every position that the step may look at."""
        if self.view is None:
            raise RuntimeError("a model step without a view of the pool")
        self.keys[self.view.write] = key_states.transpose(1, 2)
        self.values[self.view.write] = value_states.transpose(1, 2)
        return self.keys[self.view.table].transpose(1, 2), self.values[self.view.table].transpose(1, 2)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys."""
        return (self.view.table.shape[1] if self.view else query_length), 0

    def get_seq_length(self) -> int:
        """Positions already seen; every step states its own, so there is no common number."""
        return 0

    def get_max_length(self) -> int:
        """Number of slots."""
        return int(self.keys.shape[0])


class TokenPool:
    """Slots for ``tokens`` tokens, given out and taken back a sequence at a time."""

    def __init__(self, tokens: int, config: LlamaConfig, dtype: torch.dtype, device: torch.device) -> None:
        shape = (tokens + 1, config.num_key_value_heads, config.head_dim)
        self._layers = [_Layer(shape, dtype, device) for _ in range(config.num_hidden_layers)]
        self._free = list(range(tokens, 0, -1))
        self.tokens = tokens
        self.cache = Cache(layers=list(self._layers))

    @property
    def usage(self) -> float:
        """Share of the slots that sequences hold, 0 to 1."""
        return 1.0 - len(self._free) / self.tokens

    def take(self, count: int) -> list[int] | None:
        """That many slots, or None while too few are free."""
        if count > len(self._free):
            return None
        cut = len(self._free) - count
        taken, self._free[cut:] = self._free[cut:], []
        return taken

    def give_back(self, slots: Sequence[int]) -> None:
        """Make slots free again."""
        self._free.extend(slots)

    def look(self, view: View) -> Cache:
        """The cache for one model step."""
        for layer in self._layers:
            layer.view = view
        return self.cache
