"""Searches of logs in the daemon: on a thread where Elasticsearch answers, else in a child that reads the files."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from forewarn.base.clock import Clock
from forewarn.base.crew import Crew
from forewarn.base.errors import ForewarnError
from forewarn.base.frames import Frame
from forewarn.config import Config
from forewarn.supervise import Child, ChildSpec
from logship.search.asked import Asked, Line
from logship.search.elastic import Elastic
from logship.search.errors import SearchError, UnreachableError
from logship.search.reach import check_local
from logship.settings import LogsSettings

log = logging.getLogger(__name__)

THREADS = 2
MOST_WAITING = 4
DEADLINE_SECONDS = 30.0
NICE = 10


class LogSearch:
    """Searches when it is asked to.

    Args:
        config: the configuration that holds now.
        hostname: the node's name.
        clock: the time.
    """

    def __init__(self, config: Callable[[], Config], hostname: str, clock: Clock) -> None:
        self._config = config
        self._hostname = hostname
        self._clock = clock
        self._crew: Crew | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._child: Child | None = None
        self._stopped = False

    @property
    def ready(self) -> bool:
        """Whether there is anything to search."""
        logs = self._config().logs
        return bool(logs.url or logs.file)

    async def find(self, asked: Asked, *, local: bool = False) -> dict[str, Any]:
        """The newest lines that fit: ``place``, ``reason`` (why the server was not asked), ``lines``.

        Raises:
            AskedError: something is asked for that there is not.
            SearchError: neither the server nor the files can answer, or too many searches are waited for.
            ConfigError: a secret's file cannot be read.
        """
        if self._waiting >= MOST_WAITING:
            raise SearchError(f"{MOST_WAITING} searches are being waited for", hint="ask again in a moment")
        self._waiting += 1
        try:
            return await self._found(self._config().logs, asked, local=local)
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """End the one that is under way in a child."""
        self._stopped = True
        if self._child is not None:
            await self._child.stop()

    async def _found(self, logs: LogsSettings, asked: Asked, *, local: bool) -> dict[str, Any]:
        reason = "" if local else "no Elasticsearch is configured"
        if logs.url and not local:
            self._crew = self._crew or Crew("log-search", THREADS)
            try:
                lines = await self._crew.submit(_in_server, logs, asked)
            except UnreachableError as error:
                reason = error.message
            else:
                return {"place": "elasticsearch", "reason": "", "lines": [line.as_json() for line in lines]}
        if not logs.file:
            hint = "set [[logs.file]] path, or [logs] url"
            raise SearchError(reason or "no log file is configured", hint=hint)
        if local or not logs.url:
            check_local(asked, logs, self._hostname)
        async with self._turn:
            return {"place": "local", "reason": reason, "lines": await self._in_files(logs, asked)}

    async def _in_files(self, logs: LogsSettings, asked: Asked) -> list[dict[str, Any]]:
        answers: list[Frame] = []
        spec = ChildSpec("log-search", "logship.search.child", lambda: self._settings(logs, asked), answers.append)
        self._child = Child(spec, self._clock)
        status = None if self._stopped else await self._child.run_once()
        hint = "ask for a shorter time, or one --file" if status else None
        lost: Frame = {"kind": "error", "message": "the files were not searched to the end", "hint": hint}
        answer: Frame = answers[-1] if answers else lost
        if answer["kind"] == "lines":
            lines: list[dict[str, Any]] = answer["lines"]
            return lines
        raise SearchError(answer["message"], hint=answer["hint"])

    def _settings(self, logs: LogsSettings, asked: Asked) -> Frame:
        return {
            "logs": logs.model_dump(mode="json"),
            "asked": asdict(asked),
            "hostname": self._hostname,
            "nice": NICE,
            "deadline": DEADLINE_SECONDS,
            "log_level": self._config().log_level,
        }


def _in_server(logs: LogsSettings, asked: Asked) -> list[Line]:
    try:
        server = Elastic(logs)
    except ForewarnError as error:  # a secret's file that cannot be read
        raise SearchError(error.message, hint=error.hint) from error
    try:
        return server.search(asked)
    finally:
        server.close()
