"""GET /v1/targets, /v1/forecasts, /v1/scorecard and /v1/history: what is expected, from what, and how good that is."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.answers import ApiError, Json
from api.history import recorded_hours
from api.models import AnomaliesAnswer, ForecastsAnswer, HistoryAnswer, ScorecardAnswer, TargetsAnswer
from api.queries import Queries
from api.services import Services
from api.targets import capacity_targets, target_row
from api.wording import title_of
from collector.series import Matcher, SeriesKey
from forewarn.base.clock import HOUR, rfc3339

Target = Annotated[str | None, Query(description="A target as /v1/targets names it; without it, all.")]
OneTarget = Annotated[str, Query(description="A target as /v1/targets names it.")]
Hours = Annotated[int, Query(description="How far back to look.", ge=1, le=24 * 365)]


def forecasts_router(services: Services, queries: Queries) -> APIRouter:
    """Routes that read the forecasts."""
    router = APIRouter(prefix="/v1", tags=["forecasts"])

    @router.get("/targets", response_model=TargetsAnswer)
    async def targets() -> Response:
        """Every capacity target with its newest forecasts in short; the one that runs out first leads."""
        now_ms = services.clock.now_ms()
        found = capacity_targets(await queries.run(services.book.latest))
        names = sorted({target.key.name for target in found})
        current: dict[SeriesKey, float] = {}
        for name in names:
            newest = await queries.run(
                lambda name=name: services.store.latest(
                    Matcher("__name__", "=", name), max_age_ms=services.fresh_ms, now_ms=now_ms
                )
            )
            current |= {one.key: one.value for one in newest}
        rows = [target_row(target, current.get(target.key)) for target in found]
        return Json({"time": rfc3339(now_ms), "targets": rows})

    @router.get("/forecasts", response_model=ForecastsAnswer)
    async def forecasts(target: Target = None) -> Response:
        """The newest forecasts in full: 72 hourly points with their 80 % and 95 % intervals, limit, chance of a breach.

        Prophet's forecast and its parts stand beside ours.
        """
        newest = await queries.run(services.book.latest)
        if target is not None:
            key = _key(target)
            newest = [forecast for forecast in newest if forecast.target == key]
            if not newest:
                raise ApiError(404, f"no forecast of {target}", hint="/v1/targets lists the targets")
        return Json({"forecasts": [{"title": title_of(one.target), **one.to_dict()} for one in newest]})

    @router.get("/anomalies", response_model=AnomaliesAnswer)
    async def anomalies() -> Response:
        """What has been unusual about capacity targets: kind, score and reason; what goes on has no end."""
        rows = [{"title": title_of(one.target), **one.to_dict()} for one in services.anomalies()]
        return Json({"time": rfc3339(services.clock.now_ms()), "anomalies": rows})

    @router.get("/scorecard", response_model=ScorecardAnswer)
    async def scorecard() -> Response:
        """How good the forecasts of the last 30 days were whose 72 hours are over, beside two that anybody can make."""
        return Json({"time": rfc3339(services.clock.now_ms()), **services.scorecard().to_dict()})

    @router.get("/history", response_model=HistoryAnswer)
    async def history(target: OneTarget, hours: Hours = 168) -> Response:
        """What was recorded of a target, hour by hour, as its forecasts see it.

        Gauges are as they are, counters per second, histograms as their mean.
        """
        now_ms = services.clock.now_ms()
        end_ms = now_ms // HOUR * HOUR + HOUR
        found = await queries.run(recorded_hours, services.store, _key(target), end_ms - hours * HOUR, end_ms)
        if found is None:
            raise ApiError(404, f"no series {target}", hint="/v1/targets lists the targets")
        times = [rfc3339(moment) for moment in found.times.tolist()]
        columns = {"mean": found.mean, "min": found.low, "max": found.high}
        return Json({"time": rfc3339(now_ms), "target": target, "times": times, **columns})

    return router


def _key(text: str) -> SeriesKey:
    try:
        return SeriesKey.parse(text)
    except ValueError as error:
        raise ApiError(400, f"target: {error}", hint="/v1/targets lists the targets") from error
