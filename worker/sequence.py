"""One prompt on its way through the worker."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from worker.sampling import Choice
from worker.text import TextStream

Finish = Literal["stop", "length"]
Outcome = Literal["ok", "error", "timeout", "cancelled", "rejected"]


@dataclass(frozen=True, slots=True)
class Piece:
    """What the engine hands out: text that became certain, and at the end why it is the end.

    Attributes:
        text: the new text, often empty.
        finish: why the sequence is complete, or None while it is not.
        failed: the outcome that ended the sequence early, or None.
    """

    text: str = ""
    finish: Finish | None = None
    failed: Outcome | None = None


@dataclass(eq=False, slots=True)
class Sequence:
    """One prompt and its answer so far; after it was submitted, only the engine's thread changes it.

    Attributes:
        prompt: token ids, at least one.
        max_tokens: length of the answer at most.
        choice: how tokens are picked.
        draws: source of the sampling's randomness.
        text: turns the answer's tokens into text.
        emit: receives the pieces; called on the engine's thread.
        arrived: monotonic seconds when the request arrived.
        deadline: monotonic seconds after which nobody waits for the answer.
        ignore_eos: go on past the model's mark of an end.
    """

    prompt: list[int]
    max_tokens: int
    choice: Choice
    draws: random.Random
    text: TextStream
    emit: Callable[[Piece], None]
    arrived: float
    deadline: float
    ignore_eos: bool = False
    abandoned: bool = False
    slots: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    first_token: float = 0.0

    @property
    def reserve(self) -> int:
        """Slots that the whole sequence needs; the last token is never looked at."""
        return len(self.prompt) + self.max_tokens - 1

    @property
    def length(self) -> int:
        """Tokens whose keys and values the next step will have written."""
        return len(self.prompt) + len(self.answer)
