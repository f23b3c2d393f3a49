"""The log shipper's child as the daemon starts it, and log files as programs write them."""

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from forewarn.base import frames
from logship.patterns.compiled import users_folder
from tests.support import machine_code

COMPILED = users_folder()
"""Machine code of all shippers that tests start; each would make its own, in its own folder."""

_LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "WARNING", "ERROR")
_TEXTS = (
    'POST /v1/completions HTTP/1.1" 200 in {n} ms',
    "Finished request cmpl-{n:08x}: {n} tokens, prompt throughput: {n}.5 tokens/s",
    'GPU KV cache usage: {n}%, path "C:\\models\\{n}"\tand a tab',
    "Größe der Warteschlange: {n}, 队列长度 {n}",
    "",
)


def lines(count: int, seed: int = 1) -> list[bytes]:
    """Lines like those of an inference server, each different (but for the empty ones)."""
    chance, written = random.Random(seed), []
    for number in range(count):
        text = chance.choice(_TEXTS).format(n=chance.randrange(10_000))
        moment = f"2026-03-01 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d},{number % 1000:03d}"
        written.append(f"{moment} {chance.choice(_LEVELS)} [engine.py:{number}] {text} seq={number:08d}".encode())
    return written


class ShipperChild:
    """``python -P -m logship.child`` with its two pipes."""

    def __init__(
        self,
        settings: dict[str, Any],
        data_dir: Path,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        machine_code.make()
        self.frames: list[dict[str, Any]] = []
        self.stderr = data_dir / "stderr.log"
        with self.stderr.open("ab") as errors:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-P", "-m", "logship.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | (environment or {}),
            )
        assert self.process.stdin is not None
        logs = {"anomalies": {"enabled": False}, **settings}  # they would be documents more
        first = {"logs": logs, "data_dir": str(data_dir), "hostname": "node-1", "log_level": "INFO"}
        self.process.stdin.write(frames.encode(first))
        self.process.stdin.flush()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while (frame := frames.read(self.process.stdout)) is not None:  # type: ignore[arg-type]
            self.frames.append(frame)

    def value(self, name: str, **labels: str) -> float | None:
        """The newest value of one of its metrics."""
        for frame in reversed(self.frames):
            if frame["kind"] == "samples":
                return next((v for n, found, v, _ in frame["samples"] if n == name and found == labels), None)
        return None

    def stop(self) -> float:
        """Close its input, as a parent does by ending; seconds until it ended."""
        assert self.process.stdin is not None
        began = time.monotonic()
        self.process.stdin.close()
        self.process.wait(60)
        return self._ended(began)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self._ended(0.0)

    def _ended(self, began: float) -> float:
        took = time.monotonic() - began
        self._listener.join(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return took


@contextlib.contextmanager
def shipping(
    settings: dict[str, Any], data_dir: Path, environment: dict[str, str] | None = None
) -> Iterator[ShipperChild]:
    """A shipper for the length of a block."""
    data_dir.mkdir(exist_ok=True)
    child = ShipperChild(settings, data_dir, environment)
    try:
        yield child
    finally:
        assert child.process.stdin is not None
        if not child.process.stdin.closed:
            child.stop()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Wait until something is the case."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
