"""One model step over a batch of sequences."""

from collections.abc import Sequence as Rows
from itertools import chain

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers.models.llama.modeling_llama import LlamaForCausalLM

from worker.pool import TokenPool, View
from worker.sampling import choose
from worker.sequence import Sequence


class Runner:
    """Runs a model over sequences whose slots lie in a pool, and picks each one's next token."""

    def __init__(self, model: LlamaForCausalLM, pool: TokenPool) -> None:
        self._model = model
        self._pool = pool
        self._device = model.device
        self._rows: list[Sequence] = []
        self._table = torch.empty((0, 0), dtype=torch.long)

    def prefill(self, rows: Rows[Sequence]) -> list[int]:
        """Take whole prompts in; the first token of each answer."""
        tokens = self._padded([row.prompt for row in rows])
        lengths = torch.tensor([len(row.prompt) for row in rows], device=self._device)
        positions = torch.arange(tokens.shape[1], device=self._device).expand_as(tokens)
        table = self._padded([row.slots[: len(row.prompt)] for row in rows])
        last = (torch.arange(len(rows), device=self._device), lengths - 1)
        return self._step(rows, tokens, positions, View(write=table, table=table), last)

    def decode(self, rows: Rows[Sequence]) -> list[int]:
        """Take each answer's newest token in; the next one."""
        if self._rows != rows:
            self._rows = list(rows)
            self._table = self._padded([row.slots for row in rows])
        newest = [row.length - 1 for row in rows]
        tokens = torch.tensor([[row.answer[-1]] for row in rows], device=self._device)
        positions = torch.tensor(newest, device=self._device)[:, None]
        view = View(write=self._table.gather(1, positions), table=self._table[:, : max(newest) + 1])
        everyone = torch.arange(len(rows), device=self._device)
        return self._step(rows, tokens, positions, view, (everyone, torch.zeros_like(everyone)))

    def _step(
        self,
        rows: Rows[Sequence],
        tokens: torch.Tensor,
        positions: torch.Tensor,
        view: View,
        last: tuple[torch.Tensor, torch.Tensor],
    ) -> list[int]:
        keys = torch.arange(view.table.shape[1], device=self._device)
        with torch.inference_mode():
            hidden = self._model.model(
                input_ids=tokens,
                position_ids=positions,
                attention_mask=(keys <= positions[:, :, None])[:, None],
                past_key_values=self._pool.look(view),
                use_cache=True,
            ).last_hidden_state
            logits = self._model.lm_head(hidden[last])
            draws = [row.draws.random() if row.choice.temperature > 0 else 0.0 for row in rows]
            return choose(logits, [row.choice for row in rows], draws)

    def _padded(self, lists: Rows[list[int]]) -> torch.Tensor:
        """Lists of one matrix, filled up with 0."""
        lengths = [len(one) for one in lists]
        if min(lengths) == max(lengths):
            return torch.tensor(lists, device=self._device)
        flat = torch.tensor(list(chain.from_iterable(lists)))
        return pad_sequence(flat.split(lengths), batch_first=True).to(self._device)
