import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from collector.catalogue import metric_of_sample
from collector.rounds import Collector
from collector.series import Sample, Scrape, SeriesKey
from collector.source import CollectError
from forewarn.base.lane import NoThreadError, StuckError
from tests.support.hand_clock import HandClock, settle

LIFE = 1_800_000_000_000


class Given:
    """A source that gives what it is told to, at once, or when its gate opens."""

    def __init__(self, name: str, *names: str, value: float = 1.0) -> None:
        self.name = name
        self.samples = [Sample(SeriesKey(name), value) for name in names]
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.calls = 0
        self.closed = False

    async def collect(self) -> Sequence[Sample]:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.samples

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> HandClock:
    return HandClock(LIFE)


def values(scrape: Scrape) -> dict[str, float]:
    return {str(sample.key): sample.value for sample in scrape.samples}


def health(scrape: Scrape, what: str, collector: str) -> dict[str, float]:
    """Values of one self-health metric, by its further label."""
    return {
        sample.key.label("code") or sample.key.label("reason"): sample.value
        for sample in scrape.samples
        if sample.key.name == f"forewarn_collector_{what}" and sample.key.label("collector") == collector
    }


async def timed_round(collector: Collector, clock: HandClock, *steps: float) -> Scrape:
    """A round while which the clock takes these steps."""
    task = asyncio.create_task(collector.round())
    await settle()
    for step in steps:
        await clock.advance(step)
    assert task.done()
    return task.result()


async def test_a_round_gathers_all_samples_and_tells_every_sources_health(clock: HandClock) -> None:
    collector = Collector([Given("one", "a", "b"), Given("two", "c", value=3)], clock, 5)
    assert collector.last is None
    scrape = await collector.round()
    assert collector.last is scrape
    assert scrape.time_ms == LIFE
    found = values(scrape)
    assert (found["a"], found["b"], found["c"]) == (1, 1, 3)
    for name in ("one", "two"):
        assert health(scrape, "success", name) == {"": 1}
        assert health(scrape, "last_success_timestamp_seconds", name) == {"": LIFE / 1000}
    for sample in scrape.samples:
        metric = metric_of_sample(sample.key.name)
        if metric is not None:
            assert sample.counter == (metric.type == "counter")
            assert {label for label, _ in sample.key.labels} == set(metric.labels)


