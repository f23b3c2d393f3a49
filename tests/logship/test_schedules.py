"""Seeded random schedules: rotations, restarts and faults of the way, all at once; nothing lost, nothing twice."""

import contextlib
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forewarn.base.clock import SystemClock
from logship.settings import LogsSettings
from logship.shipper import Shipper
from tests.support.bulk_sink import BulkSink
from tests.support.logship import lines, wait_for

COUNT = 12_000


def shift(path: Path) -> Path:
    numbers = sorted((int(older.suffix[1:]) for older in path.parent.glob(f"{path.name}.*")), reverse=True)
    for number in numbers:
        path.with_name(f"{path.name}.{number}").rename(path.with_name(f"{path.name}.{number + 1}"))
    return path.with_name(f"{path.name}.1")


def rename(path: Path) -> None:
    path.rename(shift(path))
    path.touch()


def copy_and_cut_off(path: Path) -> None:
    shutil.copyfile(path, shift(path))
    path.write_bytes(b"")


@contextlib.contextmanager
def running(settings: LogsSettings, directory: Path, chance: random.Random) -> Iterator[Shipper]:
    shipper = Shipper(settings, directory, hostname="node-1", clock=SystemClock(), chance=chance)
    shipper.start()
    keeper = threading.Thread(target=shipper.keep, args=(600,))
    keeper.start()
    yield shipper
    shipper.stop()
    keeper.join()


class Writer:
    """Writes the next lines, and rotates by chance."""

    def __init__(self, path: Path, rotate: Callable[[Path], None], chance: random.Random) -> None:
        self.path, self.rotate, self.chance = path, rotate, chance
        self.left = lines(COUNT)

    def write(self, count: int) -> None:
        with self.path.open("ab") as log:
            log.write(b"".join(line + b"\n" for line in self.left[:count]))
        del self.left[:count]

    def step(self) -> None:
        self.write(self.chance.randrange(1, 800))
        if self.chance.random() < 0.4:
            self.rotate(self.path)


@pytest.mark.slow
@pytest.mark.parametrize("rotate", [rename, copy_and_cut_off])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_schedules(tmp_path: Path, rotate: Callable[[Path], None], seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "logs" / "app.log"
    path.parent.mkdir()
    writer = Writer(path, rotate, chance)
    writer.write(100)
    with BulkSink() as sink:
        settings = LogsSettings.model_validate(
            {"url": sink.url, "file": [{"path": f"{path}{chance.choice(['', '*'])}"}], "flush_interval": "20ms"}
            | {"bulk_bytes": chance.choice([50_000, 500_000])}
        )
        sink.fault, sink.every = chance.choice(["answer lost", "502", "reset in mid body"]), 5
        with running(settings, tmp_path, chance):
            wait_for(lambda: len(sink.documents) >= 100, "a beginning")
        while writer.left:
            with running(settings, tmp_path, chance):
                for _ in range(chance.randrange(1, 12)):
                    writer.step()
                    time.sleep(chance.uniform(0, 0.1))
            for _ in range(chance.randrange(3)):
                writer.step()
        with running(settings, tmp_path, chance), contextlib.suppress(AssertionError):
            wait_for(lambda: len(sink.documents) >= COUNT, "all of it", 30)
    found = Counter(document["message"].encode() for document in sink.documents.values())
    written = Counter(lines(COUNT))
    assert (sum((written - found).values()), sum((found - written).values())) == (0, 0), "lost, twice"
