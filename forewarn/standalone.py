"""A child's main function run as a program of its own: under systemd the log shipper and the worker are units.

Frames that would go to the parent go to the daemon's control socket instead, where a daemon runs.
"""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from forewarn.base.child import Channel
from forewarn.base.errors import ForewarnError
from forewarn.base.frames import Frame
from forewarn.base.logs import configure_logging, keep_logs
from forewarn.control import ControlClient
from forewarn.systemd import Notifier

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 3.0
ANNOUNCE_SECONDS = 5.0
ANSWER_SECONDS = 2.0
"""A daemon that hangs must not hold up who ships its logs."""


class Daemon:
    """The daemon in the place of a parent: what is sent while none runs is dropped, for samples age quickly."""

    def __init__(self, name: str, settings: Frame, control: Path, stopping: threading.Event) -> None:
        self._name = name
        self.settings = settings
        self.stopping = stopping
        self.problem: Frame | None = None
        self._control = control
        self._notifier = Notifier()
        self._client: ControlClient | None = None
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self._end: queue.SimpleQueue[None] = queue.SimpleQueue()

    def send(self, frame: Frame) -> None:
        """Hand a frame to the daemon, where one runs."""
        kind = frame.get("kind")
        if kind == "ready":
            self._notifier.ready(str(frame.get("url", "running")))
            threading.Thread(target=self._repeat, args=(frame,), name="announcing", daemon=True).start()
        elif kind in {"off", "unavailable"}:
            self.problem = frame
            self.stop()
        self._hand_over(frame)

    def _repeat(self, frame: Frame) -> None:
        """Say it again and again: the daemon that heard it may have been started or configured anew."""
        while not self.stopping.wait(ANNOUNCE_SECONDS):
            self._hand_over(frame)

    def _hand_over(self, frame: Frame) -> None:
        with self._lock:
            if self._client is None and time.monotonic() < self._retry_at:
                return
            try:
                self._client = self._client or ControlClient(self._control, timeout=ANSWER_SECONDS)
                self._client.ask("child_frame", child=self._name, frame=frame)
            except (ForewarnError, OSError) as error:
                log.debug("no daemon takes the frame", extra={"error": str(error)})
                if self._client is not None:
                    self._client.close()
                self._client = None
                self._retry_at = time.monotonic() + RECONNECT_SECONDS

    def frames(self) -> Iterator[Frame]:
        """No frames ever come; ends with the process."""
        self._end.get()
        yield from ()

    def stop(self) -> None:
        """Ask the main function to end."""
        self.stopping.set()
        self._end.put(None)


def run_alone(name: str, main: Callable[[Channel], None], settings: Frame, control: Path) -> None:
    """Run a child's main function until SIGTERM or Ctrl-C.

    Raises:
        ForewarnError: it cannot do its work here.
    """
    configure_logging(settings["log_level"])
    if own := settings.get("own_logs"):
        keep_logs(Path(own["folder"]), own["name"])
    daemon = Daemon(name, settings, control, threading.Event())
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: daemon.stop())
    main(daemon)
    if daemon.problem is not None:
        raise ForewarnError(daemon.problem["reason"], hint=daemon.problem.get("hint"))
    logging.shutdown()
    os._exit(0)  # taking torch down in good order takes seconds that systemd need not wait for
