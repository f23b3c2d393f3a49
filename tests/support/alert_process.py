"""A process that evaluates one firing rule, and delivers if asked to: ``alert_process.py STATE_DB URL [deliver]``."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alerts.delivery import Dispatcher
from alerts.engine import Engine
from alerts.settings import AlertsSettings
from forewarn.base.clock import SystemClock
from forewarn.base.sqlite import open_writer
from tests.support.alert_rig import HOT, HOT_RULE
from tests.support.latest_samples import Forecasts, LatestSamples


async def submit(function: Callable[..., Any], /, *args: Any) -> Any:
    return function(*args)


def main(path: Path, url: str, *, deliver: bool) -> None:
    settings = AlertsSettings.model_validate(
        {
            "rule": [HOT_RULE],
            "shipped_rules": False,
            "receiver": [{"name": "ops", "url": url}],
            "group_wait": 0,
        }
    )
    clock, store = SystemClock(), LatestSamples()
    engine = Engine(settings, store, Forecasts(), open_writer(path), path, clock)
    store.put(HOT, 81, clock.now_ms())
    engine.evaluate()
    print("evaluated", flush=True)  # noqa: T201  the test waits for it
    if deliver:
        asyncio.run(Dispatcher(engine.outbox, settings.receiver, clock, submit).run())
    time.sleep(300)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], deliver=sys.argv[3:] == ["deliver"])
