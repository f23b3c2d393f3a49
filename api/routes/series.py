"""GET /v1/series, /v1/latest and /v1/query: what was recorded."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.answers import Json
from api.models import LatestAnswer, RangeAnswer, SeriesAnswer
from api.queries import Queries, Span, parse_match
from api.services import SeriesStore, Services
from collector.catalogue import metric_of_sample
from collector.series import Matcher, SeriesKey
from collector.store import Function, Series, lines
from forewarn.base.clock import rfc3339

LIST_LIMIT = 2_000
LONGEST_STEP = 366 * 86_400

Match = Annotated[
    list[str], Query(description='Selectors such as `forewarn_gpu_power_watts{gpu="0"}`; repeatable, one must fit.')
]
OneMatch = Annotated[str, Query(description='A selector such as `forewarn_gpu_memory_used_bytes{gpu=~"0|1"}`.')]
Time = Annotated[str | None, Query(description="RFC 3339, or seconds since the epoch.")]
Step = Annotated[float | None, Query(description="Length of a window in seconds, 1 or more.", le=LONGEST_STEP)]
Age = Annotated[float | None, Query(description="Oldest sample that counts, in seconds.", gt=0, le=86_400)]

FunctionName = Annotated[
    Function | None, Query(description="`rate` or `increase` of counters, `quantile` of histograms (`_bucket` series).")
]
Quantile = Annotated[float, Query(description="Which quantile, for `function=quantile`.", ge=0, le=1)]


def series_router(services: Services, queries: Queries) -> APIRouter:
    """Routes that read the store."""
    router = APIRouter(prefix="/v1", tags=["series"])
    store = services.store

    @router.get("/series", response_model=SeriesAnswer)
    async def series(match: Match = []) -> Response:  # noqa: B006  FastAPI copies the default
        """The series that are recorded, 2000 at most; `truncated` says whether there are more."""
        selectors: Sequence[tuple[Matcher, ...]] = [parse_match(text) for text in match] or [()]
        found: dict[int, Series] = {}
        for matchers in selectors:
            found |= {one.id: one for one in await queries.run(store.series, *matchers)}
        listed = sorted(found.values(), key=lambda one: one.key)
        return Json({"series": [_described(one) for one in listed[:LIST_LIMIT]], "truncated": len(listed) > LIST_LIMIT})

    @router.get("/latest", response_model=LatestAnswer)
    async def latest(match: Match, max_age: Age = None) -> Response:
        """The newest value of each series, where it is young enough (a minute, or three rounds)."""
        now_ms = services.clock.now_ms()
        age_ms = services.fresh_ms if max_age is None else round(max_age * 1000)
        values: dict[SeriesKey, dict[str, Any]] = {}
        for text in match:
            matchers = parse_match(text)
            newest = await queries.run(
                lambda matchers=matchers: store.latest(*matchers, max_age_ms=age_ms, now_ms=now_ms)
            )
            values |= {
                one.key: {**_identity(one.key), "time": rfc3339(one.time_ms), "value": one.value} for one in newest
            }
        return Json({"time": rfc3339(now_ms), "values": [values[key] for key in sorted(values)]})

    @router.get("/query", response_model=RangeAnswer)
    async def query(  # noqa: PLR0917  FastAPI's parameters are the query's
        match: OneMatch,
        start: Time = None,
        end: Time = None,
        step: Step = None,
        function: FunctionName = None,
        q: Quantile = 0.95,
    ) -> Response:
        """Series in windows of `step`: per window its start, and the minimum, maximum and mean of the samples in it.

        Counters have instead their last value and their increase, resets corrected. Windows without samples are left
        out. Without a range, the last hour. With a `function`, only what it applies to is answered: the `rate` (per
        second) or the `increase` of counters, or the `quantile` of histograms: for these, match their `_bucket`
        series; the answer has a series a histogram.
        """
        span = Span.parse(start, end, step, services.clock.now_ms())
        matchers = parse_match(match)
        span.check_series(len(await queries.run(store.series, *matchers)))
        body = {
            "start": rfc3339(span.start_ms),
            "end": rfc3339(span.end_ms),
            "step_seconds": span.step_ms / 1000,
            "series": await queries.run(_rows, store, matchers, span, function, q),
        }
        return Json(body)

    return router


def _identity(key: SeriesKey) -> dict[str, Any]:
    return {"series": str(key), "name": key.name, "labels": dict(key.labels)}


def _described(series: Series) -> dict[str, Any]:
    metric = metric_of_sample(series.key.name)
    return {
        **_identity(series.key),
        "type": "counter" if series.counter else "gauge",
        "unit": metric.unit if metric else "",
        "help": metric.help if metric else "",
    }


def _rows(
    store: SeriesStore, matchers: tuple[Matcher, ...], span: Span, function: Function | None, quantile: float
) -> list[dict[str, Any]]:
    """The series as they are answered; made off the loop, for it may be long."""
    found = lines(store, matchers, (span.start_ms, span.end_ms, span.step_ms), function, quantile)
    return [
        {
            **_identity(line.key),
            "counter": line.counter,
            "times": [rfc3339(moment) for moment in line.times.tolist()],
            **line.columns,
        }
        for line in found
    ]
