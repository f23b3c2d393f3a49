import random
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from worker.errors import ModelError, RequestError


@pytest.fixture(scope="module")
def rig(torch: ModuleType) -> ModuleType:
    from tests.support import engine_bench

    return engine_bench


@pytest.fixture(scope="module")
def loaded(load: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(None, tmp_path_factory.mktemp("data"), "cpu")


def prompts(count: int) -> list[list[int]]:
    source = random.Random(5)
    return [[256, *source.randbytes(source.randint(1, 40))] for _ in range(count)]


@pytest.mark.parametrize(
    ("waiting", "limit"), [(0, 8), (1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (33, 64), (64, 64), (5000, 64)]
)
def test_the_batch_grows_with_the_queue(torch: ModuleType, waiting: int, limit: int) -> None:
    from worker.engine import batch_limit

    assert batch_limit(waiting, 8, 64) == limit


def test_a_batch_of_64_gives_what_transformers_itself_generates(
    torch: ModuleType, rig: ModuleType, loaded: Any
) -> None:
    bench = rig.Bench(loaded)
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


def test_sequences_join_and_leave_without_disturbing_the_others(rig: ModuleType, loaded: Any) -> None:
    bench = rig.Bench(loaded, min_batch=2, max_batch=3, prefill_tokens=50, kv_cache_tokens=200)
    crowded = [bench.sequence(i, prompt, 5 + 9 * (i % 4)) for i, prompt in enumerate(prompts(20))]
    bench.run(crowded)
    for i, prompt in enumerate(prompts(20)):
        single = bench.sequence(i, prompt, 5 + 9 * (i % 4))
        bench.run([single])
        assert single.answer == crowded[i].answer
    bench.engine.stop()


def test_a_deadline_and_a_client_that_left_free_their_slots(rig: ModuleType, loaded: Any) -> None:
    bench = rig.Bench(loaded)
    late = bench.sequence(0, prompts(1)[0], 2000, seconds=0.2)
    gone = bench.sequence(1, prompts(1)[0], 2000)
    bench.engine.submit([late, gone])
    bench.engine.abandon([gone])
    ends = bench.wait(2)
    assert {index: piece.failed for index, piece in ends.items()} == {0: "timeout", 1: "cancelled"}
    assert bench.pool.usage == 0
    bench.engine.stop()


def test_a_failed_step_ends_its_sequences_and_not_the_worker(
    rig: ModuleType, loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = rig.Bench(loaded, rig.BreaksOnce)
    first = bench.run([bench.sequence(i, prompt, 4) for i, prompt in enumerate(prompts(3))])
    assert {piece.failed for piece in first.values()} == {"error"}
    assert "out of memory" in caplog.text
    assert bench.pool.usage == 0
    assert bench.run([bench.sequence(9, prompts(1)[0], 4)])[9].finish == "length"
    bench.engine.stop()


def test_a_fault_that_stays_is_told_and_does_not_fill_the_log(
    rig: ModuleType, loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from worker.engine import FAILED_STEPS

    clock = rig.LeapingClock()
    bench = rig.Bench(loaded, rig.Breaks, clock)

    def ask() -> Any:
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
    wait_until = time.monotonic() + 60
    while bench.engine.trouble() and time.monotonic() < wait_until:
        time.sleep(0.01)  # the answer leaves before its step has ended
    assert bench.engine.trouble() is None
    bench.engine.stop()


def test_a_step_that_does_not_return_is_told(rig: ModuleType, loaded: Any) -> None:
    bench = rig.Bench(loaded, rig.Hangs, request_timeout=0.2)
    assert bench.engine.trouble() is None
    bench.engine.submit([bench.sequence(0, prompts(1)[0], 4)])
    until = time.monotonic() + 60
    while bench.engine.trouble() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert "a model step has been running" in str(bench.engine.trouble())
    bench.steps.go_on.set()
    bench.wait(1)
    bench.engine.stop()


def test_a_full_queue_refuses_all_of_a_request(rig: ModuleType, loaded: Any) -> None:
    bench = rig.Bench(loaded, max_waiting=4, min_batch=1, max_batch=1)
    bench.engine.submit([bench.sequence(i, prompt, 500) for i, prompt in enumerate(prompts(4))])
    with pytest.raises(RequestError) as refused:
        bench.engine.submit([bench.sequence(i, prompt, 4) for i, prompt in enumerate(prompts(4))])
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    bench.engine.stop()


def test_a_request_that_can_never_fit_the_queue_is_wrong_and_not_early(rig: ModuleType, loaded: Any) -> None:
    bench = rig.Bench(loaded, max_waiting=4)
    with pytest.raises(RequestError, match="5 prompts are over the 4") as refused:
        bench.engine.submit([bench.sequence(i, prompt, 4) for i, prompt in enumerate(prompts(5))])
    assert (refused.value.status, refused.value.retry_after) == (400, None)
    bench.engine.stop()


def test_the_end_answers_everyone(rig: ModuleType, loaded: Any) -> None:
    bench = rig.Bench(loaded)
    bench.engine.submit([bench.sequence(i, prompt, 500) for i, prompt in enumerate(prompts(30))])
    bench.engine.stop()
    assert {piece.failed for piece in bench.wait(30).values()} == {"cancelled"}
    with pytest.raises(RequestError) as refused:
        bench.engine.submit([bench.sequence(0, [1], 1)])
    assert refused.value.status == 503


def test_the_random_model_is_the_same_every_time(torch: ModuleType, load: Any, loaded: Any, tmp_path: Path) -> None:
    again = load(None, tmp_path, "cpu")
    ours, theirs = loaded.model.state_dict(), again.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert again.random


def test_a_damaged_random_model_is_made_again(
    torch: ModuleType, load: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = load(None, tmp_path, "cpu")
    (weights,) = tmp_path.rglob("model.safetensors")
    half = weights.read_bytes()[:1000]
    weights.unlink()  # the first model is mapped from this file
    weights.write_bytes(half)
    again = load(None, tmp_path, "cpu")
    assert "damaged" in caplog.text
    assert torch.equal(first.model.lm_head.weight, again.model.lm_head.weight)
    assert weights.stat().st_size > 100_000


def test_a_data_directory_that_cannot_be_written_is_named(load: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"cannot write the default model to .*file"):
        load(None, tmp_path / "file", "cpu")
