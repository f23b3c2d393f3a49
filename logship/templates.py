"""The templates of all lines that are shipped: one miner for the process, its state kept from one to the next."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from forewarn.base.clock import Clock
from forewarn.base.errors import ForewarnError
from forewarn.base.files import replacing
from logship.anomalies.settings import DATASET as ANOMALIES
from logship.engine.documents import Int32
from logship.errors import LogshipError
from logship.feed import Lines, Observer
from logship.patterns.miner import Miner

FILE_NAME = "logship-templates"
SAVE_SECONDS = 60.0
SOON_SECONDS = 2.0
_SHARE = 50
"""Saving takes at most one part in so many of the time."""

log = logging.getLogger(__name__)


class Templates:
    """Gives each line its template, and shows both to the observers.

    Args:
        path: where the state is kept.
        clock: tells when it is time to keep it again.
        observers: see every line once.

    Attributes:
        miner: finds the templates.
        lock: for whoever uses the miner in another thread than the packing one.
    """

    def __init__(self, path: Path, clock: Clock, observers: Sequence[Observer] = ()) -> None:
        self.miner = _loaded(path)
        self.lock = threading.Lock()
        self._path = path
        self._clock = clock
        self._observers = list(observers)
        self._kept = self._mark()
        self._kept_at = clock.monotonic()
        self._pause = SOON_SECONDS

    def show(self, observer: Observer) -> None:
        """From now on this one sees every line, too; before the first one comes."""
        self._observers.append(observer)

    def leave_out(self, observer: Observer) -> None:
        """From now on this one sees no lines."""
        with self.lock:
            if observer in self._observers:
                self._observers.remove(observer)

    def is_shown(self, observer: Observer) -> bool:
        """Whether this one sees the lines: one that failed does not."""
        return observer in self._observers

    def of(self, lines: Lines) -> Int32:
        """The template of each line; none of anomalies, which are about lines."""
        if lines.dataset == ANOMALIES:
            return np.full(len(lines), -1, np.int32)
        with self.lock:
            found = self.miner.feed(lines.source, lines.data, lines.starts)
            for observer in tuple(self._observers):
                self._tell(observer, lines, found)
        return found

    def _tell(self, observer: Observer, lines: Lines, found: Int32) -> None:
        try:
            observer.observe(lines, found)
        except Exception:  # whatever it was, who only looks on must not stop shipping
            self._observers.remove(observer)
            log.exception("%s failed and sees no more log lines; shipping goes on", type(observer).__name__)

    def due(self) -> bool:
        """Whether the state should be kept now: once a minute, and soon after a new template was found.

        A state that lacks templates of documents that were sent would give their ids to others.
        """
        waited = self._clock.monotonic() - self._kept_at
        if waited < self._pause:
            return False
        with self.lock:
            lines, newest = self._mark()
        return newest != self._kept[1] or (waited >= SAVE_SECONDS and lines != self._kept[0])

    def save(self) -> None:
        """Keep the state as it is now, durable on return; a disk that takes none is told of."""
        began = self._clock.monotonic()
        with self.lock:
            state, self._kept = self.miner.save(), self._mark()
        self._kept_at = self._clock.monotonic()
        self._pause = max(SOON_SECONDS, _SHARE * (self._kept_at - began))
        try:
            with replacing(self._path) as file:
                file.write(state)
        except ForewarnError as error:
            log.warning("the templates of log lines cannot be kept: %s", error.message)

    def _mark(self) -> tuple[int, int]:
        """Two numbers that grow with every line and with every new template."""
        return self.miner.lines, max(self.miner.ids)


def _loaded(path: Path) -> Miner:
    try:
        return Miner.load(path.read_bytes())
    except FileNotFoundError:
        return Miner()
    except (LogshipError, OSError) as error:
        aside = path.with_name(f"{path.name}.refused")
        path.replace(aside)
        log.warning("the templates of log lines are found anew: %s; the old ones are in %s", error, aside)
        return Miner()
