"""What can be set of the series store."""

from typing import Self

from pydantic import Field, model_validator

from forewarn.base.types import Bytes, Seconds, Settings

_DAY = 86_400.0
_MIB = 2**20


class StoreSettings(Settings):
    """How long series are kept, and how much of them."""

    raw_retention: Seconds = Field(7 * _DAY, ge=3600, description="How long single samples are kept.")
    five_minute_retention: Seconds = Field(90 * _DAY, ge=3600, description="How long 5-minute roll-ups are kept.")
    hourly_retention: Seconds = Field(
        730 * _DAY, ge=_DAY, description="How long hourly roll-ups are kept; older history is refused."
    )
    max_size: Bytes = Field(
        2048 * _MIB, ge=16 * _MIB, description="Size of metrics.db; the oldest samples go before it is reached."
    )
    max_series: int = Field(
        20_000, ge=1, le=1_000_000, description="Series at most; more are refused, counted and named."
    )
    row_age: Seconds = Field(600.0, ge=1, le=3600, description="Age at which scrapes are moved into compressed chunks.")

    @model_validator(mode="after")
    def _coarser_lives_longer(self) -> Self:
        if not self.raw_retention <= self.five_minute_retention <= self.hourly_retention:
            raise ValueError("raw_retention <= five_minute_retention <= hourly_retention does not hold")
        return self
