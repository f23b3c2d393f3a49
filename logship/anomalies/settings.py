"""What can be told about anomalies in logs."""

import re

from pydantic import Field, field_validator

from forewarn.base.types import Seconds, Settings

DATASET = "forewarn.anomalies"
"""The data set that anomalies are shipped to."""


class AnomalySettings(Settings):
    """``[logs.anomalies]``: how lines are counted by template, and what counts as unusual."""

    enabled: bool = Field(default=True, description="Whether log lines are watched for anomalies.")
    learning: Seconds = Field(
        default=86_400.0, ge=1, description="What is seen within this time from a data set's first line on is usual."
    )
    score: float = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="The least score that is kept: 1 less the number of such anomalies that chance brings a day.",
    )
    series: int = Field(
        default=300, ge=0, le=1500, description="Templates with a series of their own; the others share 'other'."
    )
    requests: bool = Field(default=True, description="Whether the lines of each request are followed by its id.")
    request_pattern: str | None = Field(
        default=None,
        description="Regular expression of request ids, its first group if it has one; unless given, ids like"
        " cmpl-..., chatcmpl-..., req-... and UUIDs are found.",
    )
    request_quiet: Seconds = Field(
        default=60.0, ge=1, le=3600, description="A request without a line for so long is over."
    )

    @field_validator("request_pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            if value is not None and re.compile(value.encode()).match(b""):
                raise ValueError(f"{value!r} fits an empty text too")
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value
