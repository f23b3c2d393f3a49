"""Where series are sent to: ``[[remote_write]]``."""

import re
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from collector.settings import HttpUrl
from forewarn.base.types import Seconds, Settings

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = {"authorization", "connection", "content-encoding", "content-length", "content-type", "host"}


class RemoteWriteSettings(Settings):
    """A receiver of Prometheus' remote write protocol 1.0: VictoriaMetrics, Mimir, Prometheus or any other."""

    url: HttpUrl = Field(description="Address to write to, such as http://victoria:8428/api/v1/write.")
    name: str = Field(
        "", description="The receiver's name in metrics, logs and its bookmark; without it, host and port of the url."
    )
    labels: dict[str, str] = Field(
        {},
        description="Labels added to every series that lacks them; instance and hostname are always there, "
        "with the node's name unless they are given here.",
    )
    allow: tuple[str, ...] = Field(("*",), description="Metrics to send, by name with * and ?.")
    deny: tuple[str, ...] = Field((), description="Metrics not to send, of those that are allowed.")
    bearer_token_file: Path | None = Field(None, description="File with the token to send; read at every request.")
    username: str = Field("", description="User of basic authentication.")
    password_file: Path | None = Field(None, description="File with the user's password; read at every request.")
    headers: dict[str, str] = Field({}, description="Further headers, such as X-Scope-OrgID; no secrets here.")
    ca_file: Path | None = Field(None, description="Certificates to trust (PEM) instead of the system's.")
    cert_file: Path | None = Field(None, description="Certificate to show (PEM), where the receiver asks for one.")
    key_file: Path | None = Field(None, description="Key of that certificate, where it is not in the same file.")
    batch_samples: int = Field(10_000, ge=1, le=100_000, description="Samples in one request, about.")
    every: Seconds = Field(5.0, gt=0, le=300, description="Time between two requests when nothing is left behind.")
    timeout: Seconds = Field(30.0, gt=0, le=300, description="Time that one request may take.")
    max_age: Seconds | None = Field(
        None,
        ge=3600,
        description="Samples that could not be delivered for so long are dropped, counted and named; "
        "without it, as long as the store keeps single samples.",
    )
    max_rate: int = Field(20_000, ge=100, description="Samples a second at most, after an outage.")
    history: Seconds = Field(0.0, ge=0, description="How far back to begin with a receiver that is new.")

    @property
    def label(self) -> str:
        """The receiver's name."""
        return self.name or urlsplit(self.url).netloc

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.bearer_token_file is not None and (self.username or self.password_file is not None):
            raise ValueError("give either bearer_token_file, or username and password_file")
        if bool(self.username) != (self.password_file is not None):
            raise ValueError("basic authentication takes both username and password_file")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file takes cert_file")
        for name in self.labels:
            if not _LABEL.fullmatch(name) or name.startswith("__"):
                raise ValueError(f"{name!r} is no label name")
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(f"the header {name!r} cannot be sent")
            if name.lower() in _OURS:
                raise ValueError(f"the header {name!r} is not yours to set; see bearer_token_file and username")
        return self
