"""A real worker in a process of its own, started as the daemon starts it."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forewarn.base import frames
from forewarn.base.child import PARENT_PID_VARIABLE

START_SECONDS = 200.0


class WorkerProcess:
    """The parent's end of a worker: its frames, its log, its end."""

    def __init__(
        self, data_dir: Path, settings: dict[str, Any], environment: dict[str, str] | None = None, *flags: str
    ) -> None:
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-P", *flags, "-m", "worker.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, PARENT_PID_VARIABLE: str(os.getpid()), **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        first = {
            "worker": {"listen": "127.0.0.1:0", "nice": 0, **settings},
            "data_dir": str(data_dir),
            "log_level": "INFO",
        }
        self.send(first)

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.log.append(line.decode())

    def send(self, frame: dict[str, Any]) -> None:
        self.process.stdin.write(frames.encode(frame))
        self.process.stdin.flush()

    def first_frame(self) -> dict[str, Any]:
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        try:
            frame = frames.read(self.process.stdout)
        finally:
            timer.cancel()
        assert frame is not None, "".join(self.log)
        return frame

    def ended_after(self) -> float:
        """Seconds until the process is gone."""
        began = time.monotonic()
        self.process.wait(60)
        self._reader.join(60)
        return time.monotonic() - began

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(60)
        self.process.stdout.close()
        self.process.stderr.close()


@contextlib.contextmanager
def running_worker(
    data_dir: Path, settings: dict[str, Any] | None = None, environment: dict[str, str] | None = None, *flags: str
) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(data_dir, settings or {}, environment, *flags)
    try:
        yield worker
    finally:
        worker.close()
