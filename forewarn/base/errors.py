"""The errors that a user sees.

ForewarnError            something went wrong; exit 1
├── UsageError           the command line or an input file is wrong; exit 2
├── ConfigError          the configuration is wrong; exit 2
├── MissingExtraError    a feature needs an extra of the distribution that is not installed
├── StoreError           a database cannot be opened, read or written
│   └── StoreLockedError another daemon holds the data directory
└── ChildError           a child process ended or broke its protocol

Rooms derive their own from these. Each carries a hint: the next thing to do. One place prints them: forewarn.cli.
"""

from typing import ClassVar


class ForewarnError(Exception):
    """What went wrong, where, and (as hint) what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(ForewarnError):
    """The command line or an input file is wrong."""

    exit_code = 2


class ConfigError(ForewarnError):
    """The configuration is wrong."""

    exit_code = 2


class MissingExtraError(ForewarnError):
    """A feature needs an extra of the distribution that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}'", hint=f"pip install 'forewarn[{extra}]'")
        self.extra = extra


class StoreError(ForewarnError):
    """A database cannot be opened, read or written."""


class StoreLockedError(StoreError):
    """Another process holds the data directory."""


class ChildError(ForewarnError):
    """A child process ended or broke its protocol."""
