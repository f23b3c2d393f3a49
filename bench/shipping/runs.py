"""What is measured of a shipper: lines a second, processor time, memory, latency, idleness, catching up."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import percentiles
from bench.shipping.far_side import FarSide, sink
from bench.shipping.shippers import Running
from bench.shipping.workload import Block, paced, write

Start = Callable[[Path, int, Path], AbstractContextManager[Running]]
"""Starts a shipper by file, port of the sink and a folder for its own."""

_LOOK_SECONDS = 0.25
_LONGEST = 900.0
_STEP_SECONDS = 0.01


@dataclass(frozen=True)
class Throughput:
    """A file, from its beginning to its end.

    Attributes:
        lines: of the file.
        seconds: from the start of the process to the last line.
        steady_per_s: lines a second in the time between the first tenth of the lines and the last line.
        cpu_s_per_million: processor time of the shipper, start included.
        steady_cpu_s_per_million: the same without the start.
        sink_cpu_s_per_million: of the sink.
        pss_mib: the largest proportional set size seen.
        missing: lines that did not come.
        again: lines that came more than once.
        bytes_a_line: of the documents, and as sent.
    """

    lines: int
    seconds: float
    steady_per_s: float
    cpu_s_per_million: float
    steady_cpu_s_per_million: float
    sink_cpu_s_per_million: float
    pss_mib: float
    missing: int
    again: int
    bytes_a_line: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """For the file."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}


@dataclass
class _Watched:
    """What a shipper needs while it works."""

    pss_mib: float = 0.0


def throughput(start: Start, file: Path, lines: int, folder: Path) -> Throughput:
    """Ship a whole file."""
    with sink(folder, lines) as far:
        began, sink_before = time.monotonic(), far.cpu_seconds()
        with start(file, far.port, folder / "shipper") as shipper, _memory(shipper) as watched:
            tenth = far.wait_for(lines // 10, _LONGEST, shipper)
            then, cpu_then = far.board.documents, shipper.cpu_seconds()
            end = far.wait_for(lines, _LONGEST, shipper)
            cpu, sink_cpu = shipper.cpu_seconds(), far.cpu_seconds() - sink_before
        millions, rest = lines / 1e6, lines - then
        packed, plain = far.board.bytes_a_document()
        return Throughput(
            lines,
            end - began,
            rest / (end - tenth),
            cpu / millions,
            (cpu - cpu_then) / (rest / 1e6),
            sink_cpu / millions,
            watched.pss_mib,
            far.board.missing(lines),
            far.board.again,
            (round(plain, 1), round(packed, 1)),
        )


@dataclass(frozen=True)
class Latency:
    """Lines that come at a steady rate.

    Attributes:
        per_second: lines that were written.
        ms: from the write to the arrival at the sink, by percentile.
        cpu_percent: of one core.
        missing: lines that did not come within some seconds after the last was written.
    """

    per_second: float
    ms: dict[str, float]
    cpu_percent: float
    missing: int


def latency(start: Start, block: Block, folder: Path, per_second: int, seconds: float) -> Latency:
    """Write at a steady rate and see when each line is there; the first second is left out."""
    count = int(per_second * seconds)
    file = folder / "paced.log"
    file.touch()
    with sink(folder, count, timed=count) as far, start(file, far.port, folder / "shipper") as shipper:
        time.sleep(4.0)
        before, began = shipper.cpu_seconds(), time.monotonic()
        written = _write_paced(file, block, per_second, seconds)
        elapsed = time.monotonic() - began
        percent = 100 * (shipper.cpu_seconds() - before) / elapsed
        total = len(written)
        _settle(far, total, 10.0)
        arrived = far.board.arrived[:total]
        late = (arrived - written)[arrived > 0][per_second:] / 1e6
        return Latency(total / elapsed, percentiles(late.tolist()), percent, far.board.missing(total))


def idle(
    start: Callable[[Path, str, Path], AbstractContextManager[Running]], folder: Path, files: int, seconds: float
) -> float:
    """Processor time of a shipper that follows so many quiet files, in percent of a core."""
    logs = folder / "quiet"
    logs.mkdir()
    for number in range(files):
        (logs / f"{number:04d}.log").write_text(f"2026-02-02 00:00:00,000 INFO ready seq={number:08d}\n")
    with sink(folder, files) as far, start(logs / "*.log", far.url, folder / "shipper") as shipper:
        far.wait_for(files, 60.0, shipper)
        time.sleep(15.0)
        before = shipper.cpu_seconds()
        time.sleep(seconds)
        return 100 * (shipper.cpu_seconds() - before) / seconds


@dataclass(frozen=True)
class CatchUp:
    """After an outage.

    Attributes:
        lines: that had been written while the server was away.
        seconds: from the server's return until they were there.
        missing: of them.
        again: that came more than once.
    """

    lines: int
    seconds: float
    missing: int
    again: int


def catch_up(start: Start, block: Block, folder: Path, lines: int) -> CatchUp:
    """The server goes, lines are written meanwhile, the server comes back."""
    file = folder / "grows.log"
    file.write_bytes(bytes(block.at(0)))
    with contextmanager(_port)(folder) as port, start(file, port, folder / "shipper") as shipper:
        with sink(folder, block.lines, port=port) as far:
            far.wait_for(block.lines, 60.0, shipper)
        size = write(folder / "more.log", lines, block)
        with file.open("r+b") as grows, (folder / "more.log").open("rb") as more:
            grows.seek(0, os.SEEK_END)  # nothing is sent into a file that is open for appending
            while size > 0:
                size -= os.sendfile(grows.fileno(), more.fileno(), None, 1 << 24)
        (folder / "more.log").unlink()
        time.sleep(10.0)
        with sink(folder, lines, port=port) as far:
            began = time.monotonic()
            end = far.wait_for(lines, _LONGEST, shipper)
            return CatchUp(lines, end - began, far.board.missing(lines), far.board.again)


def forget_cache(file: Path) -> None:
    """Have a file read from the disk the next time."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _port(folder: Path) -> Iterator[int]:
    with sink(folder, 1) as far:
        port = far.port
    yield port


def _write_paced(file: Path, block: Block, per_second: int, seconds: float) -> Any:
    """Write; the moment of each line, in nanoseconds of the monotonic clock."""
    moments: list[tuple[int, int]] = []
    with file.open("ab", buffering=0) as log:
        began = time.monotonic()
        last = 0
        for step, (first, piece) in enumerate(paced(block, per_second, seconds, _STEP_SECONDS)):
            time.sleep(max(0.0, began + step * _STEP_SECONDS - time.monotonic()))
            moments.append((first, time.monotonic_ns()))
            log.write(piece)
            last = first
        each = max(1, int(per_second * _STEP_SECONDS))
    written = np.zeros(last + each, np.int64)
    for first, moment in moments:
        written[first : first + each] = moment
    return written


def _settle(far: FarSide, lines: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while far.board.documents < lines and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)


@contextmanager
def _memory(shipper: Running) -> Iterator[_Watched]:
    """Looks at the memory now and then."""
    watched, stop = _Watched(), threading.Event()

    def look() -> None:
        while not stop.wait(1.0) and shipper.alive():
            watched.pss_mib = max(watched.pss_mib, shipper.memory_mib()["Pss"])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join()
