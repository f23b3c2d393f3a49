"""One seeded schedule of faults: what a writer, a rotation, an operator, a network and a server do to a shipper.

Afterwards every line that could ever be read must be there exactly once, and where its document says. What nobody could
keep is not asked for: a log is removed only while the shipper has it open, and the shipper is not ended before it has
read it; a log is cut off only after it was copied, with nothing written between.
"""

import bz2
import gzip
import lzma
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from backports import zstd

from tests.support.bulk_sink import FAULTS, BulkSink
from tests.support.log_writer import is_open
from tests.support.shipper_nursery import Child, Nursery

SECONDS = 60.0
"""Time for all lines to arrive in the end."""

_TEXTS = (
    'POST /v1/completions HTTP/1.1" 200 in {n} ms',
    "Finished request cmpl-{n:08x}: {n} tokens, prompt throughput: {n}.5 tokens/s",
    'GPU KV cache usage: {n}%, path "C:\\models\\{n}"\tand a tab',
    "Größe der Warteschlange: {n}, 队列长度 {n}",
    "ready",
)
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


@dataclass
class Outcome:
    """What came of a schedule.

    Attributes:
        seed: of it.
        lines: that were written.
        events: what was done, in order.
        lost: numbers of lines that are missing.
        twice: numbers of lines that are there more than once.
        misplaced: numbers of lines whose documents name another place than theirs.
        complaints: of the far side, and of a shipper that did not end.
    """

    seed: int
    lines: int = 0
    events: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    misplaced: list[int] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.misplaced or self.complaints)

    def __str__(self) -> str:
        wrong = {name: getattr(self, name) for name in ("lost", "twice", "misplaced", "complaints")}
        told = ", ".join(f"{len(found)} {name} {found[:5]}" for name, found in wrong.items() if found)
        return f"seed {self.seed}, {self.lines} lines: {told or 'good'}; {' '.join(self.events)}"


