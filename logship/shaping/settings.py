"""What can be said about the shape of a source's documents, and about what must not stand in them."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from forewarn.base.types import Bytes, Seconds, Settings

START = "start:"
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_ACCESS = ("access", "request")
"""Words in a path or a data set by which a source is taken for a log of requests."""


class ShapeSettings(Settings):
    """The keys of a ``[[logs.file]]`` that say what its lines are."""

    dataset: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_.]{0,99}$",
        description="Data set of these files; default: the one of [logs].",
    )
    service: str | None = Field(default=None, description="Name of the service that writes them (service.name).")
    process: str | None = Field(default=None, description="Name of the program that writes them (process.name).")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that every document of them carries.")
    tags: tuple[str, ...] = Field(default=(), description="Tags that every document of them carries.")
    kind: Literal["auto", "application", "access"] = Field(
        default="auto",
        description="access: one request a line, prompts in it are masked; auto: by 'access' or 'request' in the"
        " file's path or data set.",
    )
    format: Literal["auto", "text", "json"] = Field(
        default="auto", description="auto: a line that is a JSON object is kept as fields; json: the same; text: never."
    )
    multiline: str = Field(
        default="auto",
        description="auto: stack traces and indented lines are joined to the line before, not in access logs; off;"
        " start:<regex>: a line that matches at its beginning begins a document.",
    )

    @field_validator("multiline")
    @classmethod
    def _multiline(cls, value: str) -> str:
        if value.startswith(START):
            _compiled(value.removeprefix(START))
        elif value not in {"auto", "off"}:
            raise ValueError(f"{value!r} is none of auto, off, start:<regex>")
        return value

    def is_access(self, path: str) -> bool:
        """Whether each line is a request."""
        if self.kind != "auto":
            return self.kind == "access"
        named = f"{path} {self.dataset or ''}".lower()
        return any(word in named for word in _ACCESS)


class MultilineSettings(Settings):
    """``[logs.multiline]``: limits of joined documents."""

    lines: int = Field(default=500, ge=2, le=100_000, description="Lines of a document, at most; then it is split.")
    size: Bytes = Field(default=128 * 1024, ge=1024, le=1024 * 1024, description="Bytes of a document, likewise.")
    wait: Seconds = Field(
        default=1.0, ge=0.05, le=60, description="Quiet time after which a file's last line is taken to be complete."
    )


class RuleSettings(Settings):
    """One ``[[logs.redact.rule]]``: what else must not leave the node."""

    name: str = Field(pattern=_NAME, description="Name of the rule, as in the metric's label.")
    pattern: str = Field(description="Regular expression, looked for in each line.")
    group: int = Field(default=0, ge=0, description="Group of it that is masked; 0: the whole.")
    trigger: str | None = Field(
        default=None,
        min_length=3,
        pattern=r"^[\x21-\x7e]+$",
        description="Text, at least three characters, that stands in every match, in any case: only lines that hold"
        " it are searched. Without one every line is.",
    )

    @model_validator(mode="after")
    def _has_group(self) -> "RuleSettings":
        if self.group > _compiled(self.pattern).groups:
            raise ValueError(f"the pattern of {self.name!r} has no group {self.group}")
        return self


class RedactSettings(Settings):
    """``[logs.redact]``: what is masked before a line is looked at any further."""

    enabled: bool = Field(default=True, description="Mask secrets and prompts.")
    off: tuple[str, ...] = Field(default=(), description="Names of rules that are not applied.")
    rule: tuple[RuleSettings, ...] = Field(default=(), description="Further rules.")

    @field_validator("rule")
    @classmethod
    def _once(cls, value: tuple[RuleSettings, ...]) -> tuple[RuleSettings, ...]:
        names = [rule.name for rule in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"there are two rules named {name!r}")
        return value


def _compiled(text: str) -> re.Pattern[bytes]:
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
