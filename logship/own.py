"""The daemon's, the shipper's and the worker's own lines as a source: the journal under systemd, else small files."""

import os
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any

from logship.journal.settings import JournalSettings
from logship.settings import OWN_DATASET, FileSettings, LogsSettings

UNITS = ("forewarn", "forewarn-*")
FOLDER = "logs"
"""In the data directory."""


def folder_for(settings: LogsSettings, data: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where our own lines are to be kept for the shipper; None where they are not, or the journal has them."""
    if not settings.enabled or not settings.own or in_journal(environ):
        return None
    return data / FOLDER


def frame_of(folder: Path | None, name: str) -> dict[str, Any]:
    """What a child's first frame says of its own lines."""
    return {"own_logs": {"folder": str(folder), "name": name}} if folder is not None else {}


def in_journal(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether our standard error goes to the journal: systemd.exec(5), JOURNAL_STREAM.

    A shell in a terminal that is a service has the variable, too, but another standard error.
    """
    try:
        about = os.fstat(2)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


def with_own(
    settings: LogsSettings, own_logs: Mapping[str, str] | None, environ: Mapping[str, str] = os.environ
) -> LogsSettings:
    """The settings with our own lines as a source before the others.

    Args:
        settings: what is configured.
        own_logs: what the first frame says of our own lines.
        environ: of the process.
    """
    if not settings.own:
        return settings
    if own_logs is not None:
        file = FileSettings(path=f"{escape(own_logs['folder'])}/*.log", dataset=OWN_DATASET)
        return settings.model_copy(update={"file": (file, *settings.file)})
    if in_journal(environ):
        journal = JournalSettings(units=UNITS, dataset=OWN_DATASET)
        return settings.model_copy(update={"journal": (journal, *settings.journal)})
    return settings
