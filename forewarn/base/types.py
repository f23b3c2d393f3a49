"""Types that settings share: durations, sizes, secrets that come from files."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from forewarn.base.errors import ConfigError

_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31_536_000.0}
_BYTES = {
    "": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}


def parse_duration(value: Any) -> Any:
    """Seconds from a number or from text such as ``5s``, ``90m``, ``72h``, ``2y``.

    Raises:
        ValueError: the text is no duration.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|[smhdwy]?)\s*", value)
    if match is None:
        raise ValueError(f"{value!r} is no duration; write it like 5s, 90m, 72h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(value: Any) -> Any:
    """Bytes from a number or from text such as ``2GiB`` or ``500 MB``.

    Raises:
        ValueError: the text is no size.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B)?\s*", value)
    if match is None:
        raise ValueError(f"{value!r} is no size; write it like 2GiB or 500MB")
    return int(float(match[1]) * _BYTES[match[2] or ""])


Seconds = Annotated[float, BeforeValidator(parse_duration)]
Bytes = Annotated[int, BeforeValidator(parse_size)]


class Settings(BaseModel):
    """The base of every room's settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def read_secret(path: Path) -> SecretStr:
    """The secret in a file (a systemd credential, say), without the line end.

    Raises:
        ConfigError: the file cannot be read, or is no text.
    """
    try:
        return SecretStr(path.read_text(encoding="utf-8").rstrip("\r\n"))
    except OSError as error:
        raise ConfigError(f"cannot read the secret file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the secret file {path} is no text in UTF-8") from None  # its text shows a byte of it
