"""Logging as the daemon and its children do it: standard error, one line an event, JSON when not a terminal."""

import logging
import sys
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(level: str = "INFO", *, json: bool | None = None) -> None:
    """Send every ``logging`` record to standard error.

    Rooms log with ``logging.getLogger(__name__)`` and pass what belongs to the event as ``extra={...}``.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    render: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("apscheduler", "urllib3", "httpx", "uvicorn.access", "elastic_transport", "cmdstanpy", "prophet"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
