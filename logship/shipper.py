"""The log shipper put together: workers that pack and send, a thread that follows files, one that keeps account."""

import logging
import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

from forewarn.base.clock import Clock
from forewarn.base.errors import ForewarnError
from logship.anomalies.reading import EVENTS
from logship.anomalies.settings import DATASET
from logship.anomalies.watch import Watch
from logship.checkpoint import FILE_NAME, Checkpoint
from logship.delivery.backoff import PAUSE_SECONDS, Window, full_jitter
from logship.delivery.batch import Batch
from logship.delivery.bulk import Bulk
from logship.delivery.crew import Crew
from logship.delivery.ledger import Ledger
from logship.delivery.voice import Voice
from logship.delivery.worker import Way, Worker
from logship.elastic.control import Control
from logship.errors import ControlError, LogshipError
from logship.feed import Doubt, Observer
from logship.files.follower import Follower
from logship.journal.journal import Journal
from logship.packer import Packer
from logship.press import Press
from logship.settings import FileSettings, LogsSettings
from logship.shaping.redaction import Redactor
from logship.spool.letters import DeadLetters
from logship.spool.room import SpoolRoom
from logship.stats import RawSample, Stats
from logship.templates import FILE_NAME as TEMPLATES
from logship.templates import Templates

COMMIT_SECONDS = 0.2
"""Shortest time between two commits."""
DRAIN_SECONDS = 1.2

_T = TypeVar("_T")

log = logging.getLogger(__name__)


