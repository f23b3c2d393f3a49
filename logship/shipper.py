"""The log shipper put together: one thread that reads, some that send, one that keeps the checkpoint."""

import contextlib
import logging
import queue
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from forewarn.base.clock import Clock
from logship.batch import Batch
from logship.bulk import Bulk
from logship.checkpoint import FILE_NAME, Checkpoint
from logship.control import Control
from logship.deadletter import FILE_NAME as DEAD_LETTERS
from logship.deadletter import DeadLetters
from logship.errors import ControlError, LogshipError
from logship.ledger import Ledger
from logship.reader import Reader
from logship.sender import FIRST_WAIT, LONGEST_WAIT, PAUSE_SECONDS, Sender
from logship.settings import LogsSettings
from logship.stats import RawSample, Stats

COMMIT_SECONDS = 0.2
DRAIN_SECONDS = 1.2

log = logging.getLogger(__name__)


class Shipper:
    """Ships log files until it is stopped.

    Args:
        settings: what to ship and where to.
        directory: where the checkpoint and refused documents lie.
        hostname: the node's name.
        clock: the clocks.
        chance: randomness of the back-off.
        pause_seconds: time between tries while somebody has to mend something.

    Raises:
        MissingExtraError: the official client is not installed.
        ConfigError: a secret's file cannot be read.
    """

    def __init__(
        self,
        settings: LogsSettings,
        directory: Path,
        *,
        hostname: str,
        clock: Clock,
        chance: random.Random,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._pause_seconds = pause_seconds
        self._control: Control | None = Control(settings)
        self._stopping = threading.Event()
        self._checkpoint = Checkpoint(directory / FILE_NAME)
        self._ledger = Ledger(self._checkpoint)
        self._stats = Stats(clock)
        self._batches: queue.Queue[Batch | None] = queue.Queue(maxsize=1)
        bulk = Bulk(settings)
        dead = DeadLetters(directory / DEAD_LETTERS, settings.dead_letter_bytes, clock)
        self._reader = Reader(
            settings,
            hostname,
            checkpoint=self._checkpoint,
            ledger=self._ledger,
            stats=self._stats,
            batches=self._batches,
            clock=clock,
            stopping=self._stopping,
        )
        self._sender = Sender(
            self._batches,
            bulk,
            ledger=self._ledger,
            dead=dead,
            stats=self._stats,
            stopping=self._stopping,
            chance=chance,
            pause_seconds=pause_seconds,
        )
        self._threads = [
            threading.Thread(target=self._work, args=(self._reader.run,), name="reader", daemon=True),
            *(
                threading.Thread(target=self._work, args=(self._send,), name=f"sender-{number}", daemon=True)
                for number in range(settings.connections)
            ),
        ]
        self._fault: Exception | None = None
        self._prepared = threading.Event()
        self._preparing = threading.Lock()

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def keep(self, seconds: float) -> None:
        """Keep the checkpoint up to date for a while, or until the end is asked for.

        Raises:
            LogshipError: reading or sending has broken off, or the checkpoint cannot be written; what has not arrived
                is sent again by the next shipper.
        """
        end = self._clock.monotonic() + seconds
        while not self._stopping.wait(max(0.0, min(COMMIT_SECONDS, end - self._clock.monotonic()))):
            try:
                self._ledger.commit()
            except sqlite3.Error as error:
                self._fault = error
            if self._fault is not None:
                raise _broken_off(self._fault) from self._fault
            if self._clock.monotonic() >= end:
                return

    def ask_to_stop(self) -> None:
        """End as soon as what is under way has been answered; from any thread."""
        self._stopping.set()

    def stop(self) -> None:
        """End: wait a moment for what is under way, then write down what has arrived."""
        self._stopping.set()
        deadline = self._clock.monotonic() + DRAIN_SECONDS
        for _ in range(self._settings.connections):
            with contextlib.suppress(queue.Full):
                self._batches.put(None, timeout=max(0.0, deadline - self._clock.monotonic()))
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        self._ledger.commit()
        if not any(thread.is_alive() for thread in self._threads):
            self._checkpoint.close()

    def samples(self) -> list[RawSample]:
        """What the shipper says of itself."""
        return self._stats.samples()

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever it was, a shipper that lost a thread must not look alive
            self._fault = error

    def _send(self) -> None:
        if self._prepare():
            self._sender.run()

    def _prepare(self) -> bool:
        """Set Elasticsearch up, as often as it takes; False where the end came first."""
        failures = 0
        with self._preparing:
            while not self._prepared.is_set() and not self._stopping.is_set():
                wait = self._try_to_prepare(failures)
                failures += 1
                self._stopping.wait(wait)
        return self._prepared.is_set()

    def _try_to_prepare(self, failures: int) -> float:
        assert self._control is not None
        try:
            self._control.prepare(self._settings.streams)
        except ControlError as error:
            if error.status == 403:
                log.warning("%s; the data streams are taken to be prepared already", error)
            else:
                if self._stats.up(value=False):
                    log.warning("%s; nothing is lost, it is tried again", error)
                if error.status == 401:
                    return self._pause_seconds
                return self._chance.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures + 1, 16)))
        self._prepared.set()
        self._control.close()
        self._control = None
        return 0.0


def _broken_off(fault: Exception) -> LogshipError:
    hint = "is there room on the disk of the data directory?" if isinstance(fault, (OSError, sqlite3.Error)) else None
    return LogshipError(f"the log shipper broke off: {fault or type(fault).__name__}", hint=hint)
