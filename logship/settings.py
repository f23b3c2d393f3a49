"""What the log shipper can be told."""

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from forewarn.base.types import Bytes, Seconds, Settings
from logship.anomalies.settings import DATASET as ANOMALIES
from logship.anomalies.settings import AnomalySettings
from logship.journal.settings import FOLDERS, JournalSettings
from logship.shaping.settings import MultilineSettings, RedactSettings, ShapeSettings
from logship.spool.settings import SpoolSettings

_DATASET = r"^[a-z0-9][a-z0-9_.]{0,99}$"


OWN_DATASET = "forewarn"
"""Of the lines of the daemon, the shipper and the worker."""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Urls = Annotated[tuple[str, ...], BeforeValidator(_several)]


class FileSettings(ShapeSettings):
    """One ``[[logs.file]]``: which files, and what their documents are marked with."""

    path: str = Field(description="Absolute path or glob of log files; new files that match are followed as they come.")
    timezone: str | None = Field(
        default=None, description="IANA zone of time stamps that name none; default: the node's own zone."
    )

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError(f"{value!r} is not absolute; a daemon has no folder to start from")
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"{value!r} is no time zone; write it like Europe/Berlin") from error
        return value


class LogsSettings(Settings):
    """``[logs]``: log files to Elasticsearch. Off until an address and a file are named."""

    url: Urls = Field(default=(), description="Address of Elasticsearch, or several of one cluster; none: off.")
    username: str | None = Field(default=None, description="User for basic authentication.")
    password_file: Path | None = Field(default=None, description="File that holds the user's password.")
    api_key_file: Path | None = Field(default=None, description="File that holds an API key in its encoded form.")
    ca_file: Path | None = Field(default=None, description="PEM file of the authority that signed the server's key.")
    verify: bool = Field(default=True, description="Check the server's certificate.")
    dataset: str = Field(default="forewarn", pattern=_DATASET, description="Data set: logs-<dataset>-<namespace>.")
    namespace: str = Field(default="default", pattern=_DATASET, description="Namespace of the data streams.")
    file: tuple[FileSettings, ...] = Field(default=(), description="The files to follow.")
    own: bool = Field(
        default=True, description="Ship Forewarn's own log lines beside what is configured, as data set forewarn."
    )
    journal: tuple[JournalSettings, ...] = Field(
        default=(), description="What of the systemd journal to ship; an entry goes to the first that takes it."
    )
    journal_folders: tuple[str, ...] = Field(default=FOLDERS, description="Where journals lie.")
    journal_max_age: Seconds = Field(
        default=86_400.0, ge=0, description="Entries older than this are left out when the journal is first followed."
    )
    read_from: Literal["beginning", "end"] = Field(
        default="beginning", description="Where to start in files that were there before they were first followed."
    )
    max_line_bytes: Bytes = Field(
        default=1024 * 1024, ge=1024, le=16 * 1024 * 1024, description="Longer lines are split, never cut off."
    )
    bulk_bytes: Bytes = Field(
        default=4_000_000, ge=10_000, le=50_000_000, description="Size of a bulk request before compression."
    )
    flush_interval: Seconds = Field(
        default=0.05, ge=0.01, le=60, description="Longest time that a line waits for more."
    )
    gzip: bool = Field(default=True, description="Compress requests.")
    connections: int = Field(default=4, ge=1, le=16, description="Bulk requests under way at once.")
    templates: bool = Field(default=True, description="Mark every line with the number of its template.")
    request_timeout: Seconds = Field(default=60.0, ge=1, le=600, description="Longest wait for an answer.")
    retention: Seconds = Field(
        default=30 * 86_400.0, ge=0, description="How long Elasticsearch keeps documents, told by setup; 0: for ever."
    )
    index_mode: Literal["standard", "logsdb"] = Field(
        default="standard", description="How it stores them, told by setup: logsdb takes less disk and more time."
    )
    dead_letter_bytes: Bytes = Field(
        default=256 * 1024 * 1024, ge=1024, description="Size of the file of refused documents at which shipping waits."
    )
    multiline: MultilineSettings = Field(
        default_factory=MultilineSettings, description="Limits of documents of several lines."
    )
    redact: RedactSettings = Field(default_factory=RedactSettings, description="What must not leave the node.")
    spool: SpoolSettings = Field(
        default_factory=SpoolSettings, description="What is kept, encrypted, of what would otherwise be gone."
    )
    anomalies: AnomalySettings = Field(
        default_factory=AnomalySettings, description="What is unusual in the logs; needs templates."
    )

    @field_validator("url")
    @classmethod
    def _http(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            scheme, slashes, rest = url.rpartition("//")
            if "@" in rest.partition("/")[0]:  # not repeated: it would stand in every log
                raise ValueError("the address must not hold a login; use username and password_file, or api_key_file")
            if scheme + slashes not in {"http://", "https://"}:
                raise ValueError(f"{url!r} is no address; write it like https://elastic.example:9200")
        return tuple(url.rstrip("/") for url in value)

    @model_validator(mode="after")
    def _one_login(self) -> "LogsSettings":
        if self.api_key_file is not None and self.username is not None:
            raise ValueError("set either username and password_file, or api_key_file")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together")
        return self

    @property
    def enabled(self) -> bool:
        """Whether there is somewhere to ship to and something to ship."""
        return bool(self.url and (self.file or self.journal))

    def stream_of(self, file: FileSettings) -> str:
        """The data stream that a file's documents go to."""
        return self.stream_named(file.dataset or self.dataset)

    def stream_named(self, dataset: str) -> str:
        """The data stream of a data set."""
        return f"logs-{dataset}-{self.namespace}"

    @property
    def datasets(self) -> tuple[str, ...]:
        """All data sets."""
        journal = (source.dataset for source in self.journal)
        return tuple(dict.fromkeys((*(file.dataset or self.dataset for file in self.file), *journal)))

    @property
    def streams(self) -> tuple[str, ...]:
        """The data streams of what is configured."""
        return tuple(map(self.stream_named, self.datasets))

    @property
    def written(self) -> tuple[str, ...]:
        """All data streams that are written to: of our own lines and of anomalies, too."""
        datasets = self.datasets or (self.dataset,)
        own = (OWN_DATASET,) if self.own else ()
        told = (ANOMALIES,) if self.templates and self.anomalies.enabled else ()
        return tuple(map(self.stream_named, dict.fromkeys((*datasets, *own, *told))))
