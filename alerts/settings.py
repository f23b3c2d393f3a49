"""Settings of the alerts room."""

import re
from pathlib import Path
from typing import Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from alerts.rule import RuleSettings
from forewarn.base.types import Seconds, Settings, read_secret

__all__ = ["AlertsSettings", "ReceiverSettings", "RuleSettings"]

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class ReceiverSettings(Settings):
    """Where notifications go: ``[[alerts.receiver]]``."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: str = Field(min_length=1, description="Name of the receiver, as the payload and the metrics carry it.")
    type: Literal["webhook"] = Field("webhook", description="Alertmanager's webhook payload, version 4.")
    url: SecretStr | None = Field(None, description="http:// or https:// address; use url_file where it holds a key.")
    url_file: Path | None = Field(None, description="File that holds the address; read again before every attempt.")
    bearer_token_file: Path | None = Field(
        None, description="File with a token sent as 'Authorization: Bearer'; read again before every attempt."
    )
    timeout: Seconds = Field(10.0, gt=0, le=120, description="Time one attempt may take, connecting included.")
    send_resolved: bool = Field(True, description="Whether to tell that an alert is over.")
    max_alerts: int = Field(0, ge=0, description="Alerts in one payload at most, the firing ones first; 0: no limit.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError(f"receiver {self.name!r} needs an address: either url or url_file")
        if self.url is not None:  # here and not at the field, whose errors would repeat an address that may hold a key
            check_url(self.url.get_secret_value())
        return self

    def address(self) -> str:
        """The address to send to.

        Raises:
            ConfigError: the file cannot be read.
            ValueError: what it holds is no http address.
        """
        if self.url is not None:
            return self.url.get_secret_value()
        assert self.url_file is not None
        return check_url(read_secret(self.url_file).get_secret_value().strip())


Named = TypeVar("Named", ReceiverSettings, RuleSettings)


class AlertsSettings(Settings):
    """Rules, their clock, and who hears of them: ``[alerts]``."""

    evaluate_every: Seconds = Field(5.0, ge=0.5, le=300, description="How often the rules are evaluated.")
    external_url: str = Field("", description="Address of this node's page as on-call reaches it; goes into payloads.")
    hostname: str = Field(
        "", description="Value of the label 'hostname' of every alert; empty: the machine's own name."
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Labels added to every alert.")
    group_by: tuple[str, ...] = Field(
        ("alertname", "hostname"), description="Alerts with the same values of these labels share a notification."
    )
    group_wait: Seconds = Field(
        5.0, ge=0, description="Time a change waits for others of its group before they are sent together."
    )
    group_interval: Seconds = Field(60.0, ge=0, description="Time between two notifications of a group, at least.")
    repeat_interval: Seconds = Field(
        4 * 3600.0, ge=60, description="Time after which a group that still fires is sent again; exact."
    )
    give_up_after: Seconds = Field(
        3 * 86400.0, gt=0, description="Age at which an undeliverable notification becomes a dead letter."
    )
    receiver: tuple[ReceiverSettings, ...] = Field((), description="Who is told; none: alerts show in API and page.")
    rule: tuple[RuleSettings, ...] = Field((), description="Rules; one named like a shipped rule replaces it.")
    disabled_rules: tuple[str, ...] = Field((), description="Names of shipped rules to leave out.")
    shipped_rules: bool = Field(True, description="Whether the rules that come with Forewarn are used.")

    @field_validator("external_url")
    @classmethod
    def _http(cls, url: str) -> str:
        return check_url(url).rstrip("/") if url else url

    @field_validator("labels")
    @classmethod
    def _label_names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not _LABEL.fullmatch(name) or name in {"alertname", "severity"}:
                raise ValueError(f"{name!r} cannot be a label of all alerts")
        return labels

    @field_validator("receiver", "rule")
    @classmethod
    def _names_once(cls, entries: tuple[Named, ...]) -> tuple[Named, ...]:
        names = [entry.name for entry in entries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {twice[0]!r} is given twice")
        return entries


def check_url(url: str) -> str:
    """The URL, if a webhook can be sent there.

    Raises:
        ValueError: it is no http or https address; the text is not repeated, for it may hold a key.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address must look like https://host/path")
    if parts.username is not None:
        raise ValueError("the address must not hold a user; use bearer_token_file")
    try:
        parts.port  # noqa: B018  the property checks the number
    except ValueError:
        raise ValueError("the port of the address must be a number up to 65535") from None
    return url
