"""GET /v1/logs/templates and /v1/logs/anomalies: what log lines say, and what is unusual about them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from api.answers import ApiError, Json
from api.parameters import only_known
from api.queries import Queries
from api.services import Services
from forewarn.base.clock import parse_time, rfc3339

Since = Annotated[str | None, Query(description="RFC 3339, or seconds since the epoch: those seen since.")]


class LogTemplate(BaseModel):
    """A template of log lines."""

    id: int = Field(description="The label `template` of forewarn_logs_template_lines_total.")
    template: str = Field(description="The message with <*> for what varies.")
    level: str | None = Field(description="The level that its first line named.")
    lines: int
    datasets: list[str]
    first_seen: str
    last_seen: str
    example: str = Field(description="Its first line, redacted as documents are.")


class LogTemplatesAnswer(BaseModel):
    """The templates, by id, the 2000 that were seen last."""

    time: str | None = Field(description="As of when; null where no lines were seen yet.")
    templates: list[LogTemplate]


class LogAnomaly(BaseModel):
    """Something unusual in the logs."""

    id: str
    kind: str = Field(
        description="new_template, rate_jump, rate_drop, source_silent, heartbeat_missing or request_sequence."
    )
    score: float = Field(description="1 less the number of such anomalies that chance brings a day.")
    dataset: str
    template: int | None = Field(description="null where it is about the data set.")
    text: str = Field(description="What the template says.")
    templates: list[int] = Field(description="Of several, their ids.")
    reason: str
    observed: float
    expected: float
    window_seconds: float
    examples: list[str]
    started: str
    seen: str
    ended: str | None


class LogAnomaliesAnswer(BaseModel):
    """The newest anomalies first."""

    time: str
    anomalies: list[LogAnomaly]


def log_patterns_router(services: Services, queries: Queries) -> APIRouter:
    """Routes that read what the log shipper leaves."""
    router = APIRouter(prefix="/v1/logs", tags=["logs"], dependencies=[Depends(only_known)])

    @router.get("/templates", response_model=LogTemplatesAnswer)
    async def templates() -> Response:
        """What each log template says: the sentence behind the number in series and alerts."""
        return Json(await queries.run(services.log_templates) or {"time": None, "templates": []})

    @router.get("/anomalies", response_model=LogAnomaliesAnswer)
    async def anomalies(since: Since = None) -> Response:
        """What has been unusual in the logs; what goes on has no end."""
        found = await queries.run(services.log_anomalies)
        if since is not None:
            first_ms = _moment(since)
            found = [one for one in found if one["ended"] is None or parse_time(one["seen"]) >= first_ms]
        return Json({"time": rfc3339(services.clock.now_ms()), "anomalies": found})

    return router


def _moment(text: str) -> int:
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        raise ApiError(400, f"since: {text!r} is no time", hint="write it like 2026-01-31T12:00:00Z") from error
