"""GET /v1/logs: log lines, searched."""

from collections.abc import Awaitable
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from api.answers import ApiError, Json
from api.parameters import only_known
from forewarn.base.clock import HOUR, Clock, parse_time, rfc3339
from forewarn.base.errors import ForewarnError
from logship.search.asked import DATASETS, Asked
from logship.search.errors import AskedError, SearchError

MOST_LINES = 1000

Text = Annotated[
    str, Query(description='Words that must all occur; `"several words"` in quotes are one phrase.', max_length=1000)
]
Since = Annotated[str | None, Query(description="RFC 3339, or seconds since the epoch; default: an hour ago.")]
Until = Annotated[str | None, Query(description="The first moment that is too late, written alike; default: now.")]
LevelName = Annotated[
    Literal["trace", "debug", "info", "notice", "warning", "error", "critical"] | None,
    Query(description="This level and those above."),
]
Dataset = Annotated[str | None, Query(description="Default: those configured; `*` for all.", pattern=DATASETS)]
FilePath = Annotated[str | None, Query(description="Path of the log file, or the end of it.", max_length=4096)]
Template = Annotated[int | None, Query(description="Number of the lines' template.", ge=0, lt=2**31)]
Host = Annotated[str | None, Query(description="Name of the node; default: all.", max_length=255)]
Limit = Annotated[int, Query(description="Lines at most, the newest.", ge=1, le=MOST_LINES)]
Context = Annotated[int, Query(description="Lines of the same file around each.", ge=0, le=20)]
Place = Annotated[
    Literal["auto", "local"], Query(description="auto: Elasticsearch, or the node's own files while it is away.")
]


class LogLine(BaseModel):
    """A line."""

    time: str
    level: str = Field(description="Empty where it names none.")
    host: str
    dataset: str
    file: str
    offset: int | None
    template: int | None
    message: str
    context: bool = Field(description="Whether it only stands beside a line that fits.")
    more: dict[str, Any] = Field(default_factory=dict, description="The document's other fields, where there are any.")


class LogsAnswer(BaseModel):
    """Lines in the order of their time."""

    place: Literal["elasticsearch", "local"]
    reason: str = Field(description="Why the files were searched; empty where Elasticsearch was.")
    lines: list[LogLine]
    truncated: bool = Field(description="Whether there may be older ones that fit.")


class Finder(Protocol):
    """Searches logs.

    Attributes:
        ready: whether there is anything to search.
    """

    @property
    def ready(self) -> bool:
        """See above."""
        ...

    def find(self, asked: Asked, *, local: bool = False) -> Awaitable[dict[str, Any]]:
        """``place``, ``reason`` and ``lines``; ForewarnError where it cannot be answered."""
        ...


def logs_router(finder: Finder, clock: Clock) -> APIRouter:
    """The route that searches."""
    router = APIRouter(prefix="/v1", tags=["logs"], dependencies=[Depends(only_known)])

    @router.get("/logs", response_model=LogsAnswer)
    async def logs(  # noqa: PLR0917  FastAPI's parameters are the query's
        q: Text = "",
        since: Since = None,
        until: Until = None,
        level: LevelName = None,
        dataset: Dataset = None,
        file: FilePath = None,
        template: Template = None,
        host: Host = None,
        limit: Limit = 100,
        context: Context = 0,
        source: Place = "auto",
    ) -> Response:
        """The newest lines that fit, masked as shipped documents are."""
        asked = Asked(
            text=q,
            since_ms=clock.now_ms() - HOUR if since is None else _moment(since, "since"),
            until_ms=None if until is None else _moment(until, "until"),
            level=level,
            dataset=dataset,
            file=file,
            host=host,
            template=template,
            limit=limit,
            context=context,
        )
        if asked.until_ms is not None and asked.until_ms <= asked.since_ms:
            hint = "since is the first moment, an hour ago unless it is given; until is the first that is too late"
            raise ApiError(400, "until lies before since", hint=hint)
        try:
            found = await finder.find(asked, local=source == "local")
        except AskedError as error:
            raise ApiError(422, error.message, hint=error.hint) from error
        except SearchError as error:
            raise ApiError(503, error.message, hint=error.hint) from error
        except ForewarnError as error:
            raise ApiError(500, error.message, hint=error.hint) from error
        fitting = sum(not line["context"] for line in found["lines"])
        return Json({**found, "truncated": fitting >= limit})

    return router


def _moment(text: str, parameter: str) -> int:
    try:
        moment = parse_time(text)
        rfc3339(moment)
    except (ValueError, OverflowError) as error:
        hint = "write it like 2026-01-31T14:00:00Z, or as seconds since the epoch"
        raise ApiError(400, f"{parameter}: {text!r} is no time", hint=hint) from error
    return moment
