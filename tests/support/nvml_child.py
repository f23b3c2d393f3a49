"""The nvml child as its parent sees it, without a daemon around it."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from forewarn.base import frames
from forewarn.base.frames import Frame

SECONDS = 60.0


class NvmlChild:
    """A running child; its frames are gathered by a thread, its log lines by another.

    Rounds get "samples": name, labels, value and whether it is a counter, as the layout before them tells.

    Args:
        environment: what the process gets.
        on_frame: called with every frame, in order, on the gathering thread.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        interval: float = 0.2,
        retry: float = 60.0,
        processes: bool = False,
        root: str = "/",
        on_frame: Callable[[Frame], None] = lambda _: None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "collector.nvml.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._on_frame = on_frame
        self.log: list[dict[str, Any]] = []
        self._threads = [threading.Thread(target=run) for run in (self._gather, self._listen)]
        for thread in self._threads:
            thread.start()
        settings = {"interval": interval, "retry": retry, "processes": processes, "root": root}
        self._send({**settings, "log_level": "INFO"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def wait_for(self, kind: str, accept: Callable[[Frame], bool] = lambda _: True) -> Frame:
        """The next frame of that kind that is accepted; others are passed over."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                frame = self._frames.get(timeout=end - time.monotonic())
            except queue.Empty:
                break
            if frame is None:
                raise AssertionError(f"the child ended while {kind} was waited for: {self.log}")
            if frame["kind"] == kind and accept(frame):
                return frame
        raise AssertionError(f"no {kind} frame: {self.log}")

    def settled_round(self) -> Frame:
        """A round that holds everything, which takes two: GPM compares with the one before."""
        self.wait_for("round")
        return self.wait_for("round")

    def hang_up(self) -> float:
        """Close the child's input, as a parent does that ends; returns how long the child took to follow."""
        assert self.process.stdin is not None
        begun = time.monotonic()
        self.process.stdin.close()
        self.process.wait(SECONDS)
        return time.monotonic() - begun

    def events(self, text: str) -> list[dict[str, Any]]:
        """The log lines whose event holds the text."""
        return [line for line in self.log if text in (line.get("event") or line.get("message") or "")]

    def not_offered(self) -> dict[str, str]:
        """What the log says that GPUs do not offer: ``reading: why`` and their indices; each may be named once only."""
        named: dict[str, str] = {}
        for line in self.events("not offered"):
            for reading in line["readings"].split(", "):
                assert reading not in named, f"{reading} is named twice"
                named[reading] = f"{line['why']} {line['gpus']}"
        return named

    def _send(self, frame: Frame) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(frames.encode(frame))
        self.process.stdin.flush()

    def _gather(self) -> None:
        assert self.process.stdout is not None
        series: list[tuple[str, list[list[str]], bool]] = []
        while (frame := frames.read(self.process.stdout)) is not None:
            self._on_frame(dict(frame))
            if frame["kind"] == "layout":
                series = frame["series"]
            elif frame["kind"] == "round":
                pairs = zip(series, frame["values"], strict=True)
                frame["samples"] = [(*one[:2], value, one[2]) for one, value in pairs if value is not None]
            self._frames.put(frame)
        self._frames.put(None)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"event": line.decode(errors="replace").rstrip()})


def values(frame: Frame, gpu: int | str | None = None) -> dict[tuple[str, ...], float]:
    """A round's values by name and labels beside gpu and uuid, such as ``(name, "sensor=core")``."""
    found = {}
    for name, labels, value, _ in frame["samples"]:
        pairs = dict(labels)
        if gpu is None or pairs["gpu"] == str(gpu):
            rest = (f"{label}={text}" for label, text in labels if label not in {"gpu", "uuid"})
            found[(name, *rest)] = value
    return found
