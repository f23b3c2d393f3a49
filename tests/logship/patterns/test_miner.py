import random

import numpy as np
import pytest

from logship.errors import LogshipError
from logship.patterns.compiled import AVAILABLE
from logship.patterns.miner import TAIL, Limits, Miner

WORDS = (
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliett",
    "kilo",
    "lima",
    "mike",
    "november",
    "oscar",
    "papa",
)


def syslog(*messages: str) -> bytes:
    head = "Jun 14 15:{:02d}:01 node{} server[{}]: {}\n"
    return "".join(head.format(i % 60, i % 9, i, said) for i, said in enumerate(messages)).encode()


def mined(*messages: str, fast: bool = AVAILABLE) -> tuple[Miner, list[int]]:
    miner = Miner(fast=fast)
    ids = miner.feed("a", syslog(*["the clock ticks"] * 40, *messages))
    return miner, miner.resolve(ids).tolist()[40:]


def noise(seed: int, lines: int) -> bytes:
    rnd = random.Random(seed)
    pieces = [
        lambda: rnd.choice(WORDS),
        lambda: str(rnd.randrange(10**6)),
        lambda: f"/var/{rnd.choice(WORDS)}/{rnd.randrange(9)}",
        lambda: f"eth{rnd.randrange(4)}",
        lambda: f"key={rnd.choice(WORDS)}",
        lambda: "a=, b=()",
        lambda: f'"{rnd.choice(WORDS)} {rnd.randrange(5)}"',
        lambda: f"[{rnd.randrange(99)}, {rnd.randrange(99)}]",
        lambda: f"{rnd.choice(WORDS).title()}Exception:",
        lambda: "naïve \x01 日本",
    ]
    frames = [[rnd.choice(pieces) for _ in range(rnd.randrange(1, 9))] for _ in range(40)]
    heads = [
        "2026-01-02 03:04:05,678 INFO ",
        "",
        "[1.2] ",
        "Jun 14 15:16:01 host app[12]: ",
        '{"level": 3, "message": "',
    ]
    said = []
    for _ in range(lines):
        head = rnd.choice(heads)
        body = " ".join(piece() for piece in rnd.choice(frames))
        said.append(head + body.replace('"', "'") + '"}' if head.startswith("{") else head + body)
    return "\n".join(said).encode() + b"\n"


def test_values_vary_and_sentences_do_not() -> None:
    _, ids = mined("request 1 took 5 ms", "request 22 took 19 ms", "request 3 failed", "took 4 ms")
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_words_become_a_variable_when_there_are_enough() -> None:
    few, ids = mined(*[f"loading model {word} from disk" for word in WORDS[:3]])
    assert len(set(ids)) == 3
    assert not few.merged
    many, ids = mined(*[f"loading model {word} from disk" for word in WORDS])
    assert len(set(ids)) == 1
    text = next(one.text for one in many.templates() if one.id == ids[0])
    assert text == "loading model <*> from disk"


def test_the_oldest_id_stays() -> None:
    miner = Miner()
    first = miner.feed("a", syslog(*["loading model alpha from disk"] * 30)).tolist()
    later = miner.feed("a", syslog(*[f"loading model {word} from disk" for word in WORDS]))
    assert set(first) == {later[-1]}
    assert set(miner.merged.values()) == set(first)


def test_states_stay_apart() -> None:
    states = ["up", "down", "enabled", "disabled", "true", "false", "running", "stopped", "ready"]
    _, ids = mined(*[f"link state is {state} now" for state in states])
    assert len(set(ids)) == len(states)


def test_tasks_under_way_stay_apart_where_names_do_not() -> None:
    tasks = ["powering-off", "image_uploading", "block_device_mapping", "being-deleted"]
    names = ["disk.local", "disk_remote", "pool-main", "gpu_second"]
    _, ids = mined(*[f"the instance has a pending ({word}) now" for word in tasks])
    assert len(set(ids)) == len(tasks)
    _, ids = mined(*[f"the instance has a volume ({word}) now" for word in names])
    assert len(set(ids)) == 1


def test_exception_names_stay_apart_where_names_do_not() -> None:
    names = [f"{word.title()}Exception" for word in WORDS]
    _, ids = mined(
        *[f"caught {word} while loading weights" for word in WORDS],
        "x",
        *[f"caught {name} while loading weights" for name in names * 2],
    )
    assert len(set(ids[: len(WORDS)])) == 1
    assert len(set(ids[len(WORDS) + 1 :])) == len(names)
    assert ids[0] not in ids[len(WORDS) + 1 :]


def test_few_values_at_a_merged_place_are_counted() -> None:
    miner, ids = mined(*["loading model.alpha now"] * 3, *["loading model.bravo now"] * 2)
    template = next(one for one in miner.templates() if one.id == ids[0])
    assert template.text == "loading <*> now"
    assert template.fields == {1: {"model.alpha": 3, "model.bravo": 2}}


