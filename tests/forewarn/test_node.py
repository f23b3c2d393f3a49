import pytest

from collector.source import CollectError
from forewarn.node import Relay
from tests.support.hand_clock import HandClock

FRAME = {"kind": "samples", "samples": [["forewarn_logs_up", {"b": "2", "a": "1"}, 1.0, False], ["x", {}, None, False]]}


async def test_what_a_child_sent_is_handed_on_while_it_is_fresh() -> None:
    clock = HandClock()
    relay = Relay("logship", clock, 30)
    assert await relay.collect() == []  # it has just been started
    relay.on_frame(FRAME)
    (sample,) = await relay.collect()
    assert str(sample.key) == 'forewarn_logs_up{a="1",b="2"}'
    await clock.advance(31)
    with pytest.raises(CollectError) as silent:
        await relay.collect()
    assert silent.value.code == "silent"


async def test_a_child_that_cannot_work_says_why() -> None:
    relay = Relay("logship", HandClock(), 30)
    relay.on_frame({"kind": "off", "reason": "the extra 'logs' is missing"})
    with pytest.raises(CollectError, match="'logs' is missing"):
        await relay.collect()


async def test_one_that_was_started_with_another_configuration_is_heard_again() -> None:
    relay = Relay("logship", HandClock(), 30)
    relay.on_frame({"kind": "off", "reason": "nothing to ship"})
    relay.on_frame(FRAME)
    assert len(await relay.collect()) == 1
