import queue
import random
import threading
import time
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from forewarn.base.clock import Clock, SystemClock
from worker.checkpoint import Loaded, load
from worker.engine import FAILED_STEPS, Engine, batch_limit
from worker.errors import ModelError, RequestError
from worker.metrics import Meters
from worker.pool import TokenPool
from worker.runner import Runner
from worker.sampling import Choice
from worker.sequence import Piece, Sequence
from worker.settings import WorkerSettings
from worker.text import TextStream


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(None, tmp_path_factory.mktemp("data"), "cpu")


def prompts(count: int) -> list[list[int]]:
    source = random.Random(5)
    return [[256, *source.randbytes(source.randint(1, 40))] for _ in range(count)]


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
            index, piece = self.pieces.get(timeout=30)
            if piece.finish or piece.failed:
                ends[index] = piece
        return ends


@pytest.mark.parametrize(
    ("waiting", "limit"), [(0, 8), (1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (33, 64), (64, 64), (5000, 64)]
)
def test_the_batch_grows_with_the_queue(waiting: int, limit: int) -> None:
    assert batch_limit(waiting, 8, 64) == limit


def test_a_batch_of_64_gives_what_transformers_itself_generates(loaded: Loaded) -> None:
    bench = Bench(loaded)
    sequences = [bench.sequence(i, prompt, 12 + i % 7) for i, prompt in enumerate(prompts(64))]
    bench.run(sequences)
    for sequence in sequences[::4]:
        alone = loaded.model.generate(
            torch.tensor([sequence.prompt]),
            attention_mask=torch.ones(1, len(sequence.prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=sequence.max_tokens,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert sequence.answer == alone[0, len(sequence.prompt) :].tolist()
    assert bench.pool.usage == 0
    bench.engine.stop()


def test_sequences_join_and_leave_without_disturbing_the_others(loaded: Loaded) -> None:
    bench = Bench(loaded, min_batch=2, max_batch=3, prefill_tokens=50, kv_cache_tokens=200)
    crowded = [bench.sequence(i, prompt, 5 + 9 * (i % 4)) for i, prompt in enumerate(prompts(20))]
    bench.run(crowded)
    for i, prompt in enumerate(prompts(20)):
        single = bench.sequence(i, prompt, 5 + 9 * (i % 4))
        bench.run([single])
        assert single.answer == crowded[i].answer
    bench.engine.stop()


def test_a_deadline_and_a_client_that_left_free_their_slots(loaded: Loaded) -> None:
    bench = Bench(loaded)
    late = bench.sequence(0, prompts(1)[0], 2000, seconds=0.2)
    gone = bench.sequence(1, prompts(1)[0], 2000)
    bench.engine.submit([late, gone])
    bench.engine.abandon([gone])
    ends = bench.wait(2)
    assert {index: piece.failed for index, piece in ends.items()} == {0: "timeout", 1: "cancelled"}
    assert bench.pool.usage == 0
    bench.engine.stop()


class BreaksOnce(Runner):
    broken = False

    def decode(self, rows: Rows[Sequence]) -> list[int]:
        if not self.broken:
            self.broken = True
            raise RuntimeError("out of memory")
        return super().decode(rows)


def test_a_failed_step_ends_its_sequences_and_not_the_worker(loaded: Loaded, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(loaded, BreaksOnce)
    first = bench.run([bench.sequence(i, prompt, 4) for i, prompt in enumerate(prompts(3))])
    assert {piece.failed for piece in first.values()} == {"error"}
    assert "out of memory" in caplog.text
    assert bench.pool.usage == 0
    assert bench.run([bench.sequence(9, prompts(1)[0], 4)])[9].finish == "length"
    bench.engine.stop()


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


def test_a_fault_that_stays_is_told_and_does_not_fill_the_log(loaded: Loaded, caplog: pytest.LogCaptureFixture) -> None:
    clock = LeapingClock()
    bench = Bench(loaded, Breaks, clock)

    def ask() -> Piece:
        return bench.run([bench.sequence(0, prompts(1)[0], 1, seconds=1e6)])[0]

    troubles = [bench.engine.trouble() for _ in range(FAILED_STEPS) if ask().failed == "error"]
    assert troubles == [None] * (FAILED_STEPS - 1) + ["the last 3 model steps have failed"]
    assert [bool(record.exc_info) for record in caplog.records] == [True]
    clock.leap += 61
    assert [ask().failed for _ in range(4)] == ["error"] * 4
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]
    assert caplog.records[1].__dict__["error"] == "RuntimeError: device-side assert"
    bench.steps.broken = False
    assert ask().finish == "length"
    wait_until = time.monotonic() + 5
    while bench.engine.trouble() and time.monotonic() < wait_until:
        time.sleep(0.01)  # the answer leaves before its step has ended
    assert bench.engine.trouble() is None
    bench.engine.stop()


class Hangs(Runner):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go_on = threading.Event()

    def decode(self, rows: Rows[Sequence]) -> list[int]:
        self.go_on.wait(30)
        return super().decode(rows)


def test_a_step_that_does_not_return_is_told(loaded: Loaded) -> None:
    bench = Bench(loaded, Hangs, request_timeout=0.2)
    assert bench.engine.trouble() is None
    bench.engine.submit([bench.sequence(0, prompts(1)[0], 4)])
    time.sleep(0.5)
    assert "a model step has been running" in str(bench.engine.trouble())
    bench.steps.go_on.set()
    bench.wait(1)
    bench.engine.stop()


def test_a_full_queue_refuses_all_of_a_request(loaded: Loaded) -> None:
    bench = Bench(loaded, max_waiting=4, min_batch=1, max_batch=1)
    bench.engine.submit([bench.sequence(i, prompt, 500) for i, prompt in enumerate(prompts(4))])
    with pytest.raises(RequestError) as refused:
        bench.engine.submit([bench.sequence(i, prompt, 4) for i, prompt in enumerate(prompts(4))])
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    bench.engine.stop()


def test_a_request_that_can_never_fit_the_queue_is_wrong_and_not_early(loaded: Loaded) -> None:
    bench = Bench(loaded, max_waiting=4)
    with pytest.raises(RequestError, match="5 prompts are over the 4") as refused:
        bench.engine.submit([bench.sequence(i, prompt, 4) for i, prompt in enumerate(prompts(5))])
    assert (refused.value.status, refused.value.retry_after) == (400, None)
    bench.engine.stop()


def test_the_end_answers_everyone(loaded: Loaded) -> None:
    bench = Bench(loaded)
    bench.engine.submit([bench.sequence(i, prompt, 500) for i, prompt in enumerate(prompts(30))])
    bench.engine.stop()
    assert {piece.failed for piece in bench.wait(30).values()} == {"cancelled"}
    with pytest.raises(RequestError) as refused:
        bench.engine.submit([bench.sequence(0, [1], 1)])
    assert refused.value.status == 503


def test_the_random_model_is_the_same_every_time(loaded: Loaded, tmp_path: Path) -> None:
    again = load(None, tmp_path, "cpu")
    ours, theirs = loaded.model.state_dict(), again.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert again.random


def test_a_damaged_random_model_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = load(None, tmp_path, "cpu")
    (weights,) = tmp_path.rglob("model.safetensors")
    half = weights.read_bytes()[:1000]
    weights.unlink()  # the first model is mapped from this file
    weights.write_bytes(half)
    again = load(None, tmp_path, "cpu")
    assert "damaged" in caplog.text
    assert torch.equal(first.model.lm_head.weight, again.model.lm_head.weight)
    assert weights.stat().st_size > 100_000


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"cannot write the default model to .*file"):
        load(None, tmp_path / "file", "cpu")