class Shipper:
    """Ships logs until it is stopped.

    Args:
        settings: what to ship and where to.
        directory: where the checkpoint, the templates and refused documents lie.
        hostname: the node's name.
        clock: the clocks.
        chance: randomness of the back-off.
        pause_seconds: time between tries while somebody has to mend something.
        observers: see every line once.
        doubt: is asked before documents are sent that may have been sent before.

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
        observers: Sequence[Observer] = (),
        doubt: Doubt | None = None,
    ) -> None:
        settings = _with_anomalies(settings, directory)
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._pause_seconds = pause_seconds
        self._control = Control(settings)
        bulk = Bulk(settings)
        self._stopping, self._news = threading.Event(), threading.Event()
        self._committed = float("-inf")
        self._checkpoint = Checkpoint(directory / FILE_NAME)
        self._ledger = Ledger(self._checkpoint, self._news.set)
        self._stats = Stats(clock)
        self._spool = SpoolRoom(
            settings, directory, checkpoint=self._checkpoint, ledger=self._ledger, stats=self._stats, clock=clock
        )
        several = len(settings.streams) > 1 and settings.connections > 1
        self.packer = Packer(settings.flush_interval, clock, settings.connections - 1 if several else None)
        self._redactor = Redactor(settings.redact)
        self._templates = Templates(directory / TEMPLATES, clock, observers) if settings.templates else None
        self._watch = self._watching(directory)
        limits = (settings.bulk_bytes, settings.max_line_bytes)
        press = Press(self._templates, self._redactor, settings.multiline, *limits)
        self._follower = Follower(
            settings,
            hostname,
            checkpoint=self._checkpoint,
            ledger=self._ledger,
            packer=self.packer,
            press=press,
            stats=self._stats,
            clock=clock,
            stopping=self._stopping,
            guard=self._spool.guard,
        )
        self._journal = Journal(
            settings,
            hostname,
            checkpoint=self._checkpoint,
            ledger=self._ledger,
            packer=self.packer,
            templates=self._templates,
            redactor=self._redactor,
            stats=self._stats,
            clock=clock,
            stopping=self._stopping,
        )
        most = settings.connections + len(settings.streams)  # one that may not be written to holds one of them
        self._crew = Crew(lambda: self._work(self._deliver), settings.connections, most)
        self._way = self._make_way(bulk, self._spool.dead, doubt)
        self._threads = [
            threading.Thread(target=self._work, args=(work,), name=name, daemon=True)
            for name, work in [("follower", self._follower.run), ("journal", self._journal.run)]
        ]
        self._fault: Exception | None = None
        self._prepared = threading.Event()
        self._preparing = threading.Lock()

    def _watching(self, directory: Path) -> Watch | None:
        """The watch for anomalies, where there are templates and it is wanted."""
        if self._templates is None or not self._settings.anomalies.enabled:
            return None
        watch = Watch(
            self._settings.anomalies,
            directory,
            clock=self._clock,
            miner=self._templates.miner,
            lock=self._templates.lock,
            datasets=self._settings.datasets,
        )
        self._templates.show(watch)
        return watch

    def _make_way(self, bulk: Bulk, dead: DeadLetters, doubt: Doubt | None) -> Way:
        settings = self._settings
        return Way(
            bulk=bulk,
            window=Window(settings.connections, self._stopping),
            doubt=doubt,
            checkpoint=self._checkpoint,
            ledger=self._ledger,
            dead=dead,
            stats=self._stats,
            voice=Voice(self._stats),
            packer=self.packer,
            crew=self._crew,
            clock=self._clock,
            chance=self._chance,
            stopping=self._stopping,
            gzip=settings.gzip,
            pause_seconds=self._pause_seconds,
        )

    def _deliver(self) -> None:
        if self._prepare():
            batch = Batch(self._settings.bulk_bytes, self._settings.max_line_bytes)
            Worker(self.packer.pack, batch, self._way).run()

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()
        self._crew.start()

    def keep(self, seconds: float) -> None:
        """Keep the checkpoint and the templates up to date for a while, or until the end is asked for.

        Raises:
            LogshipError: reading or sending has broken off, or the checkpoint cannot be written; what has not arrived
                is sent again by the next shipper.
        """
        end = self._clock.monotonic() + seconds
        while not self._is_over(end):
            try:
                if self._ledger.commit():
                    self._follower.release()
                self._committed = self._clock.monotonic()
                self._spool.tick()
            except sqlite3.Error as error:
                self._fault = error
            if self._fault is not None:
                raise _broken_off(self._fault) from self._fault
            if self._templates is not None and self._templates.due():
                self._templates.save()
            self._look_on(lambda watch: watch.tick(self._follower.behind))
            if self._clock.monotonic() >= end:
                return

    def _is_over(self, end: float) -> bool:
        """Wait until there is something to commit, or for the next full second; whether it is time to stop."""
        second = 1.0 - self._clock.now_ms() % 1000 / 1000  # the watch for anomalies has its ticks on full ones
        if self._news.wait(max(0.0, min(second, end - self._clock.monotonic()))):
            due = min(self._committed + COMMIT_SECONDS, end)
            self._stopping.wait(max(0.0, due - self._clock.monotonic()))
        self._news.clear()
        return self._stopping.is_set()

    def ask_to_stop(self) -> None:
        """End as soon as what is under way has been answered; from any thread."""
        self._stopping.set()
        self._news.set()
        self.packer.stop()
        self._follower.wake()

    def stop(self) -> bool:
        """End: wait a moment for what is under way, then write down what has arrived.

        Returns:
            Whether all of it has ended. Else a request is still waited for: end the process, or call again.
        """
        self.ask_to_stop()
        deadline = self._clock.monotonic() + DRAIN_SECONDS
        follower, *others = self._threads
        followed = self._have_ended([follower], deadline)
        if followed:
            self._follower.part()  # before the others are waited for: it may take long, and the process is ended soon
        ended = self._have_ended([*others, *self._crew.threads], deadline)
        try:
            self._ledger.commit()
        except sqlite3.Error as error:
            log.warning("what has arrived lately cannot be written down, and is sent again: %s", error)
        if followed:
            self._follower.reckon()
        if self._templates is not None:
            self._templates.save()
        self._look_on(Watch.close)
        if not (followed and ended):
            return False
        self._follower.close()
        self._spool.close()
        self._journal.close()
        self._checkpoint.close()
        return True

    def samples(self) -> list[RawSample]:
        """What the shipper says of itself."""
        watched = self._look_on(Watch.samples) or []
        masked = [
            ("forewarn_logs_redactions_total", {"rule": rule}, float(count), True)
            for rule, count in sorted(self._redactor.counts.copy().items())
        ]
        return self._stats.samples() + self._journal.samples() + self._spool.samples() + watched + masked

    def anomalies(self) -> list[dict[str, Any]]:
        """What is unusual in the logs, and what was lately."""
        return self._look_on(Watch.told) or []

    def _look_on(self, look: Callable[[Watch], _T]) -> _T | None:
        """What the watch for anomalies says; None where there is none, or none any more."""
        templates, watch = self._templates, self._watch
        if templates is None or watch is None:
            return None
        if templates.is_shown(watch):
            try:
                return look(watch)
            except Exception:  # whatever it was, who only looks on must not stop shipping
                templates.leave_out(watch)
                log.exception("the watch for anomalies failed and looks no more; shipping goes on")
        self._watch = None
        return None

    def _have_ended(self, threads: Sequence[threading.Thread], deadline: float) -> bool:
        """Whether all of these end before a moment on the monotonic clock."""
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (ForewarnError, sqlite3.Error) as error:
            self._fault = error
        except Exception as error:  # whatever it was, a shipper that lost a thread must not look alive
            log.exception("the thread %s failed", threading.current_thread().name)
            self._fault = error
        if self._fault is not None:
            self._news.set()

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
                return full_jitter(self._chance, failures + 1)
        self._prepared.set()
        return 0.0


def _with_anomalies(settings: LogsSettings, directory: Path) -> LogsSettings:
    """Anomalies are followed like any other log, so that each arrives once."""
    if not (settings.templates and settings.anomalies.enabled):
        return settings
    own = FileSettings(path=escape(str(directory.absolute() / EVENTS)), dataset=DATASET)
    return settings.model_copy(update={"file": (*settings.file, own)})


def _broken_off(fault: Exception) -> LogshipError:
    hint = "is there room on the disk of the data directory?" if isinstance(fault, (OSError, sqlite3.Error)) else None
    return LogshipError(f"the log shipper broke off: {fault or type(fault).__name__}", hint=hint)
