"""Logging as the daemon and its children do it: standard error, one line an event, JSON when not a terminal."""

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.orjson import OrjsonFormatter

_NOISY = ("apscheduler", "uvicorn.access", "uvicorn.error", "cmdstanpy", "prophet", "matplotlib")
_SILENCED = ("urllib3", "elastic_transport")  # our own lines tell of every failed request, once
_ONLY_ERRORS = ("apscheduler.scheduler",)  # it names every run that waits for one that hangs, as often as it is due
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31m"}
_PLAIN = "\x1b[0m"


class TerminalFormatter(logging.Formatter):
    """Time, level, message, then what belongs to the event as ``key=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        """The line of a record."""
        extra = (f"{key}={value}" for key, value in vars(record).items() if key not in RESERVED_ATTRS)
        line = " ".join([super().formatMessage(record), *extra])
        colour = _COLOURS.get(record.levelname)
        return f"{colour}{line}{_PLAIN}" if colour else line


def json_formatter() -> logging.Formatter:
    """One JSON object a line: level, logger, event, timestamp, whatever was passed as extra, and a traceback."""
    names = {"levelname": "level", "name": "logger", "message": "event"}
    return OrjsonFormatter("%(levelname)s %(name)s %(message)s", rename_fields=names, timestamp=True)


def configure_logging(level: str = "INFO", *, json: bool | None = None) -> None:
    """Send every ``logging`` record to standard error.

    Rooms log with ``logging.getLogger(__name__)`` and pass what belongs to the event as ``extra={...}``.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter() if as_json else TerminalFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for silenced in _SILENCED:
        logging.getLogger(silenced).setLevel(logging.CRITICAL)
    for chatty in _ONLY_ERRORS:
        logging.getLogger(chatty).setLevel(logging.ERROR)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


OWN_BYTES = 4 * 1024 * 1024
OWN_FILES = 3
"""The size of a file of our own lines, and how many there are of a process: 12 MiB at most."""


def keep_logs(folder: Path, name: str) -> None:
    """Write every record, beside standard error, as a JSON line to a file of a limited size.

    For the log shipper, where no journal takes what we say. A disk that takes no more is nobody's trouble here.

    Args:
        folder: takes the files; made where it is not there.
        name: of the process.
    """
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415  it brings sockets and pickle along

    class OwnFile(RotatingFileHandler):
        def _open(self) -> Any:
            stream = super()._open()
            os.fchmod(stream.fileno(), 0o600)
            return stream

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
            """A full disk would otherwise be told with a traceback for every line."""

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = OwnFile(folder / f"{name}.log", maxBytes=OWN_BYTES, backupCount=OWN_FILES - 1, encoding="utf-8")
    except OSError as error:
        logging.getLogger(__name__).warning("our own log lines are not kept in %s: %s", folder, error)
        return
    handler.setFormatter(json_formatter())
    logging.getLogger().addHandler(handler)


class Seldom(logging.Filter):
    """Lets the same message pass a few times a minute only: who ships its own lines must not speak of each of them.

    Args:
        most: of one message, its arguments aside, within a minute.
        monotonic: tells seconds.
    """

    def __init__(self, most: int = 10, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most, self._monotonic = most, monotonic
        self._said: dict[tuple[str, object], deque[float]] = {}
        self._left_out: dict[tuple[str, object], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes; the first behind some that did not says how many these were."""
        key, now = (record.name, record.msg), self._monotonic()
        if len(self._said) > 1000:  # messages that were put together by hand
            self._said.clear()
            self._left_out.clear()
        said = self._said.setdefault(key, deque())
        while said and now - said[0] > 60:
            said.popleft()
        if len(said) >= self._most:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return False
        said.append(now)
        if left_out := self._left_out.pop(key, 0):
            record.left_out = left_out
        return True
