"""The configuration: every room's settings in one model, from flags, ``FOREWARN_*``, one TOML file, and defaults.

Where a value is given more than once, the flag wins over the environment, the environment over the file. A nested key
is written ``FOREWARN_API__LISTEN``. Unknown keys and variables are errors that name the nearest known one.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from alerts.settings import AlertsSettings
from api.settings import ApiSettings, MetricsSettings
from collector.remote_write.settings import RemoteWriteSettings
from collector.settings import CollectorSettings
from collector.store import StoreSettings
from forecast.settings import ForecastSettings, TargetSettings
from forewarn.base.errors import ConfigError
from logship.settings import LogsSettings
from worker.settings import WorkerSettings

PREFIX = "FOREWARN_"
SYSTEM_FILE = Path("/etc/forewarn/forewarn.toml")
LOCAL_FILE = Path("forewarn.toml")


class Config(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", validate_default=True
    )
    _file: ClassVar[Path | None] = None

    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="What the log shows at least.")
    units: bool = Field(
        default=False,
        description="Whether worker and log shipper run as units of their own (systemd) instead of as children.",
    )
    api: ApiSettings = Field(default_factory=ApiSettings, description="The HTTP face.")
    metrics: MetricsSettings = Field(
        default_factory=MetricsSettings, description="The page for scrapers: a socket of its own, compatible names."
    )
    collector: CollectorSettings = Field(default_factory=CollectorSettings, description="What is recorded.")
    store: StoreSettings = Field(default_factory=StoreSettings, description="How long series are kept.")
    remote_write: tuple[RemoteWriteSettings, ...] = Field(
        (), description="Receivers that get every series, beside the store.", max_length=10
    )
    target: tuple[TargetSettings, ...] = Field(
        (), description="Series that are capacity targets besides the catalogue's."
    )
    forecast: ForecastSettings = Field(default_factory=ForecastSettings, description="Forecasts three days ahead.")
    alerts: AlertsSettings = Field(default_factory=AlertsSettings, description="How alerts are grouped and sent.")
    logs: LogsSettings = Field(default_factory=LogsSettings, description="Which logs are shipped, and where to.")
    worker: WorkerSettings = Field(default_factory=WorkerSettings, description="The bundled inference worker.")

    @field_validator("remote_write")
    @classmethod
    def _receivers_differ(cls, receivers: tuple[RemoteWriteSettings, ...]) -> tuple[RemoteWriteSettings, ...]:
        labels = [receiver.label for receiver in receivers]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"two receivers are called {twice[0]!r}; give each a name of its own")
        return receivers

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=cls._file)


def find_file(given: Path | None) -> Path | None:
    """The configuration file: ``--config``, else ./forewarn.toml unless root, else /etc/forewarn/forewarn.toml.

    Raises:
        ConfigError: the given file cannot be read.
    """
    if given is not None:
        if not os.access(given, os.R_OK) or given.is_dir():
            raise ConfigError(f"cannot read the configuration {given}", hint="check the path and its permissions")
        return given
    candidates = [SYSTEM_FILE] if os.geteuid() == 0 else [LOCAL_FILE, SYSTEM_FILE]
    return next((path for path in candidates if path.is_file()), None)


def left_unread(given: Path | None) -> Path | None:
    """The file of the folder that root's commands leave alone, for others may have put it there."""
    if given is None and os.geteuid() == 0 and LOCAL_FILE.is_file():
        return LOCAL_FILE
    return None


def load_config(file: Path | None, flags: Mapping[str, Any] | None = None) -> Config:
    """The configuration of one file (or of none), the environment and the flags.

    Raises:
        ConfigError: a file that is no TOML, an unknown key, a value out of its range; all of them in one message.
    """
    unknown = list(_unknown_variables(os.environ))
    if unknown:
        raise ConfigError("; ".join(unknown))
    source = type("_Config", (Config,), {"_file": file})
    try:
        loaded: Config = source(**(flags or {}))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", hint="it is to be TOML in UTF-8") from error
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{file or 'configuration'}: " + "; ".join(lines)) from error
    return loaded


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its field, nested ones dotted; tables that repeat are written ``rule[].name``."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        nested = model_in(field.annotation)
        if nested is not None:
            many = "" if field.annotation is nested else "[]"
            yield from fields_of(nested, f"{prefix}{name}{many}.")


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The settings model inside of an annotation such as ``tuple[Model, ...]`` or ``Model | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := model_in(part))), None)


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {f"{PREFIX}{key.replace('.', '__').upper()}" for key, _ in fields_of(Config)}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable.upper() not in known:
            yield f"unknown environment variable {variable}{_nearest(variable, known)}"


def _explain(problem: Any) -> str:
    location = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        given = problem["input"]  # text is not repeated, for it may be a secret; our own messages quote what they may
        shown = f" (got {given!r})" if isinstance(given, int | float) or problem["type"] == "literal_error" else ""
        return f"{location}: {problem['msg'].removeprefix('Value error, ')}{shown}"
    plain = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    known = {key.replace("[]", "") for key, _ in fields_of(Config)}
    return f"{location}: unknown key{_nearest(plain, known)}"


def _nearest(word: str, known: set[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {match[0]}?" if match else ""
