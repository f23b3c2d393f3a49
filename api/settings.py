"""Where the API listens, and under which names it answers."""

from pydantic import Field, field_validator

from forewarn.base.address import Address
from forewarn.base.errors import ConfigError
from forewarn.base.types import Settings

DEFAULT_LISTEN = "127.0.0.1:7470"


class ApiSettings(Settings):
    """The page, the API and /metrics."""

    listen: str = Field(
        DEFAULT_LISTEN, description="Address of the page and the API; loopback only, because there are no accounts."
    )
    log_search: bool = Field(
        default=True, description="Answer searches of log lines: who reaches the address can read them, masked."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Further names that a request's Host header may carry (a tunnel's, a local proxy's)."
    )

    @field_validator("listen")
    @classmethod
    def _loopback_only(cls, text: str) -> str:
        address = _address(text)
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
        return None if text is None else str(_address(text))

    @property
    def address(self) -> Address | None:
        """The address in parts."""
        return None if self.listen is None else Address.parse(self.listen)


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no address to listen on", hint=f"write it like {DEFAULT_LISTEN} or [::1]:7470"
        ) from error
