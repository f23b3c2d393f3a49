"""Calls of Elasticsearch's REST API: by its official client, or by plain HTTP to servers that the client refuses."""

import base64
from typing import Any, Protocol

import orjson
import urllib3

from forewarn.base.errors import ConfigError, MissingExtraError
from forewarn.base.types import read_secret
from logship.errors import ControlError
from logship.settings import LogsSettings

CONNECT_SECONDS = 5.0


class Caller(Protocol):
    """One way to call a server."""

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status of the answer and the JSON that it holds (None where it holds none).

        Raises:
            ControlError: no address answers.
        """
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...


class PlainHttp:
    """Calls by urllib3: the addresses in turn, until one answers.

    Args:
        settings: addresses and credentials.
        timeout: seconds to wait for an answer; the settings' own by default.

    Raises:
        ConfigError: a secret's file cannot be read.
    """

    def __init__(self, settings: LogsSettings, timeout: float | None = None) -> None:
        self._settings = settings
        self._urls = list(settings.url)
        self._login = authorization(settings)
        self._pool = urllib3.PoolManager(
            retries=False,
            maxsize=settings.connections,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=timeout or settings.request_timeout),
            ca_certs=str(settings.ca_file) if settings.ca_file else None,
            cert_reqs="CERT_REQUIRED" if settings.verify else "CERT_NONE",
        )

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """See ``Caller``."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._login}
        reason = "no address is configured"
        for url in list(self._urls):
            try:
                answer = self._pool.request(method, url + path, body=data, headers=headers, redirect=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                reason = f"{url}: {one_line(error.__cause__ or error)}"
                self._urls.append(self._urls.pop(0))  # the next call begins with one that may answer
                continue
            return answer.status, _json(answer.data)
        raise ControlError(reason, 0, hint="is [logs] url right, and does the server run?")

    def renew_credentials(self) -> None:
        """Read the credentials again, for they may have been changed.

        Raises:
            ConfigError: their file cannot be read.
        """
        self._login = authorization(self._settings)

    def close(self) -> None:
        """See ``Caller``."""
        self._pool.clear()


class OfficialClient:
    """Calls by Elasticsearch's own client, which makes sure of what it talks to.

    Args:
        settings: addresses and credentials.

    Raises:
        MissingExtraError: the client is not installed.
        ConfigError: a secret's file cannot be read.
    """

    def __init__(self, settings: LogsSettings) -> None:
        try:
            import elasticsearch  # noqa: PLC0415  an extra, and 40 MB of it
        except ImportError as error:
            raise MissingExtraError("log shipping", "logs") from error
        self._refused, self._unreached = elasticsearch.ApiError, elasticsearch.TransportError
        self._client = elasticsearch.Elasticsearch(list(settings.url), **_options(settings))

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """See ``Caller``."""
        headers = {"accept": "application/json", "content-type": "application/json"}
        try:
            answer = self._client.perform_request(method, path, headers=headers, body=body)
        except self._refused as error:
            return error.status_code, error.body
        except self._unreached as error:
            raise ControlError(one_line(error), 0, hint="is [logs] url right, and does the server run?") from error
        return answer.meta.status, answer.body

    def close(self) -> None:
        """See ``Caller``."""
        self._client.close()


def authorization(settings: LogsSettings) -> dict[str, str]:
    """The header that says who calls; empty where nobody is named.

    Raises:
        ConfigError: a secret's file cannot be read, or holds no key.
    """
    if settings.api_key_file is not None:
        key = read_secret(settings.api_key_file).get_secret_value()
        if not (key.isascii() and key.isprintable()):  # and not shown
            raise ConfigError(
                f"{settings.api_key_file} holds no API key",
                hint="write the 'encoded' form that Elasticsearch gave out, on one line",
            )
        return {"Authorization": f"ApiKey {key}"}
    if settings.username is not None and settings.password_file is not None:
        login = f"{settings.username}:{read_secret(settings.password_file).get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    return {}


def reason_of(status: int, answer: Any) -> str:
    """Why a call was refused, in one line, the innermost cause last."""
    error = answer.get("error") if isinstance(answer, dict) else answer
    reasons: list[str] = []
    while isinstance(error, dict):
        reason = one_line(error.get("reason", error.get("type", "")))
        reasons = [each for each in reasons if each not in reason] + [reason]
        error = error.get("caused_by")
    return f"HTTP {status}: {'; '.join(reasons) or one_line(error or 'without a reason')}"[:500]


def odd(what: str) -> ControlError:
    """A server, or something before it, answers with success and with nothing that can be understood."""
    hint = "does something else answer at [logs] url, such as a proxy?"
    return ControlError(f"an answer that cannot be understood: {what}", 0, hint=hint)


def listed(answer: Any, name: str) -> list[dict[str, Any]]:
    """The objects that an answer lists under a name.

    Raises:
        ControlError: it lists none.
    """
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise odd(f"no {name} in {one_line(answer)[:100]!r}")
    return found


def one_line(text: object) -> str:
    """Text that fits into a line of a log."""
    return " ".join(str(text).split())[:300]


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data) if data else None
    except orjson.JSONDecodeError:
        return data[:300].decode(errors="replace")


def _options(settings: LogsSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "request_timeout": settings.request_timeout,
        "max_retries": len(settings.url) - 1,  # each address once
        "headers": authorization(settings),
    }
    if any(url.startswith("https://") for url in settings.url):
        options["verify_certs"] = settings.verify
        options["ssl_show_warn"] = False
        if settings.ca_file is not None:
            options["ca_certs"] = str(settings.ca_file)
    return options
