"""What a user can set about forecasts and about what counts as a capacity."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from collector.catalogue import Kind
from collector.series import parse_selector
from forewarn.base.types import Seconds, Settings

HORIZON_HOURS = 72
Statistic = Literal["mean", "max", "min"]
"""Of each hour: the mean, the maximum, or the minimum where the capacity runs out at the lower end."""
HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS


def _selector(text: str) -> str:
    parse_selector(text)
    return text


class ForecastSettings(Settings):
    """When forecasts are made, from what, and how. The horizon is always 72 hours in hourly steps."""

    enabled: bool = Field(True, description="Whether forecasts are made on the schedule.")
    every: Seconds = Field(
        HOUR_SECONDS,
        ge=300,
        le=2 * HOUR_SECONDS,
        description="Time between two runs; two hours at most, for alerts trust a forecast for three.",
    )
    at_start: bool = Field(True, description="Whether a run is made when the daemon starts.")
    history: Seconds = Field(
        28 * DAY_SECONDS,
        ge=2 * DAY_SECONDS,
        le=730 * DAY_SECONDS,
        description="How far back a forecast looks.",
    )
    model: Literal["auto", "prophet", "prophet_map", "snaive24"] = Field(
        "auto",
        description="auto: rates for what fills up, for all else a trained combination of cheap forecasts, Prophet's"
        " among them, from 24 hours of history on. The others take that model for every target that has history"
        " enough for it, and same hour yesterday before; prophet needs its library, prophet_map is the same model"
        " fitted without it.",
    )
    anomalies: bool = Field(True, description="Whether capacity targets are watched for anomalies, every five minutes.")
    nice: int = Field(10, ge=0, le=19, description="Priority that the forecasting process gives away (19: idle).")
    deadline: Seconds = Field(
        300.0, ge=5, description="Time a run may take; targets left over by then get the cheapest model."
    )


class TargetSettings(Settings):
    """A ``[[target]]``: series that the user declares to be a capacity. It wins over what the catalogue says."""

    match: Annotated[str, AfterValidator(_selector)] = Field(
        description='The series, as in Prometheus: name, or name{label="value"}, with = != =~ !~.'
    )
    kind: Kind = Field(
        "gauge",
        description="How it is used up: gauge (a level with a daily shape), fill (a store that fills),"
        " allocation (units handed out), saturated (a level capped at 1).",
    )
    limit: float | None = Field(
        None, allow_inf_nan=False, description="Where the capacity ends, in the series' own unit."
    )
    below: bool = Field(False, description="Whether it runs out at the lower end (bytes free rather than bytes used).")
