"""What of the journal is shipped."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from forewarn.base.types import Settings

DATASET = r"^[a-z0-9][a-z0-9_.]{0,99}$"
FOLDERS = ("/var/log/journal", "/run/log/journal")
"""Where journald keeps journals, lasting and until the next boot."""
_NAME = r"^_{0,2}[A-Z0-9][A-Z0-9_]{0,63}$"


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Globs = Annotated[tuple[str, ...], BeforeValidator(_several)]


class JournalSettings(Settings):
    """One ``[[logs.journal]]``: which entries, and what they are marked with. An entry goes to the first that takes it.

    With nothing but the heading it takes everything. What is named must all hold, each by one of its patterns.
    """

    units: Globs = Field(default=(), description="Units, by patterns such as vllm@*; .service may be left out.")
    identifiers: Globs = Field(default=(), description="Names that programs log under, by patterns such as sshd.")
    match: dict[str, Globs] = Field(
        default_factory=dict, description='Any fields, by patterns: { _TRANSPORT = "kernel" } takes kernel messages.'
    )
    exclude: Globs = Field(default=(), description="Units and names that are left to what stands below, by patterns.")
    level: Literal["debug", "info", "notice", "warning", "error", "critical"] = Field(
        default="debug", description="The least level, by the entry's priority."
    )
    dataset: str = Field(default="journal", pattern=DATASET, description="Data set: logs-<dataset>-<namespace>.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that every document of them carries.")
    fields: bool = Field(default=False, description="Keep every field of an entry, under journal.*.")

    @field_validator("match")
    @classmethod
    def _fields(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name in value:
            if not re.match(_NAME, name) or name == "MESSAGE":
                raise ValueError(f"{name!r} is no field to choose by; write one like _TRANSPORT or SYSLOG_FACILITY")
        return value
