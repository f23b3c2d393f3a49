"""The sink as a process of its own, and what it has by now."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.measure import cpu_seconds
from bench.peers.servers import PeerError, free_port
from bench.shipping.shippers import Running
from bench.shipping.sink import Board

_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class FarSide:
    """A sink that runs.

    Attributes:
        pid: its process.
        port: where it listens on the loopback address.
        board: what it has.
    """

    pid: int
    port: int
    board: Board

    @property
    def url(self) -> str:
        """Where bulk requests go."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, lines: int, seconds: float, shipper: Running) -> float:
        """Wait until so many documents have come; the moment, on the monotonic clock.

        Raises:
            PeerError: they did not come in time, or the shipper ended.
        """
        end = time.monotonic() + seconds
        while self.board.documents < lines:
            if time.monotonic() > end or not shipper.alive():
                raise PeerError(
                    f"{self.board.documents} of {lines} lines had come when it ended or the time was over",
                    hint=shipper.output.read_text(errors="replace")[-600:],
                )
            time.sleep(_LOOK_SECONDS)
        return time.monotonic()

    def cpu_seconds(self) -> float:
        """Processor time of the sink."""
        return cpu_seconds(self.pid)


@contextlib.contextmanager
def sink(folder: Path, lines: int, *, timed: int = 0, port: int | None = None) -> Iterator[FarSide]:
    """A sink for so many lines.

    Args:
        folder: where its board lies.
        lines: that can be told apart.
        timed: of how many the moment of arrival is kept.
        port: where it listens; a free one where left out.
    """
    path = folder / "board"
    board = Board(path, lines, timed)
    command = [sys.executable, "-m", "bench.shipping.sink", str(path), str(port or free_port())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield FarSide(process.pid, int(process.stdout.readline()), board)
        finally:
            process.stdin.close()
