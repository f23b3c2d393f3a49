"""GET /v1/plan: when resources are full, what load they allow, how many more GPUs they need."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.answers import ApiError, Json
from api.queries import parse_match
from api.wording import title_of
from collector.series import SeriesKey
from forecast.plan.asking import Ask
from forewarn.base.errors import ForewarnError

Planner = Callable[[Ask], Awaitable[dict[str, Any]]]

Horizon = Annotated[Literal["3d", "14d", "30d"], Query(description="How far ahead.")]
Probability = Annotated[float, Query(description="The probability of a breach that is still borne.", ge=0.001, le=0.99)]
Grow = Annotated[float, Query(description="What if demand grew at once by this factor.", ge=0.01, le=100)]
Target = Annotated[str | None, Query(description="A selector; without it, all capacities.")]


class AllowedLoad(BaseModel):
    """The load that a resource allows."""

    load: str
    metric: str
    unit: str
    explained: float = Field(description="Part of the resource's variance that the load explains on days left out.")
    peak: float = Field(description="Highest hour of the last week.")
    most: float | None = Field(description="Breaches in an hour with the probability asked for; null beyond 1.5 x.")
    headroom: float | None


class PlannedResource(BaseModel):
    """When a resource is full."""

    target: str
    title: str
    statistic: str
    kind: str
    unit: str
    limit: float
    below: bool = Field(description="True where it runs out at the lower end.")
    now: float | None
    peak: float | None
    full: bool
    chances: dict[str, float | None] = Field(description="By 24h, 48h, 72h, 14d, 30d; null where it cannot be said.")
    t10: str | None = Field(description="End of the hour (after three days: of the day) by which it is one in ten.")
    t50: str | None = Field(description="By which it is as likely as not; `as_of` where it is full.")
    t90: str | None = Field(description="By which it is nine in ten.")
    room: dict[str, float | None] = Field(description="By horizon, the factor by which its demand may grow.")
    load: AllowedLoad | None
    load_reason: str
    reasons: dict[str, str] = Field(description="Why something is not said.")
    curve: list[float | None] = Field(description="The probability by each of `curve_hours`.")


class PlannedGpus(BaseModel):
    """How many more GPUs a resource asks for."""

    resource: str
    model: str
    count: int
    unit: str
    capacity: float
    peak: float | None
    more: dict[str, int | None] = Field(description="By horizon; null where it cannot be said.")
    chances: dict[str, float | None] = Field(description="Of a breach with the GPUs that are there.")
    reasons: dict[str, str]
    notes: list[str]


class PlanAnswer(BaseModel):
    """A capacity plan."""

    as_of: str
    horizons_days: list[int]
    probability: float
    grow: float
    curve_hours: list[int]
    resources: list[PlannedResource]
    gpus: list[PlannedGpus]
    notes: list[str]


def plan_router(planner: Planner) -> APIRouter:
    """The route that asks for a plan."""
    router = APIRouter(prefix="/v1", tags=["forecasts"])

    @router.get("/plan", response_model=PlanAnswer)
    async def plan(
        horizon: Horizon = "30d", probability: Probability = 0.05, grow: Grow = 1.0, target: Target = None
    ) -> Response:
        """When each resource is full, what load it allows before it breaches, how many more GPUs are needed.

        Made by a process of its own, in seconds; asked again in the same hour, the same plan.
        """
        if target is not None:
            parse_match(target, "target")
        try:
            made = await planner(Ask(int(horizon.removesuffix("d")), probability, grow, target or ""))
        except ForewarnError as error:
            raise ApiError(503, error.message, hint=error.hint) from error
        titled = [{"title": title_of(SeriesKey.parse(one["target"])), **one} for one in made["resources"]]
        return Json({**made, "resources": titled})

    return router
