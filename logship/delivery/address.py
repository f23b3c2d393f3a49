"""Where a server listens, and how it is trusted."""

import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlsplit

from logship.errors import WireError
from logship.settings import LogsSettings


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens.

    Attributes:
        host: name or number, IPv6 without brackets.
        port: of TCP.
        path: what stands before the path of every request, percent-encoded, without a slash at its end.
        tls: whether it speaks TLS.
    """

    host: str
    port: int
    path: str
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """The address that a URL names.

        Raises:
            WireError: it names none.
        """
        try:
            parts = urlsplit(url)
            tls = parts.scheme == "https"
            port = parts.port or (443 if tls else 80)
            host = (parts.hostname or "").replace("%25", "%").encode("idna").decode()
        except ValueError as error:
            raise WireError(f"no address: {error}") from error
        if not host:
            raise WireError("no address: it names no host")
        return cls(host, port, quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~"), tls)

    @property
    def name(self) -> str:
        """The host as its certificate names it: without the zone of IPv6, and without the root's dot."""
        return self.host.partition("%")[0].rstrip(".")

    @property
    def authority(self) -> str:
        """What the Host header says."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


def tls_context(settings: LogsSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, and the authorities that are trusted.

    Raises:
        WireError: their file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        raise WireError(f"cannot use {settings.ca_file}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
