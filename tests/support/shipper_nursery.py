"""Shippers that start at once: forked from a process that has imported everything, and so are real processes.

``python -m tests.support.shipper_nursery FD`` is that process: over the socket it is sent the ends of three pipes for
each child, and answers with its number.
"""

import importlib
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from forewarn.base import frames
from tests.support import machine_code

_PID = struct.Struct("=i")


class Nursery:
    """Starts shippers, for the length of a block."""

    def __init__(self) -> None:
        machine_code.make()
        self._here, there = socket.socketpair()
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.shipper_nursery", str(there.fileno())], pass_fds=[there.fileno()]
        )
        there.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()
        self._process.wait(60)

    def start(self, settings: dict[str, Any], data_dir: Path) -> "Child":
        """A shipper of its own."""
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        errors = os.open(data_dir / "stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with self._asking:
            socket.send_fds(self._here, [b"+"], [read_in, write_out, errors])
            (pid,) = _PID.unpack(self._here.recv(_PID.size))
        for descriptor in (read_in, write_out, errors):
            os.close(descriptor)
        first = {"logs": settings, "data_dir": str(data_dir), "hostname": "node-1", "log_level": "INFO"}
        os.write(write_in, frames.encode(first))
        return Child(pid, write_in, read_out)


class Child:
    """One of them.

    Attributes:
        pid: its process.
    """

    def __init__(self, pid: int, to: int, of: int) -> None:
        self.pid = pid
        self._to: int | None = to
        self._gone = threading.Event()
        self._listener = threading.Thread(target=self._listen, args=(of,), daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not self._gone.is_set()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self, number: int | None = None, seconds: float = 60.0) -> None:
        """Have it end by a signal, or by closing its input, as a parent does that ends; wait for it."""
        if number is not None:
            self.signal(number)
        if number is None or number == signal.SIGKILL:
            self._close()
        assert self._gone.wait(seconds), "the shipper did not end"
        self._close()

    def _close(self) -> None:
        if self._to is not None:
            os.close(self._to)
            self._to = None

    def _listen(self, descriptor: int) -> None:
        while os.read(descriptor, 65_536):
            pass
        os.close(descriptor)
        self._gone.set()


def main(descriptor: int) -> None:
    """Fork a shipper for each request, until the other side is closed."""
    for name in ("logship.delivery.probe", "logship.shipper", "elasticsearch"):  # what takes its time, once
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests = socket.socket(fileno=descriptor)
    while True:
        _, pipes, _, _ = socket.recv_fds(requests, 1, 3)
        if not pipes:
            return
        pid = os.fork()
        if pid == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
                os.close(pipe)
            runpy.run_module("logship.child", run_name="__main__")
        for pipe in pipes:
            os.close(pipe)
        requests.send(_PID.pack(pid))


if __name__ == "__main__":
    main(int(sys.argv[1]))
