"""How an endpoint lets us in: a token or a password to send, whom to trust, and a certificate of our own."""

import base64
import ssl
from pathlib import Path

from collector.settings import EndpointSettings
from collector.source import CollectError
from forewarn.base.errors import ConfigError
from forewarn.base.types import read_secret

_Stamp = tuple[tuple[str, int, int], ...]


class Access:
    """Credentials of one endpoint. Every file is looked at for each request, so that it may be renewed.

    Args:
        settings: names the files.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._token_file = settings.bearer_token_file
        self._username = settings.username
        self._password_file = settings.password_file
        self._ca = settings.ca_file
        self._certificate = settings.client_certificate_file
        self._key = settings.client_key_file
        self._context: ssl.SSLContext | None = None
        self._stamp: _Stamp | None = None

    def headers(self) -> dict[str, str]:
        """The header that authorises a request; empty where none is asked.

        Raises:
            CollectError: the token or the password cannot be had, or cannot be sent.
        """
        if self._token_file is not None:
            return {"Authorization": f"Bearer {_secret(self._token_file)}"}
        if self._username is not None and self._password_file is not None:
            pair = f"{self._username}:{_secret(self._password_file)}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}

    def context(self) -> ssl.SSLContext:
        """What a TLS connection is made with; the same one until a file changes.

        Raises:
            CollectError: a file cannot be read or is no certificate.
        """
        files = [path for path in (self._ca, self._certificate, self._key) if path is not None]
        try:
            stamp = tuple(_stamp(path) for path in files)
            if self._context is None or stamp != self._stamp:
                self._context, self._stamp = self._make(), stamp
        except OSError as error:  # SSLError is one
            named = ", ".join(str(path) for path in files)
            raise CollectError("tls", f"cannot use the certificates ({named}): {error}") from error
        return self._context

    def _make(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=None if self._ca is None else str(self._ca))
        if self._certificate is not None:
            context.load_cert_chain(self._certificate, self._key, password=_refuse)
        return context


def _stamp(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


def _refuse() -> str:
    """Called for an encrypted key: without it OpenSSL would ask at the terminal."""
    return ""


def _secret(path: Path) -> str:
    try:
        secret = read_secret(path).get_secret_value()
    except (ConfigError, UnicodeDecodeError) as error:
        raise CollectError("token", str(error)) from error
    if not (secret.isascii() and secret.isprintable()):
        raise CollectError("token", f"the secret in {path} has characters that no header takes")
    return secret
