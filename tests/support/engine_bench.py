"""An engine over the real model, and model steps that go wrong. Imports torch: it is for fixtures to import."""

import queue
import random
import threading
from collections.abc import Sequence as Rows
from typing import Any

import torch

from forewarn.base.clock import Clock, SystemClock
from worker.checkpoint import Loaded
from worker.engine import Engine
from worker.metrics import Meters
from worker.pool import TokenPool
from worker.runner import Runner
from worker.sampling import Choice
from worker.sequence import Piece, Sequence
from worker.settings import WorkerSettings
from worker.text import TextStream


class Bench:
    """An engine over the real model, with its pieces on a queue."""

    def __init__(
        self, loaded: Loaded, steps: type[Runner] | None = None, clock: Clock | None = None, **settings: object
    ) -> None:
        self.settings = WorkerSettings(**settings)
        self.pool = TokenPool(self.settings.kv_cache_tokens, loaded.model.config, torch.float32, torch.device("cpu"))
        self.meters = Meters("test")
        self.loaded = loaded
        self.steps = (steps or Runner)(loaded.model, self.pool)
        self.engine = Engine(
            self.settings,
            self.steps,
            self.pool,
            meters=self.meters,
            clock=clock or SystemClock(),
            end_tokens=frozenset(),
        )
        self.pieces: queue.Queue[tuple[int, Piece]] = queue.Queue()
        self.engine.start()

    def sequence(self, index: int, prompt: list[int], max_tokens: int, seconds: float = 60.0) -> Sequence:
        now = SystemClock().monotonic()
        return Sequence(
            prompt=prompt,
            max_tokens=max_tokens,
            choice=Choice(temperature=0),
            draws=random.Random(0),
            text=TextStream(self.loaded.tokenizer, []),
            emit=lambda piece: self.pieces.put((index, piece)),
            arrived=now,
            deadline=now + seconds,
        )

    def run(self, sequences: list[Sequence]) -> dict[int, Piece]:
        self.engine.submit(sequences)
        return self.wait(len(sequences))

    def wait(self, count: int) -> dict[int, Piece]:
        ends: dict[int, Piece] = {}
        while len(ends) < count:
            index, piece = self.pieces.get(timeout=120)
            if piece.finish or piece.failed:
                ends[index] = piece
        return ends


class BreaksOnce(Runner):
    broken = False

    def decode(self, rows: Rows[Sequence]) -> list[int]:
        if not self.broken:
            self.broken = True
            raise RuntimeError("out of memory")
        return super().decode(rows)


class Breaks(Runner):
    broken = True

    def prefill(self, rows: Rows[Sequence]) -> list[int]:
        if self.broken:
            raise RuntimeError("device-side assert\nand much more")
        return super().prefill(rows)


class LeapingClock(SystemClock):
    leap = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leap


class Hangs(Runner):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go_on = threading.Event()

    def decode(self, rows: Rows[Sequence]) -> list[int]:
        self.go_on.wait(120)
        return super().decode(rows)
