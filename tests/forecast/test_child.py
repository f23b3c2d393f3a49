"""The forecasting process over a real store: frames out, low priority, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from collector.series import SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from forecast.results import Forecast
from forecast.run import make_forecasts
from forecast.scratch import PREFIX, scratch, sweep
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base import frames
from forewarn.base.clock import SystemClock

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
ROWS = [{"match": "forewarn_imported_value", "limit": 100.0}, {"match": "young", "limit": 1.0}]
Real = dict[str, tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def now_ms() -> int:
    return SystemClock().now_ms()


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory, real_series: Real, now_ms: int) -> Path:
    """A store with the real series moved up to now, a counter, a young series and a filesystem that fills."""
    path = tmp_path_factory.mktemp("data") / "metrics.db"
    store = Store.open(path, StoreSettings(), SystemClock())
    for name, (times, values) in real_series.items():
        shift = now_ms // HOUR_MS * HOUR_MS - (int(times[-1]) // HOUR_MS + 1) * HOUR_MS
        store.append_history(SeriesKey.of("forewarn_imported_value", series=name), times + shift, values)
    times = now_ms // MINUTE_MS * MINUTE_MS - np.arange(210, 0, -5, dtype=np.int64) * MINUTE_MS
    store.append_history(SeriesKey.of("young"), times, np.ones(42))
    times = now_ms // HOUR_MS * HOUR_MS - np.arange(30 * 60, 0, -5, dtype=np.int64) * MINUTE_MS
    store.append_history(SeriesKey.of("busy_total"), times, 900.0 * np.arange(360), counter=True)
    disk = {"device": "/dev/sda1", "fstype": "ext4", "mountpoint": "/data"}
    labels = tuple(sorted(disk.items()))
    free = 500e9 - 1e9 * np.arange(360) / 12
    store.append_history(SeriesKey("forewarn_node_filesystem_avail_bytes", labels), times, free)
    store.append_history(SeriesKey("forewarn_node_filesystem_size_bytes", labels), times, np.full(360, 9e12))
    while store.compact():
        pass
    store.close()
    return path


class Child:
    """A running forecast child and the frames that it sends."""

    def __init__(self, temporary: Path) -> None:
        environment = {**os.environ, "TMPDIR": str(temporary)}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "forecast.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def send(self, frame: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(frames.encode(frame))
        self.process.stdin.flush()

    def frames(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        while (frame := frames.read(self.process.stdout)) is not None:
            yield frame

    def end(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        text = self.process.stderr.read().decode()
        return self.process.wait(timeout=120), text

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    started = Child(tmp_path)
    yield started
    started.close()


def order(store: Path, now_ms: int, **forecast: object) -> dict[str, Any]:
    return {"store": str(store), "forecast": forecast, "targets": ROWS, "as_of_ms": now_ms, "log_level": "INFO"}


def test_a_run_from_store_to_frames(child: Child, store_path: Path, now_ms: int, tmp_path: Path) -> None:
    child.send(order(store_path, now_ms, nice=7))
    found: dict[tuple[str, str], Forecast] = {}
    progress, last, niceness = [], {}, set()
    for frame in child.frames():
        if frame["kind"] == "forecast":
            niceness.add(psutil.Process(child.process.pid).nice())
            forecast = Forecast.from_dict(frame["forecast"])
            found[str(forecast.target), forecast.statistic] = forecast
        elif frame["kind"] == "progress":
            progress.append((frame["done"], frame["total"]))
        last = frame
    code, text = child.end()
    assert (code, text) == (0, "")
    assert niceness == {psutil.Process().nice() + 7}
    assert (last["kind"], last["forecasts"]) == ("done", len(found))
    assert progress[-1] == (14, 14)
    assert sorted(tmp_path.iterdir()) == [], "Stan's files are gone"

    pending = found['forewarn_imported_value{series="earth/vcvlY/pending_gpu_num"}', "max"]
    assert (pending.model, pending.status, pending.history_hours, pending.limit) == ("combiner", "ok", 672.0, 100.0)
    assert pending.prophet is not None
    assert (
        found["young", "mean"].reason.startswith("has 3.5 h of history") or "has 3.6 h" in found["young", "mean"].reason
    )
    disk = next(one for (name, _), one in found.items() if "filesystem" in name)
    assert (disk.model, disk.kind, disk.below, disk.unit) == ("fill", "fill", True, "bytes")
    assert found[str(disk.target), "min"].points["mean"][0] == pytest.approx(500e9 - 31e9 + 1e9 / 12, rel=1e-3)


def test_the_child_says_the_same_as_the_library(store_path: Path, now_ms: int) -> None:
    rows = [TargetSettings.model_validate({"match": "busy_total", "limit": 2.5})]
    reader = StoreReader(store_path)
    made = list(make_forecasts(reader, ForecastSettings(), rows, now_ms))
    reader.close()
    rate = next(one for one in made if one.target.name == "busy_total" and one.statistic == "mean")
    assert (rate.unit, rate.model) == ("/s", "combiner")
    np.testing.assert_allclose(rate.points["mean"], 3.0, rtol=0.01)
    assert rate.breach_reason.startswith("already over the limit of 2.5 /s since ")


def test_a_store_that_is_not_there_is_named(child: Child, tmp_path: Path, now_ms: int) -> None:
    child.send(order(tmp_path / "nowhere" / "metrics.db", now_ms))
    (frame,) = child.frames()
    assert frame["kind"] == "error"
    assert "nowhere" in frame["message"]
    assert frame["hint"]
    assert child.end()[0] == 0


def test_what_a_killed_run_leaves_is_swept_by_the_next(store_path: Path, now_ms: int, tmp_path: Path) -> None:
    killed = Child(tmp_path)
    killed.send(order(store_path, now_ms))
    stream = killed.frames()
    while next(stream)["kind"] != "forecast":
        pass
    killed.process.send_signal(signal.SIGKILL)
    killed.close()
    assert [path.name.startswith(PREFIX) for path in tmp_path.iterdir()] == [True]
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timed
def test_the_child_ends_when_its_parent_is_gone(child: Child, store_path: Path, now_ms: int) -> None:
    child.send(order(store_path, now_ms))
    next(child.frames())
    begin = time.monotonic()
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.process.wait(timeout=60)
    assert time.monotonic() - begin < 3.5


def test_a_scratch_directory_in_use_is_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch() as path:
        (path / "stan.csv").write_text("x")
        sweep(tmp_path)
        assert (path / "stan.csv").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_run_needs_neither_pandas_nor_prophet_nor_torch(store_path: Path, now_ms: int) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from collector.store import StoreReader\n"
        "from forecast.run import make_forecasts\n"
        "from forecast.settings import ForecastSettings, TargetSettings\n"
        f"reader = StoreReader(Path({str(store_path)!r}))\n"
        "rows = [TargetSettings(match='forewarn_imported_value')]\n"
        f"made = list(make_forecasts(reader, ForecastSettings(), rows, {now_ms}))\n"
        "assert {one.model for one in made} == {'combiner', 'fill'}, made\n"
        "assert all(one.prophet is not None for one in made if one.history_hours > 48)\n"
        "print(sorted({'pandas', 'prophet', 'torch', 'scipy', 'safetensors', 'pyarrow'} & set(sys.modules)))\n"
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print(int(peak) // 1024)"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    imported, mebibytes = done.stdout.split("\n")[:2]
    assert imported == "[]"
    assert int(mebibytes) < 120
