"""Iteration-level batching: sequences join and leave between model steps.

As in Orca (Yu et al., OSDI 2022, section 3): every iteration first admits waiting sequences and takes their prompts in,
then decodes one token of every running one. How many may run follows the length of the queue.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from forewarn.base.clock import Clock
from worker.errors import RequestError
from worker.metrics import Meters
from worker.sequence import Finish, Outcome, Piece, Sequence
from worker.settings import WorkerSettings

FAILED_STEPS = 3
"""So many model steps that failed in a row are a fault of the model or its device, not of a request."""

_QUIET_SECONDS = 60.0

log = logging.getLogger(__name__)


class Steps(Protocol):
    """A model's two steps: take prompts in, decode one token each."""

    def prefill(self, rows: list[Sequence]) -> list[int]:
        """The first token of each answer."""
        ...

    def decode(self, rows: list[Sequence]) -> list[int]:
        """The next token of each answer."""
        ...


class Slots(Protocol):
    """Memory for keys and values."""

    tokens: int

    @property
    def usage(self) -> float:
        """Share that is held, 0 to 1."""
        ...

    def take(self, count: int) -> list[int] | None:
        """Slots, or None while too few are free."""
        ...

    def give_back(self, slots: list[int]) -> None:
        """Free them again."""
        ...


def batch_limit(waiting: int, smallest: int, largest: int) -> int:
    """How many sequences may run while that many wait.

    A small batch answers each request sooner, a large one all of them: the limit is the power of two that holds the
    queue, between the two bounds.
    """
    return min(largest, max(smallest, 1 << max(waiting - 1, 0).bit_length()))


