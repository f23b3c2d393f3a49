"""A search by whichever can answer: the server, or else the node's own files."""

from dataclasses import dataclass
from typing import Literal

from forewarn.base.clock import Clock
from logship.search.asked import Asked, Line
from logship.search.elastic import Elastic
from logship.search.errors import SearchError, UnreachableError
from logship.search.local import Local
from logship.settings import LogsSettings

Where = Literal["auto", "elasticsearch", "local"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave.

    Attributes:
        lines: in the order of their time.
        place: what was asked.
        reason: why the server was not asked, or did not answer; empty where it did.
    """

    lines: list[Line]
    place: Literal["elasticsearch", "local"]
    reason: str = ""


def in_server(settings: LogsSettings, asked: Asked) -> Found:
    """What the server holds.

    Raises:
        UnreachableError: none answers, or none is configured.
        SearchError: it refuses.
        ConfigError: a secret's file cannot be read.
    """
    if not settings.url:
        raise UnreachableError("no Elasticsearch is configured", hint="set [logs] url")
    server = Elastic(settings)
    try:
        return Found(server.search(asked), "elasticsearch")
    finally:
        server.close()


def in_files(settings: LogsSettings, asked: Asked, hostname: str, clock: Clock, reason: str = "") -> Found:
    """What the node's files hold.

    Raises:
        SearchError: no file fits, or something is asked that only the server knows.
    """
    return Found(Local(settings, hostname, clock).search(asked), "local", reason)


def search(settings: LogsSettings, asked: Asked, hostname: str, clock: Clock, where: Where = "auto") -> Found:
    """The newest lines that fit, from the server, or from the files where it is away.

    Raises:
        SearchError: neither can answer.
        ConfigError: a secret's file cannot be read.
    """
    if where == "local":
        return in_files(settings, asked, hostname, clock)
    if where == "auto" and not settings.url:
        return in_files(settings, asked, hostname, clock, "no Elasticsearch is configured")
    try:
        return in_server(settings, asked)
    except UnreachableError as error:
        if where == "elasticsearch":
            raise
        try:
            return in_files(settings, asked, hostname, clock, error.message)
        except SearchError as other:
            raise SearchError(f"{error.message}; nor the files: {other.message}", hint=error.hint) from other
