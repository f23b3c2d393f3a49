"""Faults that befall every shipper some day, one by one: each a row of the comparison of shippers.

A row writes lines at a rate by a program of its own, while the network, the server, the operator or the rotation does
what the row is about. Then every line must be there once, and where its document says.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.bulk_sink import BulkSink
from tests.support.logship import ShipperChild

SETTLE_SECONDS = 60.0
MAKING_SECONDS = 240.0
"""The first shipper of a version makes its machine code."""
FAKE_TIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


class CannotBeRunError(Exception):
    """This machine lacks what a row takes; its text says what."""


class Course:
    """What a row does.

    Args:
        folder: an empty one.
        scale: share of the full number of lines; rates stay. In full a generation is there for 0.3 s at least; in
            part, as tests run it, all stay, and a log is removed once the shipper has it open: a busy machine may
            leave it no processor for longer than that.
        sink: the far side.
    """

    def __init__(self, folder: Path, scale: float, sink: BulkSink) -> None:
        self.sink = sink
        self.scale = scale
        self._keep = round((5 if scale >= 1 else 20) / scale)
        self.path = folder / "logs" / "app.log"
        self.path.parent.mkdir()
        self.path.touch()
        self.data = folder / "data"
        self.data.mkdir()
        self.places = folder / "places"
        self.written = 0
        self.repeated = False
        self.prefix: list[str] = []
        self.environment: dict[str, str] = {}
        self.child: ShipperChild | None = None

    def start(self) -> None:
        """Start the shipper, if none runs."""
        if self.child is None or self.child.process.poll() is not None:
            if self.child is not None:
                self.child.kill()  # one that broke off leaves its pipes
            settings = {"url": self.sink.url, "file": [{"path": str(self.path)}], "flush_interval": "50ms"}
            self.child = ShipperChild(settings, self.data, self.environment, self.prefix)

    def begin(self) -> None:
        """Start the shipper, and see that it follows the log."""
        self.start()
        self.write(round(100 / self.scale))
        self.settle(MAKING_SECONDS)

    def signal(self, number: int) -> None:
        """Send the shipper a signal."""
        assert self.child is not None
        self.child.process.send_signal(number)

    def kill(self) -> None:
        """End it without a word."""
        assert self.child is not None
        self.child.kill()

    def terminate(self) -> None:
        """End it politely."""
        self.signal(signal.SIGTERM)
        assert self.child is not None
        self.child.stop()

    @contextlib.contextmanager
    def writing(self, lines: int = 300_000, rate: int = 50_000, every: int = 0, **more: Any) -> Iterator[float]:
        """Write lines during a block and to their end; gives the seconds that it takes."""
        lines, every = max(1, round(lines * self.scale)), round(every * self.scale)
        told = {"path": str(self.path), "places": str(self.places), "first": self.written, "lines": lines}
        told |= {"rate": rate, "every": every, "repeated": self.repeated, "keep": self._keep, **more}
        if self.scale < 1 and self.child is not None:
            told["reader"] = self.child.process.pid
        self.written += lines
        writer = subprocess.Popen([sys.executable, "-m", "tests.support.log_writer", json.dumps(told)])
        try:
            yield lines / rate
        finally:
            assert writer.wait(300) == 0

    def write(self, lines: int = 300_000, rate: int = 50_000, every: int = 0, **more: Any) -> None:
        """Write lines."""
        with self.writing(lines, rate, every, **more):
            pass

    def settle(self, patience: float = SETTLE_SECONDS, *, supervised: bool = False) -> None:
        """Wait until everything that was written is there, or nothing more comes.

        Args:
            patience: seconds without anything new.
            supervised: a shipper that has ended is started again, as its parent does.
        """
        there, since = -1, time.monotonic()
        while (now := len(self.sink.documents)) < self.written and time.monotonic() - since < patience:
            if now != there:
                there, since = now, time.monotonic()
            if supervised:
                self.start()
            time.sleep(0.05)

    def close(self) -> None:
        """End what runs."""
        if self.child is not None and self.child.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.child.stop()
        elif self.child is not None:
            self.child.kill()


@dataclass(frozen=True)
class Row:
    """A fault.

    Attributes:
        name: for tables.
        run: does it.
        settings: attributes of the far side.
    """

    name: str
    run: Callable[[Course], None]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What came of a row.

    Attributes:
        lines: that were written.
        lost: that are missing.
        twice: documents too many.
        misplaced: documents that name another place.
        faults: that the far side made.
        complaints: of the far side.
        seconds: that it took.
    """

    lines: int
    lost: int
    twice: int
    misplaced: int
    faults: int
    complaints: Sequence[str]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.misplaced or self.complaints)


def run(row: Row, folder: Path, scale: float = 1.0) -> Judgement:
    """Do a row and see what came of it.

    Raises:
        CannotBeRunError: this machine lacks what it takes.
    """
    began = time.monotonic()
    with BulkSink() as sink:
        for name, value in row.settings.items():
            setattr(sink, name, value)
        course = Course(folder, scale, sink)
        try:
            row.run(course)
            course.settle()
            time.sleep(0.3)
        finally:
            course.close()
        return _judged(course, time.monotonic() - began)


def _judged(course: Course, seconds: float) -> Judgement:
    sink = course.sink
    places = np.fromfile(course.places, np.int64)
    found: Counter[int] = Counter()
    misplaced = 0
    for document in sink.documents.values():
        offset = document["log"]["offset"]
        number = _number(document["message"], offset, places, repeated=course.repeated)
        found[number] += 1
        misplaced += not 0 <= number < len(places) or places[number] != offset
    return Judgement(
        course.written,
        sum(not found[number] for number in range(course.written)),
        sum(times - 1 for times in found.values()) + len(sink.doubles),
        int(misplaced),
        sink.faults,
        tuple(sink.complaints),
        round(seconds, 1),
    )


