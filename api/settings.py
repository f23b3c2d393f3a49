"""Where the API listens, and under which names it answers."""

import ipaddress
from dataclasses import dataclass
from typing import Self

from pydantic import Field, field_validator

from forewarn.base.errors import ConfigError
from forewarn.base.types import Settings

DEFAULT_LISTEN = "127.0.0.1:7470"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on; ``port`` 0 lets the kernel choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that ``127.0.0.1:7470``, ``[::1]:7470`` or ``localhost:7470`` names.

        Raises:
            ConfigError: the text is no address.
        """
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ConfigError(f"{text!r} is no address to listen on", hint=f"write it like {DEFAULT_LISTEN}")
        if ":" in host and not _is_ip(host):
            raise ConfigError(f"{text!r} is no address to listen on", hint="write IPv6 like [::1]:7470")
        return cls(host, int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or (_is_ip(self.host) and ipaddress.ip_address(self.host).is_loopback)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ApiSettings(Settings):
    """The page, the API and /metrics."""

    listen: str = Field(
        DEFAULT_LISTEN, description="Address of the page and the API; loopback only, because there are no accounts."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Further names that a request's Host header may carry (a tunnel's, a local proxy's)."
    )

    @field_validator("listen")
    @classmethod
    def _loopback_only(cls, text: str) -> str:
        address = Address.parse(text)
        if not address.loopback:
            raise ConfigError(
                f"the API listens on loopback only, {text} is reachable from other machines",
                hint=f'for Prometheus set [metrics] listen = "{address}"; '
                f"for a browser elsewhere use ssh -L 7470:{DEFAULT_LISTEN}",
            )
        return str(address)

    @property
    def address(self) -> Address:
        """The address in parts."""
        return Address.parse(self.listen)


class MetricsSettings(Settings):
    """A second socket for GET /metrics and /healthz, nothing else; Prometheus may reach it from other machines."""

    listen: str | None = Field(None, description="Its address, such as 0.0.0.0:7470; without one there is none.")
    dcgm: bool = Field(
        default=False,
        description="Whether /metrics, on either socket, also shows the GPUs under dcgm-exporter's names and labels.",
    )

    @field_validator("listen")
    @classmethod
    def _an_address(cls, text: str | None) -> str | None:
        return None if text is None else str(Address.parse(text))

    @property
    def address(self) -> Address | None:
        """The address in parts."""
        return None if self.listen is None else Address.parse(self.listen)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