class Log:
    """A log that is written to and rotated; it knows at which offset each line was written.

    Args:
        path: of the live file.
        chance: decides.
        places: takes the offset of every line, by its number.
    """

    def __init__(self, path: Path, chance: random.Random, places: list[int]) -> None:
        self.path = path
        self._chance = chance
        self._places = places
        self._size = 0
        self._half = b""

    def write(self, count: int) -> None:
        """Write lines, now and then half of the last one first."""
        data = self._half
        for _ in range(count):
            number = len(self._places)
            self._places.append(self._size)
            line = self._line(number)
            self._size += len(line)
            data += line
        cut = self._chance.randrange(1, 20) if self._chance.random() < 0.2 else 0
        self._half = data[len(data) - cut :] if cut else b""
        self._append(data[: len(data) - cut])

    def finish(self) -> None:
        """Write the other half of a line."""
        self._append(self._half)
        self._half = b""

    def rename(self) -> None:
        """Rotate as logrotate does, and most programs themselves."""
        self.finish()
        self.path.rename(self._shift())
        self.path.touch()
        self._size = 0

    def rename_late(self) -> None:
        """Rotate with a writer that does not look at names: some lines go to the renamed file."""
        self.finish()
        older = self._shift()
        self.path.rename(older)
        live, self.path = self.path, older
        self.write(self._chance.randrange(1, 20))
        self.finish()
        self.path = live
        self.path.touch()
        self._size = 0

    def copy_and_cut_off(self) -> None:
        """Rotate by logrotate's copytruncate."""
        self.finish()
        shutil.copyfile(self.path, self._shift())
        os.truncate(self.path, 0)
        self._size = 0

    def compress(self) -> None:
        """Compress the newest generation that is not, under its name or with it moved on, as logrotate does."""
        older = self.path.with_name(f"{self.path.name}.1")
        if older.exists():
            suffix, status = self._chance.choice(list(_COMPRESS)), older.stat()
            made = older.with_name(older.name + suffix)
            made.write_bytes(_COMPRESS[suffix](older.read_bytes()))
            os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
            older.unlink()

    def remove(self) -> None:
        """Remove the live file and begin a new one."""
        self.finish()
        self.path.unlink()
        self._size = 0
        if self._chance.random() < 0.5:
            self.path.touch()

    def _append(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as log:
            log.write(data)

    def _line(self, number: int) -> bytes:
        text = self._chance.choice(_TEXTS).format(n=self._chance.randrange(10_000))
        moment = f"2026-03-01 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d},{number % 1000:03d}"
        return f"{moment} INFO [engine.py:7] {text} seq={number:08d}\n".encode()

    def _shift(self) -> Path:
        """Move the older generations on; the name of the newest."""
        older: list[tuple[int, str, Path]] = []
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            number, _, suffix = path.name.removeprefix(f"{self.path.name}.").partition(".")
            older.append((int(number), suffix, path))
        for number, suffix, path in sorted(older, reverse=True):
            path.rename(path.with_name(f"{self.path.name}.{number + 1}{'.' + suffix if suffix else ''}"))
        return self.path.with_name(f"{self.path.name}.1")


class Schedule:
    """A schedule that is drawn as it goes.

    Args:
        seed: of everything that is drawn.
        folder: an empty one.
        nursery: where shippers come from.
        steps: how many events.
    """

    def __init__(self, seed: int, folder: Path, nursery: Nursery, steps: int = 25) -> None:
        self._chance = random.Random(seed)
        self._nursery = nursery
        self._steps = steps
        self.outcome = Outcome(seed)
        self._data = folder / "data"
        self._data.mkdir()
        (folder / "logs").mkdir()
        self._places: list[int] = []
        names = ["app.log", "other.log"][: self._chance.choice([1, 1, 2])]
        self._logs = [Log(folder / "logs" / name, self._chance, self._places) for name in names]
        self._pattern = str(folder / "logs" / (self._chance.choice(["*.log", "*"]) if len(names) == 2 else "app.log"))
        self._way = self._chance.choice([Log.rename, Log.rename, Log.rename_late, Log.copy_and_cut_off])
        self._likely = self._chance.choice([0.0, 0.1, 0.5])
        self._kinds = self._chance.sample(FAULTS, self._chance.randrange(1, 4))
        self._faults = random.Random(seed + 1)
        self._child: Child | None = None
        self._stopped = False

    def run(self) -> Outcome:
        """Do it all, and see what came of it."""
        with BulkSink() as self._sink:
            self._sink.plan = self._fault
            if self._chance.random() < 0.2:
                self._sink.most = self._chance.choice([1_500, 5_000])
            try:
                self._do()
                self._finish()
            finally:
                if self._child is not None and self._child.alive:
                    self._child.signal(signal.SIGCONT)
                    self._child.end(signal.SIGKILL)
            self._judge()
        if not self.outcome.good:
            (self._data / "story").write_text("\n".join(self._sink.story))
            (self._data / "documents").write_bytes(b"\n".join(map(orjson.dumps, self._sink.documents.values())))
        return self.outcome

    def _do(self) -> None:
        for log in self._logs:
            log.write(self._chance.randrange(1, 100))
            log.finish()
        self._start()
        self._await_first()
        for _ in range(self._steps):
            name = self._chance.choices(list(_EVENTS), [weight for weight, _ in _EVENTS.values()])[0]
            _EVENTS[name][1](self)
            self.outcome.events.append(name)
            self._sink.tell(name)
            if self._chance.random() < 0.6:
                time.sleep(self._chance.choice([0.001, 0.01, 0.03, 0.1]))

    def _finish(self) -> None:
        """Everything is well again, and what is left may arrive."""
        self._likely = 0.0
        self._sink.up()
        self._sink.refuse_every = 0
        self._go_on()
        for log in self._logs:
            log.finish()
        if self._child is None or not self._child.alive:
            self._start()
        self._wait(lambda: len(self._sink.documents) >= len(self._places), SECONDS)
        time.sleep(0.15)
        self._wait(lambda: len(self._numbers()) >= len(self._places), SECONDS / 6)
        assert self._child is not None
        if not self._child.alive:
            told = (self._data / "stderr.log").read_text().splitlines()[-1:]
            self.outcome.complaints.append(f"the shipper ended by itself: {told}")
            return
        try:
            self._child.end(self._chance.choice([None, signal.SIGTERM]))
        except AssertionError as error:
            self.outcome.complaints.append(str(error))

    def _judge(self) -> None:
        found, outcome = self._numbers(), self.outcome
        outcome.misplaced = [
            number
            for document in self._sink.documents.values()
            if document["log"]["offset"] != self._places[number := _number(document)]
        ]
        outcome.lines = len(self._places)
        outcome.lost = [number for number in range(len(self._places)) if not found[number]]
        outcome.twice = sorted(number for number, times in found.items() if times > 1)
        outcome.complaints += self._sink.complaints
        outcome.complaints += [f"{name} is in two indices" for name in sorted(self._sink.doubles)]

    def _numbers(self) -> Counter[int]:
        """How often each line is there."""
        return Counter(map(_number, self._sink.documents.values()))

    def _fault(self) -> str:
        return self._faults.choice(self._kinds) if self._faults.random() < self._likely else ""

    def _settings(self) -> dict[str, Any]:
        return {
            "url": self._sink.url,
            "file": [{"path": self._pattern}],
            "flush_interval": "20ms",
            "bulk_bytes": self._chance.choice([10_000, 50_000, 1_000_000]),
            "request_timeout": "5s",
        }

    def _start(self) -> None:
        self._child = self._nursery.start(self._settings(), self._data)

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or not (self._child is not None and self._child.alive):
                return False
            time.sleep(0.01)
        return True

    def _await_first(self) -> None:
        """Until something has come of every log: they are open, and not taken for what was there before."""
        first = {document["log"]["file"]["path"] for document in self._sink.documents.values()}
        wanted = {str(log.path) for log in self._logs}

        def come() -> bool:
            first.update(document["log"]["file"]["path"] for document in self._sink.documents.values())
            return first >= wanted

        self._wait(come, SECONDS)

    # Events

    def _write(self) -> None:
        self._chance.choice(self._logs).write(self._chance.choice([1, 5, 50, 400]))

    def _rotate(self) -> None:
        self._way(self._chance.choice(self._logs))

    def _compress(self) -> None:
        self._chance.choice(self._logs).compress()

    def _remove(self) -> None:
        """Only where the shipper can still read it."""
        if self._stopped or self._child is None or self._sink.is_down:
            return
        for log in self._logs:
            log.finish()
        log = self._chance.choice(self._logs)
        last = len(self._places)
        if self._is_open(log):
            log.remove()
            self._wait(lambda: len(self._sink.documents) >= last, SECONDS)

    def _is_open(self, log: Log) -> bool:
        assert self._child is not None
        return log.path.exists() and is_open(self._child.pid, log.path)

    def _kill(self) -> None:
        self._end(signal.SIGKILL)

    def _terminate(self) -> None:
        self._go_on()
        self._end(signal.SIGTERM)

    def _leave(self) -> None:
        self._go_on()
        self._end(None)

    def _end(self, number: int | None) -> None:
        if self._child is not None and self._child.alive:
            self._child.end(number)
            self._child, self._stopped = None, False
            self._sink.forget_questions()

    def _begin(self) -> None:
        if self._child is None:
            self._start()

    def _stop(self) -> None:
        if self._child is not None and self._child.alive:
            self._child.signal(signal.SIGSTOP)
            self._stopped = True

    def _go_on(self) -> None:
        if self._child is not None and self._stopped:
            self._child.signal(signal.SIGCONT)
        self._stopped = False

    def _away(self) -> None:
        self._sink.down()

    def _back(self) -> None:
        self._sink.up()

    def _roll_over(self) -> None:
        self._sink.roll_over()

    def _refuse(self) -> None:
        self._sink.refuse_every = self._chance.choice([0, 3, 50])


def warm(nursery: Nursery, folder: Path) -> None:
    """Ship a line, so that machine code is made once and not by all at the same time."""
    (folder / "warm.log").write_bytes(b"2026-03-01 00:00:00,000 INFO [engine.py:7] ready seq=00000000\n")
    with BulkSink() as sink:
        child = nursery.start({"url": sink.url, "file": [{"path": str(folder / "warm.log")}]}, folder)
        end = time.monotonic() + 10 * SECONDS
        while not sink.documents and time.monotonic() < end:
            time.sleep(0.05)
        child.end()
        assert sink.documents, (folder / "stderr.log").read_text()


def _number(document: dict[str, Any]) -> int:
    return int(document["message"].rpartition("=")[2])


_EVENTS: dict[str, tuple[float, Callable[[Schedule], None]]] = {
    "write": (10, Schedule._write),
    "rotate": (4, Schedule._rotate),
    "compress": (2, Schedule._compress),
    "remove": (0.5, Schedule._remove),
    "kill": (1, Schedule._kill),
    "terminate": (0.7, Schedule._terminate),
    "leave": (0.3, Schedule._leave),
    "begin": (3, Schedule._begin),
    "stop": (1, Schedule._stop),
    "go-on": (2, Schedule._go_on),
    "away": (0.7, Schedule._away),
    "back": (2, Schedule._back),
    "roll-over": (0.7, Schedule._roll_over),
    "refuse": (1, Schedule._refuse),
}
"""How likely each event is, beside the others."""
