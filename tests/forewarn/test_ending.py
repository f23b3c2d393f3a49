"""The end comes in time in every state, and costs nothing that was there."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.series import Matcher
from collector.store import StoreReader
from tests.support.daemon import FOREWARN, RunningDaemon, running

QUICK = "[collector]\ninterval = 1\n"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(60)
        yield server


@pytest.mark.timed
def test_it_ends_in_the_middle_of_its_first_round(tmp_path: Path, silent: socket.socket) -> None:
    config = tmp_path / "forewarn.toml"
    config.write_text(
        "[worker]\nenabled = false\n[collector]\ninterval = 30\n[[collector.endpoint]]\ntimeout = 15\n"
        f'url = "http://127.0.0.1:{silent.getsockname()[1]}/metrics"\n'
    )
    data = tmp_path / "data"
    command = [str(FOREWARN), "run", "--data-dir", str(data), "--config", str(config), "--listen", "127.0.0.1:0"]
    daemon = RunningDaemon(command, os.environ)
    with contextlib.closing(daemon):
        asked, _ = silent.accept()
        children = daemon.children()
        status, seconds = daemon.terminate()
        asked.close()
    assert status == 0
    assert seconds < 5
    assert not any(child.is_running() for child in children)
    assert not [line for line in daemon.lines if "Traceback" in line or "gives no data" in line]
    assert StoreReader(data / "metrics.db").series(Matcher("__name__", "=", "forewarn_collector_success")) == []


@pytest.mark.timed
def test_rounds_go_on_while_the_store_cannot_be_written_and_the_end_is_in_time(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        holder = sqlite3.connect(tmp_path / "data" / "metrics.db", isolation_level=None)
        try:
            holder.execute("BEGIN IMMEDIATE")
            daemon.wait_for(lambda: daemon.metrics()["forewarn_store_writable"] == 0)
            newest = 'forewarn_collector_last_success_timestamp_seconds{collector="host"}'
            for _ in range(3):
                last = daemon.metrics()[newest]
                daemon.wait_for(lambda last=last: daemon.metrics()[newest] > last)
            _, seconds = daemon.terminate()
            assert seconds < 5
        finally:
            holder.close()


def test_what_holds_the_end_up_is_left_behind() -> None:
    program = "import time; from forewarn.limit import TimeLimit; TimeLimit(0.3).start(); time.sleep(300)"
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 1
    assert time.monotonic() - started < 100
    assert "the end takes too long" in ended.stderr


def test_a_damaged_state_file_is_set_aside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    damaged = os.urandom(20_000)
    (data / "state.db").write_bytes(damaged)
    with running(data, config=QUICK) as daemon:
        assert daemon.metrics()["forewarn_state_damage_set_aside"] == 1
        assert daemon.metrics()["forewarn_state_writable"] == 1
        (kept,) = data.glob("state.db.damaged-*")
        assert kept.read_bytes() == damaged
        (told,) = [line for line in daemon.lines if "state.db was damaged" in line]
        assert "alert states" in told
        assert daemon.terminate()[0] == 0
    with running(data, config=QUICK) as daemon:
        assert daemon.metrics()["forewarn_state_damage_set_aside"] == 0


def test_a_state_file_that_cannot_be_written_is_a_metric(tmp_path: Path) -> None:
    evaluated = "forewarn_alerts_last_evaluation_timestamp_seconds"
    with running(tmp_path / "data", config=f"{QUICK}[alerts]\nevaluate_every = 1\n") as daemon:
        before = daemon.wait_for(lambda: daemon.metrics().get(evaluated))
        assert before == pytest.approx(time.time(), abs=60)
        daemon.wait_for(lambda: daemon.metrics()[evaluated] > before)
        holder = sqlite3.connect(tmp_path / "data" / "state.db", isolation_level=None)
        try:
            holder.execute("BEGIN IMMEDIATE")
            daemon.wait_for(lambda: daemon.metrics()["forewarn_state_writable"] == 0)
            assert not daemon.get("/v1/status")["healthy"]
            stopped = daemon.metrics()[evaluated]
            time.sleep(2.5)
            assert daemon.metrics()[evaluated] == stopped
        finally:
            holder.close()
        daemon.wait_for(lambda: daemon.metrics()["forewarn_state_writable"] == 1)
        assert daemon.metrics()[evaluated] > stopped


def test_a_service_manager_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    nobody = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "600000"}
    with running(tmp_path / "data", config=QUICK, env=nobody) as daemon:
        time.sleep(1)
        assert daemon.terminate()[0] == 0
        assert not any("Traceback" in line for line in daemon.lines)


@pytest.mark.timed
def test_an_end_in_the_middle_of_a_reload_leaves_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        children = daemon.children()
        for _ in range(3):
            daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        children += daemon.children()
        status, seconds = daemon.terminate()
        assert status == 0
        assert seconds < 5
        assert not any(child.is_running() for child in children)
        assert not any("Traceback" in line for line in daemon.lines)


@pytest.mark.slow
def test_a_state_file_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=f"{QUICK}[alerts]\nevaluate_every = 1\n") as daemon:
        holder = sqlite3.connect(tmp_path / "data" / "state.db", isolation_level=None)
        try:
            holder.execute("BEGIN IMMEDIATE")
            told = "the forecasts cannot be kept"
            daemon.wait_for(lambda: [line for line in daemon.lines if told in line])
        finally:
            holder.close()
        assert daemon.get("/v1/targets")["targets"]
        assert sum(told in line for line in daemon.lines) == 1
        assert not [line for line in daemon.lines if "Traceback" in line or "maximum number" in line]
        assert daemon.terminate()[0] == 0
