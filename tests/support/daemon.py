"""A real daemon in a process of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import psutil
import urllib3

FOREWARN = Path(sys.executable).with_name("forewarn")
EAGER = {"FOREWARN_FORECAST__NICE": "0"}
"""Forecasts give way to everything else on a node; tests wait for them while other tests keep the processors busy."""
ANEW = {"Connection": "close"}
"""An idle connection may be closed just when it is used again."""
_SERVES = re.compile(r"(http://[^\s]+?) \(metrics")


class RunningDaemon:
    """``forewarn run`` (or another command that serves), its address and its standard error."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self.process = subprocess.Popen(command, env=dict(env), stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if not self.url and (found := _SERVES.search(line)):
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def wait_ready(self, seconds: float = 180.0) -> None:
        """Wait until it serves."""
        self._ready.wait(seconds)
        assert self.url, "\n".join(self.lines)

    def get(self, path: str) -> Any:
        """The JSON of an API path."""
        answer = urllib3.request("GET", f"{self.url}{path}", timeout=60, retries=False, headers=ANEW)
        assert answer.status == 200, answer.data
        return orjson.loads(answer.data)

    def metrics(self) -> dict[str, float]:
        """The page of metrics: value by series."""
        text = urllib3.request("GET", f"{self.url}/metrics", timeout=60, retries=False, headers=ANEW).data.decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {series: float(value) for series, _, value in lines}

    def wait_for(self, condition: Any, seconds: float = 120.0) -> Any:
        """What ``condition()`` gives, as soon as it gives something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s; the log:\n" + "\n".join(self.lines[-30:]))

    def children(self) -> list[psutil.Process]:
        """Its processes, itself left out."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def terminate(self) -> tuple[int, float]:
        """SIGTERM; the exit status and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        return status, time.monotonic() - started

    def close(self) -> None:
        """End it whatever it does, and its children."""
        children = self.children()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextlib.contextmanager
def running(
    data_dir: Path, *arguments: str, config: str = "", env: Mapping[str, str] | None = None, worker: bool = False
) -> Iterator[RunningDaemon]:
    """``forewarn run`` on a data directory, on a free port; by default without the worker, which takes seconds."""
    path = data_dir.with_name(f"{data_dir.name}.toml")
    path.write_text(config if worker else f"{config}\n[worker]\nenabled = false\n")
    command = [str(FOREWARN), "run", "--data-dir", str(data_dir), "--config", str(path), "--listen", "127.0.0.1:0"]
    daemon = RunningDaemon([*command, *arguments], {**os.environ, **EAGER, **(env or {})})
    try:
        daemon.wait_ready()
        yield daemon
    finally:
        daemon.close()


def forewarn(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [str(FOREWARN), *arguments],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
