"""What forecasting costs: the batched parts, and a whole refresh by the daemon's own forecasting process."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import orjson

from bench.forecasting.asking import ONE_THREAD
from bench.forecasting.windows import Floats, Windows
from bench.keeping import SetTime
from collector.series import SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from forecast.book import ForecastBook
from forecast.run import make_forecasts
from forecast.scorebook import ScoreBook
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base import frames
from forewarn.base.clock import HOUR, MINUTE, SystemClock
from forewarn.base.errors import ForewarnError
from forewarn.statefile import open_state

NAME = "bench_load"
STEP_MS = 15 * MINUTE
FORBIDDEN = ("pandas", "prophet", "torch")
_CHILD = f"""
import json, sys, time
from pathlib import Path

import forecast.child
from forewarn.base.child import serve

def weighed(parent):
    forecast.child.main(parent)
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    imported = [name for name in {FORBIDDEN!r} if name in sys.modules]
    text = json.dumps({{"mib": int(peak) / 1024, "cpu_seconds": time.process_time(), "imported": imported}})
    Path(sys.argv[1]).write_text(text)

serve(weighed)
"""


@dataclass(frozen=True)
class Refresh:
    """One run of the forecasting process.

    Attributes:
        forecasts: made, in all and with a forecast in them.
        scored: earlier forecasts that were scored.
        cpu_seconds: of the whole process, its start and imports included.
        seconds: from the first frame to its end.
        mib: highest resident size.
        imported: of what must not be.
    """

    forecasts: int
    answered: int
    scored: int
    cpu_seconds: float
    seconds: float
    mib: float
    imported: list[str]


def batches(past: Floats, thresholds: Floats) -> dict[str, float]:
    """Milliseconds of processor time a series: Prophet's model, and features to forecast and breach."""
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
        file = Path(folder) / "windows.npz"
        np.savez(file, past=past, thresholds=thresholds)
        command = [sys.executable, "-m", "bench.forecasting.batches", str(file)]
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **ONE_THREAD})
    found: dict[str, float] = orjson.loads(done.stdout)
    return found


def refresh(windows: Windows, series: int, work: Path) -> Refresh:
    """The forecasting process over a store of so many series, with a limit each and forecasts that are due."""
    clock = SystemClock()
    now_ms = clock.now_ms() // HOUR * HOUR
    metrics, state = work / "metrics.db", work / "state.db"
    limit = _load(metrics, windows, series, now_ms)
    rows = [{"match": NAME, "limit": limit}]
    _forecast_earlier(metrics, state, rows, now_ms - 73 * HOUR)
    told = work / "told.json"
    environment = {**os.environ, **ONE_THREAD, "TMPDIR": str(work)}
    settings = {"nice": 0, "deadline": 600}
    order = {"store": str(metrics), "state": str(state), "forecast": settings, "targets": rows, "as_of_ms": now_ms}
    begin = time.perf_counter()
    command = [sys.executable, "-P", "-c", _CHILD, str(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(frames.encode({**order, "log_level": "WARNING"}))
        child.stdin.flush()
        found: list[dict[str, Any]] = []
        while (frame := frames.read(cast("BinaryIO", child.stdout))) is not None:
            found.append(frame)
    seconds = time.perf_counter() - begin
    if child.returncode or found[-1]["kind"] != "done":
        raise ForewarnError(f"the forecasting process ended with {child.returncode} after {found[-1:]}")
    made = [frame["forecast"] for frame in found if frame["kind"] == "forecast"]
    scored = sum(len(frame["scores"]) for frame in found if frame["kind"] == "scores")
    answered = sum(one["status"] == "ok" for one in made)
    return Refresh(len(made), answered, scored, seconds=seconds, **orjson.loads(told.read_bytes()))


def _load(path: Path, windows: Windows, series: int, now_ms: int) -> float:
    """A store of 28 days at 15 minutes; the limit that a fifth of the series has passed."""
    store = Store.open(path, StoreSettings(), SystemClock())
    bridged = windows.grid.bridged
    whole = bridged[np.isfinite(bridged).all(axis=1)]
    picked = whole[np.linspace(0, len(whole) - 1, series).astype(int)]
    random = np.random.default_rng(1)
    a_hour = HOUR // STEP_MS
    times = now_ms - STEP_MS * np.arange(picked.shape[1] * a_hour, 0, -1, dtype=np.int64)
    for number, row in enumerate(picked):
        scaled = row / max(np.abs(row).max(), 1e-9)
        values = np.repeat(scaled, a_hour) * random.normal(1.0, 0.02, times.size)
        store.append_history(SeriesKey.of(NAME, number=str(number)), times, values)
    while store.compact():
        pass
    store.close()
    return 0.9


def _forecast_earlier(metrics: Path, state: Path, rows: list[dict[str, Any]], as_of_ms: int) -> None:
    """Forecasts whose 72 hours are over, as the daemon would have stored them."""
    connection, _ = open_state(state, SystemClock())
    with closing(StoreReader(metrics)) as reader, closing(connection):
        targets = [TargetSettings.model_validate(row) for row in rows]
        ScoreBook(connection, state)  # makes its tables
        made = make_forecasts(reader, ForecastSettings(), targets, as_of_ms, clock=SetTime(as_of_ms))
        ForecastBook(connection, state).store(made)
