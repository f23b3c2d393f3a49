"""sd_notify(3), from the daemon to a socket that listens as systemd does."""

import itertools
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import RunningDaemon, running

WATCHDOG_SECONDS = 1.5
CONFIG = "[collector]\ninterval = 1\n"


class Manager:
    """The far side of sd_notify: messages with the time at which they came."""

    def __init__(self, address: str) -> None:
        self.messages: list[tuple[float, dict[str, str]]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6))}

    def until(self, key: str, seconds: float = 60.0) -> dict[str, str]:
        """The next message with this key."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                lines = self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                break
            message = dict(line.split("=", 1) for line in lines)
            self.messages.append((time.monotonic(), message))
            if key in message:
                return message
        raise AssertionError(f"no {key} within {seconds} s; came: {self.messages}")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = f"@forewarn-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    far_side = Manager(address)
    yield far_side
    far_side.close()


@pytest.mark.timed
def test_it_tells_systemd_of_its_life(manager: Manager, tmp_path: Path) -> None:
    with running(tmp_path / "data", config=CONFIG, env=manager.env) as daemon:
        ready = manager.until("READY")
        assert ready == {"READY": "1", "STATUS": f"serving {daemon.url}"}
        beats = [_time_of(manager, "WATCHDOG") for _ in range(4)]
        assert max(later - earlier for earlier, later in itertools.pairwise(beats)) < WATCHDOG_SECONDS
        daemon.process.send_signal(signal.SIGHUP)
        before = time.monotonic_ns() // 1000
        reloading = manager.until("RELOADING")
        assert abs(int(reloading["MONOTONIC_USEC"]) - before) < 5e6
        assert manager.until("READY")["READY"] == "1"
        assert _time_of(manager, "WATCHDOG") > beats[-1]
        daemon.process.send_signal(signal.SIGTERM)
        manager.until("STOPPING")
        assert daemon.process.wait(5) == 0


def test_a_bad_reload_ends_too(manager: Manager, tmp_path: Path) -> None:
    with running(tmp_path / "data", config=CONFIG, env=manager.env) as daemon:
        manager.until("READY")
        (tmp_path / "data.toml").write_text("nonsense = 1\n")
        daemon.process.send_signal(signal.SIGHUP)
        manager.until("RELOADING")
        assert manager.until("READY")["READY"] == "1"
        _beats_on(daemon, manager)


def test_a_watchdog_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    far_side = Manager(str(tmp_path / "notify"))
    try:
        with running(tmp_path / "data", config=CONFIG, env={**far_side.env, "WATCHDOG_PID": "1"}):
            far_side.until("READY")
            with pytest.raises(AssertionError, match="no WATCHDOG"):
                far_side.until("WATCHDOG", 2 * WATCHDOG_SECONDS)
    finally:
        far_side.close()


def test_a_frozen_daemon_beats_no_more(tmp_path: Path) -> None:
    far_side = Manager(str(tmp_path / "notify"))
    try:
        with running(tmp_path / "data", config=CONFIG, env=far_side.env) as daemon:
            far_side.until("WATCHDOG")
            daemon.process.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(AssertionError, match="no STATUS"):
                    far_side.until("STATUS", WATCHDOG_SECONDS)  # takes what came before the stop
                with pytest.raises(AssertionError, match="no WATCHDOG"):
                    far_side.until("WATCHDOG", WATCHDOG_SECONDS)
            finally:
                daemon.process.send_signal(signal.SIGCONT)
            far_side.until("WATCHDOG")
    finally:
        far_side.close()


def _beats_on(daemon: RunningDaemon, manager: Manager) -> None:
    assert _time_of(manager, "WATCHDOG") > 0
    assert daemon.process.poll() is None


def _time_of(manager: Manager, key: str) -> float:
    manager.until(key)
    return manager.messages[-1][0]
