"""One request of Elasticsearch's bulk API, and what its answer means for every document.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson
import urllib3

from forewarn.base.errors import ConfigError
from forewarn.base.types import read_secret
from logship.settings import LogsSettings

Fate = Literal["acknowledged", "duplicate", "retry", "pause", "dead"]

_PATH = "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_NO_ERRORS = b'"errors":false'
_CONNECT_SECONDS = 5.0
_GZIP_LEVEL = 1
LONGEST_RETRY_AFTER = 300.0
"""A server that asks for more is taken to be mistaken."""

# What a refusal says of the server's state and not of the document: it would be taken once that has been mended.
_STATE_STATUSES = frozenset({401, 403, 404})
_STATE_TYPES = frozenset({"index_closed_exception", "security_exception", "cluster_block_exception"})


@dataclass(frozen=True, slots=True)
class Item:
    """The answer for one document."""

    status: int
    type: str = ""
    reason: str = ""

    @property
    def fate(self) -> Fate:
        """What becomes of the document: there, there already, later, once the server was mended, or never."""
        if self.status in {200, 201}:
            return "acknowledged"
        if self.status == 409:
            return "duplicate"
        if self.status == 429 or self.status >= 500:
            return "retry"
        if self.status in _STATE_STATUSES or self.type in _STATE_TYPES:
            return "pause"
        return "dead"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        status: HTTP status; 0 where there was none, or none that can be trusted.
        items: one per document, in their order; empty unless status is 200.
        reason: why not, in one line.
        retry_after: seconds that the server asked to wait, at most LONGEST_RETRY_AFTER.
    """

    status: int
    items: Sequence[Item] = ()
    reason: str = ""
    retry_after: float = 0.0


class Bulk:
    """Sends bulk requests, one at a time per thread, to one of the configured addresses.

    Args:
        settings: addresses, credentials, compression.
    """

    def __init__(self, settings: LogsSettings) -> None:
        self._settings = settings
        self._turn = 0
        self._headers = self._make_headers()
        self._pool = urllib3.PoolManager(
            maxsize=settings.connections,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=settings.request_timeout),
            ca_certs=str(settings.ca_file) if settings.ca_file else None,
            cert_reqs="CERT_REQUIRED" if settings.verify else "CERT_NONE",
        )

    def post(self, documents: Sequence[bytes]) -> Answer:
        """Send documents; errors of the network are answers with status 0."""
        body = b"".join(documents)
        if self._settings.gzip:
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        url = self._settings.url[self._turn % len(self._settings.url)]
        try:
            response = self._pool.request("POST", url + _PATH, body=body, headers=self._headers, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._turn += 1
            return Answer(0, reason=f"{url}: {_network(error)}")
        answer = _read(response.status, response.data, response.headers.get("Retry-After"), len(documents))
        if answer.status != 200:
            self._turn += 1
        return answer

    def renew_credentials(self) -> None:
        """Read the credentials again, for they may have been changed.

        Raises:
            ConfigError: their file cannot be read.
        """
        self._headers = self._make_headers()

    def _make_headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {"Content-Type": "application/x-ndjson", "Accept": "application/json"}
        if settings.gzip:
            headers["Content-Encoding"] = "gzip"
        if settings.api_key_file is not None:
            key = read_secret(settings.api_key_file).get_secret_value()
            if not (key.isascii() and key.isprintable()):  # and not shown
                raise ConfigError(
                    f"{settings.api_key_file} holds no API key",
                    hint="write the 'encoded' form that Elasticsearch gave out, on one line",
                )
            headers["Authorization"] = f"ApiKey {key}"
        elif settings.username is not None and settings.password_file is not None:
            login = f"{settings.username}:{read_secret(settings.password_file).get_secret_value()}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        return headers


def _read(status: int, data: bytes, retry_after: str | None, count: int) -> Answer:
    wait = min(float(retry_after), LONGEST_RETRY_AFTER) if retry_after and retry_after.isdecimal() else 0.0
    if status != 200:
        return Answer(status, reason=f"HTTP {status}: {_why(data)}", retry_after=wait)
    if _NO_ERRORS in data[:64] and data.count(b'"status":') == count:
        return Answer(status, [Item(201)] * count)
    try:
        items = [_item(entry) for entry in orjson.loads(data)["items"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return Answer(0, reason="the answer is no answer of a bulk request")
    if len(items) != count:
        return Answer(0, reason=f"the answer speaks of {len(items)} documents instead of {count}")
    return Answer(status, items)


def _item(entry: dict[str, dict[str, object]]) -> Item:
    (result,) = entry.values()
    error = result.get("error")
    if not isinstance(error, dict):
        return Item(int(str(result["status"])))
    return Item(int(str(result["status"])), str(error.get("type", "")), str(error.get("reason", "")))


def _why(data: bytes) -> str:
    try:
        error = orjson.loads(data)["error"]
        text = error if isinstance(error, str) else str(error["reason"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = data[:200].decode(errors="replace")
    return " ".join(text.split())[:300]


def _network(error: Exception) -> str:
    return " ".join(str(error.__cause__ or error).split())[:300]
