"""Logging as the daemon and its children do it: standard error, one line an event, JSON when not a terminal."""

import logging
import sys

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