def test_a_new_value_shows_although_many_lines_came_before() -> None:
    miner = Miner()
    miner.feed("a", syslog(*[f"pool {name}.main is full" for name in ("a", "b", "c")] * 30))
    miner.feed("a", syslog("pool d.main is full"))
    fields = [one.fields for one in miner.templates() if one.text == "pool <*> is full"]
    assert fields == [{1: {"a.main": 30, "b.main": 30, "c.main": 30, "d.main": 1}}]


def test_random_words_are_learned_once() -> None:
    rnd = random.Random(4)
    messages = ["".join(rnd.choice("abcdefghij") for _ in range(7)) for _ in range(5_000)]
    miner = Miner()
    ids = miner.resolve(miner.feed("a", syslog(*[f"session of {one} opened for model" for one in messages])))
    assert len(set(ids.tolist())) == 1
    assert len(miner.ids) < 40


@pytest.mark.parametrize("fast", [False, AVAILABLE])
def test_chunks_do_not_matter(*, fast: bool) -> None:
    data = noise(7, 1_500)
    lines = data.splitlines(keepends=True)
    whole = Miner(fast=fast)
    expected = whole.resolve(whole.feed("a", data))
    parts = Miner(fast=fast)
    got = [parts.feed("a", b"".join(lines[:800]))]
    got += [parts.feed("a", b"".join(lines[i : i + 7])) for i in range(800, len(lines), 7)]
    assert parts.resolve(np.concatenate(got)).tolist() == expected.tolist()
    assert parts.templates() == whole.templates()


@pytest.mark.skipif(not AVAILABLE, reason="needs the extra fast")
@pytest.mark.parametrize("seed", range(6))
def test_machine_code_and_plain_agree(seed: int) -> None:
    data = noise(seed, 1_200)
    fast, plain = Miner(fast=True), Miner(fast=False)
    assert fast.feed("a", data).tolist() == plain.feed("a", data).tolist()
    assert fast.templates() == plain.templates()
    assert fast.merged == plain.merged


def test_a_restart_keeps_ids() -> None:
    before = Miner()
    first = before.feed("a", noise(1, 1_000))
    after = Miner.load(before.save())
    assert after.templates() == before.templates()
    again = after.feed("a", noise(1, 1_000))
    assert after.resolve(again).tolist() == after.resolve(first).tolist()
    before.feed("a", noise(2, 300))
    after.feed("a", noise(2, 300))
    assert [one.text for one in after.templates()] == [one.text for one in before.templates()]


def test_a_strange_state_is_refused() -> None:
    with pytest.raises(LogshipError, match="not a state"):
        Miner.load(b"what is this")
    miner = Miner()
    miner.feed("a", noise(1, 500))
    with pytest.raises(LogshipError, match="more templates"):
        Miner.load(miner.save(), Limits(templates=10))


def test_free_text_goes_to_the_tail_and_the_rest_keeps_its_id() -> None:
    rnd = random.Random(3)

    def text() -> str:
        return " ".join("".join(rnd.choice("abcdefghij") for _ in range(6)) for _ in range(rnd.randrange(3, 20)))

    miner = Miner(Limits(templates=100, burst=300))
    sessions: set[int] = set()
    for _ in range(4):
        ids = miner.feed("a", syslog(*[text() if i % 2 else f"session {i} has ended" for i in range(600)]))
        sessions |= set(ids[::2].tolist())
    assert len(sessions) == 1
    assert TAIL not in sessions
    assert (ids[1::2] == TAIL).mean() > 0.9
    assert len(miner.ids) <= 101
    tail = miner.templates()[0]
    assert tail.id == TAIL
    assert sum(one.count for one in miner.templates()) <= 4 * 600


def test_json_lines_are_mined_by_their_message() -> None:
    lines = [f'{{"ts": {i}, "level": "info", "message": "loaded shard {i} of {word}"}}' for i, word in enumerate(WORDS)]
    miner = Miner()
    ids = miner.resolve(miner.feed("a", "\n".join([*lines, '{"broken', '{"other": 1}']).encode()))
    assert len(set(ids[:-2].tolist())) == 1
    assert {one.id: one.text for one in miner.templates()}[int(ids[0])] == "loaded shard <*> of <*>"
    assert len(ids) == len(lines) + 2


def test_blanks_beside_delimiters_and_line_ends() -> None:
    miner = Miner()
    ids = miner.feed("a", b"speaker on: true\r\nspeaker on: true\n\n   \nspeaker on: true")
    assert len(ids) == 5
    assert ids[0] == ids[1] == ids[4]
    assert ids[2] == ids[3] != ids[0]


def test_no_lines() -> None:
    miner = Miner()
    assert miner.feed("a", b"").tolist() == []
    assert miner.templates() == []
