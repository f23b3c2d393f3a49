"""One request of remote write, and what its answer means."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from collector.remote_write.settings import RemoteWriteSettings
from collector.samplers.failures import failure_code
from forewarn.base.clock import Clock
from forewarn.base.errors import ConfigError
from forewarn.base.retry import parse_retry_after
from forewarn.base.types import read_secret

RETRY_AFTER_CAP_SECONDS = 600.0
_DETAIL_BYTES = 4_096
_DETAIL_LETTERS = 300
_HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": f"Forewarn/{version('forewarn')}",
}
_OF_THE_ADDRESS = {401, 403, 404, 405, 407, 408, 425, 429}
"""Answers of 4xx that say nothing of the samples: they are kept until who they are sent to takes them."""
_ORDER = ("out of order", "out-of-order", "out of bounds", "duplicate sample", "too old", "too far behind")

Verdict = Literal["delivered", "retry", "too_large", "out_of_order", "refused", "expired"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended.

    Attributes:
        verdict: what to do with the samples.
        code: the status, or a word for what went wrong, as it appears in the label ``code``.
        detail: what the receiver or the network said.
        retry_after: seconds that the receiver asked to be left alone, where it did.
    """

    verdict: Verdict
    code: str
    detail: str = ""
    retry_after: float | None = None


class Post:
    """Sends bodies to one receiver over a kept connection. ``send`` blocks, so it runs on a lane."""

    def __init__(self, settings: RemoteWriteSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._pools: urllib3.PoolManager | None = None

    def send(self, body: bytes) -> Answer:
        """Send a body and say what became of it; whatever the far side or the network does is an answer."""
        try:
            headers = self._headers()
            self._pools = self._pools or self._new_pools()
            response = self._pools.request(
                "POST", self._settings.url, body=body, headers=headers, retries=False, redirect=False,
                preload_content=False,
            )  # fmt: skip
            try:
                said = response.read(_DETAIL_BYTES, decode_content=False)
                if len(said) == _DETAIL_BYTES:  # there may be more, of any length: that is not waited for
                    response.close()
            finally:
                response.release_conn()
        except ConfigError as error:
            return Answer("retry", "settings", str(error))
        except (HTTPError, OSError, ValueError) as error:  # ValueError: what no header or address may hold
            return Answer("retry", failure_code(error), _words(str(error).encode()))
        asked = parse_retry_after(response.headers.get("Retry-After"), self._clock.now_ms(), RETRY_AFTER_CAP_SECONDS)
        return of_status(response.status, _words(said), asked)

    def close(self) -> None:
        """Close the connection."""
        if self._pools is not None:
            self._pools.clear()

    def _new_pools(self) -> urllib3.PoolManager:
        settings = self._settings
        return urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            timeout=urllib3.Timeout(total=settings.timeout),
            **_files(ca_certs=settings.ca_file, cert_file=settings.cert_file, key_file=settings.key_file),
        )

    def _headers(self) -> dict[str, str]:
        headers = {**_HEADERS, **self._settings.headers}
        if self._settings.bearer_token_file is not None:
            token = read_secret(self._settings.bearer_token_file).get_secret_value()
            headers["Authorization"] = f"Bearer {_sendable(token, self._settings.bearer_token_file)}"
        if self._settings.password_file is not None:
            password = read_secret(self._settings.password_file).get_secret_value()
            basic = f"{self._settings.username}:{_sendable(password, self._settings.password_file)}"
            headers |= {"Authorization": make_headers(basic_auth=basic)["authorization"]}
        return headers


def of_status(status: int, detail: str = "", retry_after: float | None = None) -> Answer:
    """What a status means: samples are only given up where the receiver says that it is they that are wrong."""
    code = str(status)
    if 200 <= status < 300:
        return Answer("delivered", code)
    if status == 413:
        return Answer("too_large", code, detail)
    if 400 <= status < 500 and status not in _OF_THE_ADDRESS:
        ordered = any(words in detail.lower() for words in _ORDER)
        return Answer("out_of_order" if ordered else "refused", code, detail)
    return Answer("retry", code, detail, retry_after)


def _files(**paths: Path | None) -> dict[str, Any]:
    return {name: str(path) for name, path in paths.items() if path is not None}


def _sendable(secret: str, path: Path) -> str:
    if not (secret.isascii() and secret.isprintable()):
        raise ConfigError(f"the secret in {path} has characters that no header takes")
    return secret


def _words(text: bytes) -> str:
    """One line of what a receiver said."""
    return " ".join(text.decode(errors="replace").split())[:_DETAIL_LETTERS]
