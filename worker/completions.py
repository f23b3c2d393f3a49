"""From a request to the pieces of its answer."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from forewarn.base.clock import Clock
from worker.engine import Engine
from worker.errors import RequestError
from worker.metrics import Meters
from worker.protocol import CompletionRequest, parse_request
from worker.sampling import Choice
from worker.sequence import Outcome, Piece, Sequence
from worker.settings import WorkerSettings
from worker.text import TextStream
from worker.tokens import Tokenizer

_FAILURES: dict[Outcome, tuple[int, str, str]] = {
    "timeout": (504, "timeout_error", "the answer took longer than request_timeout"),
    "cancelled": (503, "server_error", "the worker is ending"),
    "error": (500, "server_error", "the model step failed; the worker's log says why"),
}


@dataclass(frozen=True, slots=True)
class Served:
    """The model that is served.

    Attributes:
        name: its id in requests and labels.
        device: cpu or cuda.
        random: whether its weights are random, so that its text means nothing.
        parameters: number of weights.
        vocabulary: number of token ids.
        context: tokens of a prompt and its answer together, at most.
        created: seconds since the epoch when its files were written.
    """

    name: str
    device: str
    random: bool
    parameters: int
    vocabulary: int
    context: int
    created: int


class Completion:
    """One request's sequences and the queue on which their pieces arrive."""

    def __init__(
        self, request: CompletionRequest, sequences: list[Sequence], pieces: "asyncio.Queue[tuple[int, Piece]]"
    ) -> None:
        self.request = request
        self.sequences = sequences
        self._pieces = pieces

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(len(sequence.prompt) for sequence in self.sequences)

    @property
    def completion_tokens(self) -> int:
        """Tokens generated so far."""
        return sum(len(sequence.answer) for sequence in self.sequences)

    async def pieces(self, timeout: float) -> AsyncIterator[tuple[int, Piece]]:  # noqa: ASYNC109  one deadline for all
        """Prompt number and piece, as they come, until every prompt has its answer.

        Raises:
            RequestError: 504 after ``timeout`` seconds, 500 or 503 when the engine gave up.
        """
        open_ends = len(self.sequences)
        try:
            async with asyncio.timeout(timeout):
                while open_ends:
                    index, piece = await self._pieces.get()
                    if piece.failed is not None:
                        raise _failure(piece.failed)
                    open_ends -= piece.finish is not None
                    yield index, piece
        except TimeoutError:
            raise _failure("timeout") from None


class Completions:
    """Checks requests, turns them into sequences and hands them to the engine."""

    def __init__(
        self,
        settings: WorkerSettings,
        served: Served,
        tokenizer: Tokenizer,
        *,
        engine: Engine,
        meters: Meters,
        clock: Clock,
        randomness: random.Random,
    ) -> None:
        self.served = served
        self._settings = settings
        self._tokenizer = tokenizer
        self._engine = engine
        self._meters = meters
        self._clock = clock
        self._randomness = randomness

    def begin(self, body: bytes) -> Completion:
        """Queue the prompts of a request.

        Raises:
            RequestError: 400 or 404 where the request is wrong, 429 with the queue full, 503 while the worker ends.
        """
        arrived = self._clock.monotonic()
        prompts = 1
        try:
            request = self._checked(parse_request(body))
            tokens = self._encoded(request)
            prompts = len(tokens)
            pieces: asyncio.Queue[tuple[int, Piece]] = asyncio.Queue()
            sequences = [
                self._sequence(request, one, index, _sender(pieces, index), arrived) for index, one in enumerate(tokens)
            ]
            self._engine.submit(sequences)
        except RequestError as error:
            self._meters.count("rejected" if error.status in {429, 503} else "error", prompts)
            raise
        return Completion(request, sequences, pieces)

    def time_left(self, completion: Completion) -> float:
        """Seconds until the request's time is over."""
        return completion.sequences[0].deadline - self._clock.monotonic()

    def abandon(self, completion: Completion) -> None:
        """The client is gone, or its time over."""
        self._engine.abandon(completion.sequences)

    def _checked(self, request: CompletionRequest) -> CompletionRequest:
        if request.model is not None and request.model != self.served.name:
            raise RequestError(
                f"there is no model {request.model!r} here, only {self.served.name!r}",
                status=404,
                param="model",
                code="model_not_found",
            )
        if (request.max_tokens or 16) > self._settings.max_tokens:
            raise RequestError(
                f"max_tokens: {request.max_tokens} is over this worker's limit of {self._settings.max_tokens}",
                param="max_tokens",
            )
        if request.stream_options is not None and not request.stream:
            raise RequestError("stream_options: only a stream takes them", param="stream_options")
        return request

    def _encoded(self, request: CompletionRequest) -> list[list[int]]:
        prompts = request.prompts
        if not prompts:
            raise RequestError("prompt: the list is empty", param="prompt")
        tokens = [self._tokenizer.encode(one) if isinstance(one, str) else one for one in prompts]
        for one in tokens:
            if not one:
                raise RequestError("prompt: it holds no token", param="prompt")
            if max(one) >= self.served.vocabulary:
                raise RequestError(f"prompt: {max(one)} is no token id of this model", param="prompt")
            length = len(one) + (request.max_tokens or 16)
            if length > self.served.context:
                raise RequestError(
                    f"prompt: its {len(one)} tokens and max_tokens make {length}, over the {self.served.context} that"
                    " this worker holds",
                    param="prompt",
                    code="context_length_exceeded",
                )
        return tokens

    def _sequence(
        self, request: CompletionRequest, tokens: list[int], index: int, emit: Callable[[Piece], None], arrived: float
    ) -> Sequence:
        seed = self._randomness.getrandbits(64) if request.seed is None else request.seed
        return Sequence(
            prompt=tokens,
            max_tokens=request.max_tokens or 16,
            choice=Choice(
                temperature=1.0 if request.temperature is None else request.temperature,
                top_p=1.0 if request.top_p is None else request.top_p,
            ),
            draws=random.Random(f"{seed}/{index}"),  # noqa: S311  sampling, not secrets
            text=TextStream(self._tokenizer, request.stops),
            emit=emit,
            arrived=arrived,
            deadline=arrived + self._settings.request_timeout,
            ignore_eos=request.ignore_eos,
        )


def _sender(pieces: "asyncio.Queue[tuple[int, Piece]]", index: int) -> Callable[[Piece], None]:
    """A way for the engine's thread to put pieces on this loop's queue."""
    loop = asyncio.get_running_loop()
    return lambda piece: _send(loop, pieces, (index, piece))


def _send(loop: asyncio.AbstractEventLoop, pieces: "asyncio.Queue[tuple[int, Piece]]", item: tuple[int, Piece]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(pieces.put_nowait, item)


def _failure(outcome: Outcome) -> RequestError:
    status, kind, message = _FAILURES[outcome]
    return RequestError(message, status=status, type=kind)
