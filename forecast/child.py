"""The forecasting process: one run at low priority, one frame a forecast, then it ends.

The first frame holds ``store`` (path), ``forecast`` (settings), ``targets`` (rows), ``as_of_ms`` and ``log_level``.
Sent are ``{"kind": "progress", "done": n, "total": n}``, ``{"kind": "forecast", "forecast": {...}}`` for each target;
where the first frame names ``state`` (path), ``{"kind": "scores", "scores": [...]}`` for each target with stored
forecasts whose 72 hours are over; and at the end ``{"kind": "done", "forecasts": n, "seconds": s}`` or ``{"kind":
"error", "message": ..., "hint": ...}``. From what is stored in ``state`` the bands learn, too.
"""

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from forewarn.base.child import Parent, serve
from forewarn.base.clock import SystemClock
from forewarn.base.errors import ForewarnError
from forewarn.base.threads import one_thread

if TYPE_CHECKING:
    from forecast.settings import ForecastSettings, TargetSettings

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""A run that takes this many times its deadline hangs, and its process ends."""


def main(parent: Parent) -> None:
    """Make one run's forecasts and hand them over."""
    one_thread()  # before NumPy is imported
    from forecast.scratch import scratch  # noqa: PLC0415
    from forecast.settings import ForecastSettings, TargetSettings  # noqa: PLC0415

    settings = ForecastSettings.model_validate(parent.settings["forecast"])
    rows = [TargetSettings.model_validate(row) for row in parent.settings["targets"]]
    os.nice(settings.nice)
    watch = threading.Timer(PATIENCE * settings.deadline, os._exit, args=(1,))
    watch.daemon = True
    watch.start()
    try:
        with scratch():
            _run(parent, settings, rows)
    except ForewarnError as error:
        parent.send({"kind": "error", "message": error.message, "hint": error.hint})


def _run(parent: Parent, settings: "ForecastSettings", rows: "list[TargetSettings]") -> None:
    from collector.store import StoreReader  # noqa: PLC0415
    from forecast.earlier import read_earlier  # noqa: PLC0415
    from forecast.run import make_forecasts  # noqa: PLC0415
    from forecast.scoring import score_due  # noqa: PLC0415

    clock = SystemClock()
    begin = clock.monotonic()
    reader = StoreReader(Path(parent.settings["store"]))

    def progress(done: int, total: int) -> None:
        parent.send({"kind": "progress", "done": done, "total": total})

    count = 0
    as_of_ms = parent.settings["as_of_ms"]
    try:
        earlier = read_earlier(Path(parent.settings["state"]), as_of_ms) if "state" in parent.settings else None
        for forecast in make_forecasts(reader, settings, rows, as_of_ms, progress, earlier=earlier, clock=clock):
            parent.send({"kind": "forecast", "forecast": forecast.to_dict()})
            count += 1
            if parent.stopping.is_set():
                return
        if "state" in parent.settings:
            for scores in score_due(Path(parent.settings["state"]), reader, rows, as_of_ms):
                parent.send({"kind": "scores", "scores": [score.to_dict() for score in scores]})
                if parent.stopping.is_set():
                    return
    finally:
        reader.close()
    parent.send({"kind": "done", "forecasts": count, "seconds": clock.monotonic() - begin})


if __name__ == "__main__":
    serve(main)
