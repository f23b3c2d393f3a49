import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewarn.base.errors import StoreError
from forewarn.config import Config
from forewarn.datadir import DataDir
from forewarn.foundation import STALLED_SECONDS, Foundation
from tests.support.hand_clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def base(tmp_path: Path, clock: HandClock) -> Iterator[Foundation]:
    with DataDir(tmp_path / "data") as data:
        base = Foundation.open(data, Config(), clock)
        yield base
        assert base.close()


def writable(base: Foundation) -> float:
    return {sample.key.name: sample.value for sample in base.samples()}["forewarn_state_writable"]


async def test_a_change_that_does_not_come_back_is_told(base: Foundation, clock: HandClock) -> None:
    gate = threading.Event()
    change = asyncio.create_task(base.change_state(gate.wait))
    await asyncio.sleep(0)
    assert writable(base) == 1
    await clock.advance(STALLED_SECONDS + 1)
    assert writable(base) == 0
    gate.set()
    await change
    assert writable(base) == 1


async def test_a_change_that_fails_is_told_until_one_succeeds(base: Foundation) -> None:
    with pytest.raises(StoreError, match=r"state\.db: no such table"):
        await base.change_state(base.state.execute, "DELETE FROM nowhere")
    assert writable(base) == 0
    await base.change_state(base.probe_state)
    assert writable(base) == 1
