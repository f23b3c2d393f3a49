"""The scorecard in the daemon: worked out beside the thread that evaluates alerts."""

import asyncio
import threading
from pathlib import Path

from forewarn.base.clock import SystemClock
from forewarn.config import Config
from forewarn.datadir import DataDir
from forewarn.forecasts import ForecastRuns
from forewarn.foundation import Foundation


async def test_the_scorecard_needs_no_turn_of_the_thread_that_evaluates_alerts(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    base = Foundation.open(data, Config(), SystemClock())
    free = threading.Event()
    held = asyncio.create_task(base.change_state(free.wait, 200))
    try:
        runs = ForecastRuns(Config(), base, [])
        async with asyncio.timeout(100):
            await runs.read_card()
        assert not held.done()
        assert runs.scorecard.since_ms
    finally:
        free.set()
        await held
        assert base.close()