def _number(message: str, offset: int, places: Any, *, repeated: bool) -> int:
    return int(np.searchsorted(places, offset)) if repeated else int(message.rpartition("=")[2])


def _plain(course: Course) -> None:
    course.begin()
    course.write()


def _three_times(end: Callable[[Course], None]) -> Callable[[Course], None]:
    def run(course: Course) -> None:
        course.begin()
        with course.writing() as seconds:
            for _ in range(3):
                time.sleep(max(0.5, seconds / 4))
                end(course)
                time.sleep(0.1)
                course.start()

    return run


def _away(course: Course) -> None:
    course.begin()
    with course.writing():
        time.sleep(0.5)
        course.sink.down()
        time.sleep(max(1.0, 7 * course.scale))
        course.sink.up()


def _rotating(every: int, rate: int, way: str) -> Callable[[Course], None]:
    def run(course: Course) -> None:
        course.begin()
        course.write(rate=rate, every=every, way=way)

    return run


def _down_across(course: Course) -> None:
    course.begin()
    course.write(50_000)
    course.settle()
    course.terminate()
    course.write(200_000, every=50_000)
    course.start()
    course.write(50_000)


def _stopped_across(course: Course) -> None:
    course.begin()
    course.write(50_000)
    course.signal(signal.SIGSTOP)
    course.write(200_000, every=50_000)
    course.signal(signal.SIGCONT)
    course.write(50_000)


def _recreating(course: Course) -> None:
    course.begin()
    course.write(rate=25_000, every=50_000, way="recreate")


def _repeated(course: Course) -> None:
    course.repeated = True
    course.begin()
    course.write(200_000)


def _full_disk(course: Course) -> None:
    """The data folder lies on a small file system of its own, in a mount namespace."""
    mount = f"mount -t tmpfs -o size=4m none {course.data} && echo ready && cat"
    holder = subprocess.Popen(["unshare", "-Urm", "sh", "-c", mount], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise CannotBeRunError("no user namespaces here")
        course.prefix = ["nsenter", "-U", "--preserve-credentials", "-m", "-t", str(holder.pid)]
        fill = [*course.prefix, "dd", "if=/dev/zero", f"of={course.data}/fill", "bs=4k"]
        course.begin()
        course.write(50_000)
        course.settle()
        subprocess.run(fill, stderr=subprocess.DEVNULL, check=False)
        with course.writing(200_000):
            time.sleep(1.5)
            course.start()  # as the parent does with one that has ended
        course.kill()
        course.start()
        time.sleep(2)  # it begins while there is no room
        subprocess.run([*course.prefix, "rm", f"{course.data}/fill"], check=True)
        course.write(50_000)
        course.settle(supervised=True)
        course.terminate()
    finally:
        holder.communicate()


def _clock_jumps(course: Course) -> None:
    """The wall clock goes back by a day and forward by two."""
    if not FAKE_TIME.exists():
        raise CannotBeRunError("libfaketime is not installed")
    shift = course.data / "shift"
    shift.write_text("+0")
    course.environment = {
        "LD_PRELOAD": str(FAKE_TIME),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    course.begin()
    with course.writing(every=50_000) as seconds:
        for jump in ("-1d", "+1d", "+0"):
            time.sleep(max(0.5, seconds / 4))
            shift.write_text(jump)
    course.settle()
    course.kill()
    shift.write_text("-1d")
    course.start()
    course.write(20_000)


def _rolls_over(course: Course) -> None:
    """With answers lost and the shipper killed around it."""
    course.begin()
    with course.writing() as seconds:
        for _ in range(3):
            time.sleep(max(0.5, seconds / 4))
            course.kill()
            course.sink.forget_questions()
            course.sink.roll_over()
            course.start()


ROWS = (
    Row("every 4th bulk answered 429", _plain, {"fault": "429", "every": 4}),
    Row("every 1000th document 429 inside a 200", _plain, {"refuse_every": 1000}),
    Row("3 x kill -9", _three_times(Course.kill)),
    Row("3 x SIGTERM", _three_times(Course.terminate)),
    Row("sink down 7 s", _away),
    Row("rename every 20 k lines at 50 k/s, keep 5", _rotating(20_000, 50_000, "rename")),
    Row("rename every 5 k lines at 80 k/s, keep 5", _rotating(5_000, 80_000, "rename")),
    Row("copytruncate every 20 k lines at 50 k/s", _rotating(20_000, 50_000, "copytruncate")),
    Row("copytruncate every 5 k lines at 80 k/s", _rotating(5_000, 80_000, "copytruncate")),
    Row("down across 3 renames", _down_across),
    Row("SIGSTOP across 3 renames", _stopped_across),
    Row("delete and recreate every 2 s", _recreating),
    Row("200,000 repeated lines", _repeated),
    Row("data disk full", _full_disk),
    Row("clock jumps by a day", _clock_jumps),
    Row("roll-over and kill -9", _rolls_over, {"fault": "answer lost", "every": 5}),
    Row("413 above 20 kB", _plain, {"most": 20_000}),
    Row("reset in mid body, every 3rd", _plain, {"fault": "reset in mid body", "every": 3}),
    Row("answer lost, every 3rd", _plain, {"fault": "answer lost", "every": 3}),
)