async def test_a_failed_source_gives_nothing_and_is_named(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collector.rounds")
    broken = Given("broken", "a")
    collector = Collector([broken, Given("good", "b")], clock, 5)
    await collector.round()
    broken.error = CollectError("refused", "connection refused")
    await clock.advance(5)
    await collector.round()
    scrape = await collector.round()
    assert "a" not in values(scrape)
    assert values(scrape)["b"] == 1
    assert health(scrape, "success", "broken") == {"": 0}
    assert health(scrape, "errors_total", "broken") == {"refused": 2}
    assert health(scrape, "last_success_timestamp_seconds", "broken") == {"": LIFE / 1000}
    broken.error = None
    scrape = await collector.round()
    assert values(scrape)["a"] == 1
    assert health(scrape, "errors_total", "broken") == {"refused": 2}
    assert health(scrape, "last_success_timestamp_seconds", "broken") == {"": LIFE / 1000 + 5}
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [("WARNING", "a collector gives no data"), ("INFO", "a collector gives data again")]


async def test_a_source_that_flickers_is_said_once_and_again_when_it_stays_away(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "collector.rounds")
    broken, error = Given("broken", "a"), CollectError("no_data", "it is slow")
    collector = Collector([broken], clock, 5)

    async def rounds(number: int, error: CollectError | None) -> int:
        broken.error = error
        for _ in range(number):
            await collector.round()
            await clock.advance(5)
        return len(caplog.records)

    assert await rounds(2, error) == 1
    for _ in range(30):
        assert await rounds(1, None) == 2
        assert await rounds(1, error) == 2
    assert await rounds(11, error) == 2
    assert await rounds(2, error) == 3
    assert await rounds(13, None) == 4
    assert await rounds(1, error) == 5


@pytest.mark.parametrize(
    ("error", "code"),
    [(StuckError("lane", 1.0), "stuck"), (NoThreadError("lane"), "no_thread"), (RuntimeError("a bug"), "internal")],
)
async def test_other_errors_have_a_code_too(clock: HandClock, error: Exception, code: str) -> None:
    broken = Given("broken", "a")
    broken.error = error
    scrape = await Collector([broken], clock, 5).round()
    assert health(scrape, "errors_total", "broken") == {code: 1}
    assert health(scrape, "last_success_timestamp_seconds", "broken") == {}


async def test_a_source_that_hangs_delays_a_round_to_its_deadline_once(clock: HandClock) -> None:
    slow, good = Given("slow", "a"), Given("good", "b")
    slow.gate = asyncio.Event()
    collector = Collector([slow, good], clock, 5)
    task = asyncio.create_task(collector.round())
    await clock.advance(3.9)
    assert not task.done()
    await clock.advance(0.1)
    assert task.done()
    scrape = task.result()
    assert health(scrape, "errors_total", "slow") == {"timeout": 1}
    assert health(scrape, "duration_seconds", "slow") == {"": 4.0}
    assert values(scrape)["b"] == 1
    assert scrape.time_ms == LIFE

    await clock.advance(1)
    scrape = await timed_round(collector, clock)  # nobody waits for it any more
    assert health(scrape, "errors_total", "slow") == {"timeout": 1, "stuck": 1}
    assert health(scrape, "duration_seconds", "slow") == {"": 5.0}
    assert (slow.calls, good.calls) == (1, 2)
    await collector.close()


async def test_what_comes_late_is_dropped_and_the_source_is_asked_again(clock: HandClock) -> None:
    slow = Given("slow", "a")
    slow.gate = asyncio.Event()
    collector = Collector([slow], clock, 5)
    await timed_round(collector, clock, 4)
    slow.gate.set()
    await settle()
    slow.gate = None
    slow.samples = [Sample(SeriesKey("fresh"), 1.0)]
    found = values(await collector.round())
    assert "fresh" in found
    assert "a" not in found
    assert slow.calls == 2


async def test_a_late_error_is_nobodys(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    slow = Given("slow", "a")
    slow.gate, slow.error = asyncio.Event(), CollectError("refused", "late")
    collector = Collector([slow], clock, 5)
    await timed_round(collector, clock, 4)
    slow.gate.set()
    await settle()
    slow.gate = slow.error = None
    assert values(await collector.round())["a"] == 1
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_of_two_sources_with_one_series_the_earlier_wins(clock: HandClock) -> None:
    collector = Collector([Given("one", "a", value=1), Given("two", "a", "b", value=2)], clock, 5)
    await collector.round()
    scrape = await collector.round()
    assert values(scrape)["a"] == 1
    assert values(scrape)["b"] == 2
    assert health(scrape, "duplicate_series_total", "two") == {"": 2}
    assert health(scrape, "duplicate_series_total", "one") == {"": 0}


async def test_series_over_a_limit_are_counted_and_named_once(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    wide, more = Given("wide", *(f"w{n}" for n in range(5))), Given("more", *(f"m{n}" for n in range(5)))
    collector = Collector([wide, more], clock, 5, max_series_a_source=4, max_series=6)
    for _ in range(3):
        scrape = await collector.round()
    assert set(values(scrape)) >= {"w0", "w1", "w2", "w3", "m0", "m1"}
    assert not set(values(scrape)) & {"w4", "m2", "m3", "m4"}
    assert health(scrape, "refused_series", "wide") == {"over_limit": 1}
    assert health(scrape, "refused_series", "more") == {"over_limit": 3}
    assert [record.names for record in caplog.records] == [["w4"], ["m2", "m3", "m4"]]  # type: ignore[attr-defined]


async def test_a_source_that_the_hardware_bounds_may_give_more(clock: HandClock) -> None:
    names = [f"w{n}" for n in range(5)]
    collector = Collector([Given("wide", *names)], clock, 5, max_series_a_source=2, max_series_of={"wide": 4})
    assert set(values(await collector.round())) & set(names) == {"w0", "w1", "w2", "w3"}


async def test_sources_come_and_go(clock: HandClock) -> None:
    first, second = Given("first", "a"), Given("second", "b")
    collector = Collector([first], clock, 5)
    collector.add(second)
    with pytest.raises(ValueError, match="'second'"):
        collector.add(Given("second", "c"))
    assert {"a", "b"} <= set(values(await collector.round()))
    await collector.remove("first")
    assert first.closed
    found = values(await collector.round())
    assert "b" in found
    assert not [name for name in found if "first" in name or name == "a"]
    await collector.remove("first")
    await collector.close()
    assert second.closed


async def test_closing_does_not_wait_for_a_source_that_hangs(clock: HandClock) -> None:
    slow = Given("slow", "a")
    slow.gate = asyncio.Event()
    collector = Collector([slow], clock, 5)
    await timed_round(collector, clock, 4)
    await asyncio.wait_for(collector.close(), 60)
    assert slow.closed


async def test_sources_are_asked_at_once(clock: HandClock) -> None:
    meeting = asyncio.Barrier(3)
    come: Callable[[], object] = meeting.wait

    class Meets(Given):
        async def collect(self) -> Sequence[Sample]:
            await come()  # type: ignore[misc]
            return self.samples

    scrape = await Collector([Meets(name, name) for name in "abc"], clock, 5).round()
    assert {"a", "b", "c"} <= set(values(scrape))