class Engine:
    """Owns the queue and the running batch; its thread is the only one that touches the model."""

    def __init__(
        self,
        settings: WorkerSettings,
        steps: Steps,
        slots: Slots,
        *,
        meters: Meters,
        clock: Clock,
        end_tokens: frozenset[int],
    ) -> None:
        self._settings = settings
        self._steps = steps
        self._slots = slots
        self._meters = meters
        self._clock = clock
        self._end_tokens = end_tokens
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._stopping = False
        self._step_began: float | None = None
        self._failed_steps = 0
        self._failure_told = float("-inf")
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)

    def trouble(self) -> str | None:
        """What keeps the engine from working, None while nothing does."""
        if not self._thread.is_alive():
            return "the engine has ended"
        began = self._step_began
        if began is not None and (away := self._clock.monotonic() - began) > self._settings.request_timeout:
            return f"a model step has been running for {away:.0f} s"
        if (failed := self._failed_steps) >= FAILED_STEPS:
            return f"the last {failed} model steps have failed"
        return None

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End every sequence where it is, and the thread after the step in flight; does not wait."""
        with self._news:
            self._stopping = True
            self._news.notify()

    def submit(self, sequences: list[Sequence]) -> None:
        """Queue a request's sequences, all or none.

        Raises:
            RequestError: 400 where they can never fit the queue, 429 with the queue full, 503 while the worker ends.
        """
        if len(sequences) > self._settings.max_waiting:
            raise RequestError(
                f"prompt: {len(sequences)} prompts are over the {self._settings.max_waiting} that may wait",
                param="prompt",
            )
        with self._news:
            if self._stopping:
                raise RequestError("the worker is ending", status=503, type="server_error", code="ending")
            if len(self._waiting) + len(sequences) > self._settings.max_waiting:
                raise RequestError(
                    f"{len(self._waiting)} prompts wait already, {self._settings.max_waiting} may",
                    status=429,
                    type="rate_limit_error",
                    code="queue_full",
                    retry_after=1,
                )
            self._waiting.extend(sequences)
            self._levels()
            self._news.notify()

    def abandon(self, sequences: Iterable[Sequence]) -> None:
        """Nobody waits for these any more; they leave before the next step."""
        with self._news:
            for sequence in sequences:
                sequence.abandoned = True
            self._news.notify()

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._stopping or self._waiting or self._running)
                if self._stopping:
                    break
                self._leave()
                admitted = self._admit()
            self._step_began = self._clock.monotonic()
            try:
                self._iterate(admitted)
                self._failed_steps = 0
            except Exception as error:  # noqa: BLE001  a failed step (memory, a driver) ends its sequences, not the worker
                self._failed(error)
                self._end_all("error")
            self._step_began = None
            self._levels()
        self._end_all("cancelled")
        self._levels()

    def _failed(self, error: Exception) -> None:
        """Say that a step failed: the first of a row with its traceback, and no more than a line a minute."""
        self._failed_steps += 1
        now = self._clock.monotonic()
        if now - self._failure_told < _QUIET_SECONDS:
            return
        self._failure_told = now
        log.error(
            "a model step failed; its requests are answered with an error",
            exc_info=error if self._failed_steps == 1 else None,
            extra={"in_a_row": self._failed_steps, "error": f"{type(error).__name__}: {error}".splitlines()[0]},
        )

    def _leave(self) -> None:
        """Let those go that nobody waits for, or whose time is over."""
        now = self._clock.monotonic()
        for sequence in [*self._waiting, *self._running]:
            if now >= sequence.deadline:
                self._end(sequence, Piece(failed="timeout"), "timeout")
            elif sequence.abandoned:
                self._end(sequence, Piece(failed="cancelled"), "cancelled")

    def _admit(self) -> list[Sequence]:
        """Waiting sequences, in order, that fit the batch, the cache and one step's prompt tokens."""
        limit = batch_limit(len(self._waiting), self._settings.min_batch, self._settings.max_batch)
        admitted: list[Sequence] = []
        longest = 0
        while self._waiting and len(self._running) + len(admitted) < limit:
            first = self._waiting[0]
            longest = max(longest, len(first.prompt))
            if admitted and longest * (len(admitted) + 1) > self._settings.prefill_tokens:
                break
            slots = self._slots.take(first.reserve)
            if slots is None:
                break
            first.slots = slots
            admitted.append(self._waiting.popleft())
        now = self._clock.monotonic()
        for sequence in admitted:
            self._meters.admitted(sequence, now)
        self._running.extend(admitted)
        self._levels()
        return admitted

    def _iterate(self, admitted: list[Sequence]) -> None:
        if admitted:
            tokens = self._steps.prefill(admitted)
            now = self._clock.monotonic()
            for sequence in admitted:
                sequence.first_token = now
                self._meters.first_token(sequence)
            self._take(admitted, tokens)
        if rows := list(self._running):
            self._take(rows, self._steps.decode(rows))

    def _take(self, rows: list[Sequence], tokens: list[int]) -> None:
        """Give every row its new token, and say what became certain by it."""
        self._meters.step(len(rows))
        for sequence, token in zip(rows, tokens, strict=True):
            sequence.answer.append(token)
            at_end = token in self._end_tokens and not sequence.ignore_eos
            text = "" if at_end else sequence.text.push(token)
            finish: Finish | None = None
            if at_end or sequence.text.stopped:
                finish = "stop"
            elif len(sequence.answer) >= sequence.max_tokens:
                finish = "length"
            if finish is None:
                sequence.emit(Piece(text=text))
                continue
            text += sequence.text.finish()
            if sequence.text.stopped:
                finish = "stop"
            self._end(sequence, Piece(text=text, finish=finish), "ok")

    def _end(self, sequence: Sequence, piece: Piece, outcome: Outcome) -> None:
        if sequence in self._running:
            self._running.remove(sequence)
            self._slots.give_back(sequence.slots)
        else:
            self._waiting.remove(sequence)
        self._meters.ended(sequence, outcome, self._clock.monotonic())
        sequence.emit(piece)

    def _end_all(self, outcome: Outcome) -> None:
        with self._news:
            doomed = [*self._running, *(self._waiting if self._stopping else ())]
            for sequence in doomed:
                self._end(sequence, Piece(failed=outcome), outcome)

    def _levels(self) -> None:
        self._meters.levels(running=len(self._running), waiting=len(self._waiting), usage=self._slots.usage)
