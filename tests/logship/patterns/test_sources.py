"""Headers of shapes of which there are few lines: learned in the end, at no cost for the others, in bounded memory."""

import time

import pytest

from logship.patterns.compiled import AVAILABLE
from logship.patterns.header import SURE
from logship.patterns.headers import LONGEST_LINE, MOST_HELD, MOST_SOURCES, Sources
from logship.patterns.miner import Miner

BODY = b"".join(b"2026-02-02 02:40:%02d INFO engine: request %d done\n" % (i % 60, i) for i in range(2_000))
PUNCTUATION = b"!#$%&*+-./;?@^_~"
RARE = b"".join(b"1%c2%c3 banner of one shape\n" % (one, other) for one in PUNCTUATION[:6] for other in PUNCTUATION)
WAYS = [
    pytest.param(False, id="plain"),
    pytest.param(True, id="fast", marks=pytest.mark.skipif(not AVAILABLE, reason="no numba")),
]


def said(miner: Miner) -> set[str]:
    return {template.text for template in miner.templates()}


def lines_at(first: int, count: int) -> bytes:
    return b"".join(b"Jun 14 15:16:%02d app[%d]: the clock ticks\n" % (n % 60, n) for n in range(first, first + count))


@pytest.mark.parametrize("fast", WAYS)
def test_a_shape_that_comes_line_by_line_gets_its_header_in_the_end(*, fast: bool) -> None:
    miner = Miner(fast=fast)
    for n in range(SURE - 1):
        miner.feed("a", lines_at(n, 1) + BODY[:500])
    assert "the clock ticks" not in said(miner)
    miner.feed("a", lines_at(50, 1))
    assert "the clock ticks" in said(miner)


@pytest.mark.parametrize("fast", WAYS)
def test_it_goes_on_learning_after_a_restart(*, fast: bool) -> None:
    miner = Miner(fast=fast)
    miner.feed("a", lines_at(0, 3))
    again = Miner.load(miner.save(), fast=fast)
    again.feed("a", lines_at(3, 5))
    assert "the clock ticks" not in said(again)
    again.feed("a", lines_at(8, SURE))
    assert "the clock ticks" in said(again)


@pytest.mark.parametrize("fast", WAYS)
def test_rare_lines_do_not_slow_down_the_others(*, fast: bool) -> None:
    body = BODY * 10 if fast else BODY[: len(BODY) // 4]

    def seconds(head: bytes) -> float:
        miner = Miner(fast=fast)
        miner.feed("a", head + body)
        found = []
        for _ in range(7):
            begun = time.process_time()
            miner.feed("a", body)
            found.append(time.process_time() - begun)
        return min(found)

    assert seconds(RARE) < 3 * seconds(b"")


def test_lines_of_many_shapes_are_held_up_to_a_limit_only() -> None:
    sources = Sources()
    for source in map(str, range(100)):
        headers = sources.of(source)
        for shape in range(1, 251):
            sources.learn(source, shape, [b"x" * LONGEST_LINE])
        sources.ask_again(source, range(1, 251))
        assert len(headers.known) == len(headers.wanted) == 250 or sources._held > MOST_HELD / 2
    assert sources._held <= MOST_HELD
    assert sources._held == sum(len(line) + 64 for lines in sources._few.values() for line in lines)
    assert {(name, shape) for name, known in sources._known.items() for shape in known.wanted} == sources._few.keys()


@pytest.mark.parametrize("fast", WAYS)
def test_only_the_beginning_of_a_long_line_is_held(*, fast: bool) -> None:
    miner = Miner(fast=fast)
    miner.feed("a", b"".join(b"1%c2 " % one + b"x" * 100_000 + b"\n" for one in PUNCTUATION))
    assert miner._sources._held < len(PUNCTUATION) * 1_000


def test_the_source_that_was_silent_for_longest_is_forgotten() -> None:
    miner = Miner()
    miner.feed("old", lines_at(0, 40))
    miner.feed("busy", lines_at(0, 40))
    for n in range(MOST_SOURCES + 50):
        miner.feed(f"session-{n}.scope", b"Accepted publickey for root\n")
        miner.feed("busy", lines_at(n, 1))
    assert len(miner._sources) == MOST_SOURCES
    kept = miner._sources.save()
    assert "busy" in kept
    assert "old" not in kept
    assert len(miner._sources._few) <= MOST_SOURCES
    assert len(Miner.load(miner.save())._sources) == MOST_SOURCES
