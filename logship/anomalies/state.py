"""What was learned of the logs, kept from one process to the next."""

import contextlib
import io
import logging
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from forewarn.base.files import replacing
from logship.anomalies.dataset import DatasetWatch
from logship.anomalies.novelty import Novelty
from logship.anomalies.sequences import Resolve, Ways

STATE = "log-anomalies.state"
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a file raises that was damaged, or written by another version."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Learned:
    """What is known of a node's logs.

    Attributes:
        datasets: the rates of each data set.
        novelty: how often new templates came.
        ways: the ways of the requests of each data set.
    """

    datasets: dict[str, DatasetWatch] = field(default_factory=dict)
    novelty: Novelty = field(default_factory=Novelty)
    ways: dict[str, Ways] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        """Keep it.

        Raises:
            ForewarnError: the file cannot be written.
        """
        arrays: dict[str, Any] = {}
        about: dict[str, Any] = {}
        for number, (name, watch) in enumerate(self.datasets.items()):
            about[name], own = watch.save()
            arrays |= {f"{number}.{key}": value for key, value in own.items()}
        head = {
            "datasets": about,
            "novelty": self.novelty.save(),
            "ways": {name: ways.save() for name, ways in self.ways.items()},
        }
        body = io.BytesIO()
        np.savez_compressed(body, head=np.frombuffer(orjson.dumps(head), np.uint8), **arrays)
        with replacing(directory / STATE) as file:
            file.write(body.getbuffer())


def learned(directory: Path, learning: float, now_ms: int, followed: Collection[str], resolve: Resolve) -> Learned:
    """What an earlier process has learned; a file that cannot be read is set aside.

    Args:
        directory: where it is kept.
        learning: see ``DatasetWatch``.
        now_ms: the time.
        followed: the data sets of which it is wanted.
        resolve: the template that one was merged into.
    """
    path = directory / STATE
    try:
        return _read(path, learning, now_ms, followed, resolve)
    except FileNotFoundError:
        return Learned()
    except _UNREADABLE as error:
        aside = path.with_name(f"{path.name}.refused")
        with contextlib.suppress(OSError):  # then it is written over
            path.replace(aside)
        log.warning("what was learned of the logs is learned anew: %s; the old file is %s", error, aside)
        return Learned()


def _read(path: Path, learning: float, now_ms: int, followed: Collection[str], resolve: Resolve) -> Learned:
    found = Learned()
    with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
        head = orjson.loads(saved["head"].tobytes())
        for number, (name, about) in enumerate(head["datasets"].items()):
            if name in followed:
                mark = f"{number}."
                own = {key.removeprefix(mark): saved[key] for key in saved.files if key.startswith(mark)}
                found.datasets[name] = DatasetWatch.load(learning, now_ms, about, own)
    found.novelty = Novelty.load(head["novelty"])
    found.ways = {name: Ways.load(ways, now_ms, resolve) for name, ways in head["ways"].items() if name in followed}
    return found
