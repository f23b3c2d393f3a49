"""What can be set of the series store."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from forewarn.base.types import Bytes, Seconds, Settings

_DAY = 86_400.0
_MIB = 2**20


class StoreSettings(Settings):
    """The ``[store]`` section.

    Attributes:
        raw_retention: how long single samples are kept after they were written.
        five_minute_retention: how long five-minute roll-ups are kept.
        hourly_retention: how long hourly roll-ups are kept; older samples are refused.
        max_size: what metrics.db may take on disk; the oldest raw samples go before it is reached.
        max_series: series that the store takes; more are refused, counted and named.
        row_age: how long scrapes stay as rows before they are moved into column chunks.
    """

    raw_retention: Annotated[Seconds, Field(ge=3600)] = 7 * _DAY
    five_minute_retention: Annotated[Seconds, Field(ge=3600)] = 90 * _DAY
    hourly_retention: Annotated[Seconds, Field(ge=_DAY)] = 730 * _DAY
    max_size: Annotated[Bytes, Field(ge=16 * _MIB)] = 2048 * _MIB
    max_series: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    row_age: Annotated[Seconds, Field(ge=1, le=3600)] = 600.0

    @model_validator(mode="after")
    def _coarser_lives_longer(self) -> Self:
        if not self.raw_retention <= self.five_minute_retention <= self.hourly_retention:
            raise ValueError("raw_retention <= five_minute_retention <= hourly_retention does not hold")
        return self
