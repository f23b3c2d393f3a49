"""One POST of one notification: no proxy, no redirect, no retry of its own, and the answer's body is not read."""

from importlib.metadata import version
from typing import NamedTuple
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError

from alerts import address
from alerts.outcome import Outcome, of_status, parse_retry_after
from alerts.settings import ReceiverSettings
from forewarn.base.clock import Clock
from forewarn.base.errors import ForewarnError
from forewarn.base.types import read_secret

USER_AGENT = f"Forewarn/{version('forewarn')}"


class _Call(NamedTuple):
    scheme: str
    host: str
    port: int
    target: str
    headers: dict[str, str]
    body: bytes


class Webhook:
    """A receiver of payloads. ``post`` blocks, so it runs on a lane."""

    def __init__(self, settings: ReceiverSettings, clock: Clock, resolve: address.Resolve = address.resolve) -> None:
        self._settings = settings
        self._clock = clock
        self._resolve = resolve

    def post(self, body: bytes) -> Outcome:
        """Send a body and say what became of it; whatever the far side or the network does is an outcome."""
        try:
            call = self._call(body)
        except (ForewarnError, ValueError) as error:
            return Outcome("retry", "settings", str(error))
        try:
            addresses = self._resolve(call.host, call.port)
            address.check(call.host, addresses)
        except address.RefusedAddressError as error:
            return Outcome("refused", "settings", str(error))
        except (OSError, UnicodeError) as error:
            return Outcome("retry", "connection", f"cannot resolve {call.host}: {error}")
        return self._first_answer(call, addresses)

    def _call(self, body: bytes) -> _Call:
        url = urlsplit(self._settings.address())
        port = url.port or (443 if url.scheme == "https" else 80)
        headers = {
            "Host": url.netloc,
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Connection": "close",
        }
        if self._settings.bearer_token_file is not None:
            headers["Authorization"] = f"Bearer {read_secret(self._settings.bearer_token_file).get_secret_value()}"
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        return _Call(url.scheme, url.hostname or "", port, target, headers, body)

    def _first_answer(self, call: _Call, addresses: list[str]) -> Outcome:
        end = self._clock.monotonic() + self._settings.timeout
        outcome = Outcome("retry", "connection", f"{call.host} has no address")
        for found in addresses:
            left = end - self._clock.monotonic()
            if left <= 0:
                break
            outcome = self._post_to(found, call, left)
            if outcome.reached or outcome.reason not in {"connection", "timeout"}:
                break
        return outcome

    def _post_to(self, found: str, call: _Call, seconds: float) -> Outcome:
        with _pool(found, call, seconds) as pool:
            try:
                response = pool.urlopen(
                    "POST",
                    call.target,
                    body=call.body,
                    headers=call.headers,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
            except HTTPError as error:
                return _of_error(error)
            except ValueError:  # its text may show a part of the token
                detail = "the address or the token holds characters that no HTTP request can carry"
                return Outcome("retry", "settings", detail)
            response.close()
            asked = parse_retry_after(response.headers.get("Retry-After"), self._clock.now_ms())
            return of_status(response.status, asked)


def _pool(found: str, call: _Call, seconds: float) -> urllib3.HTTPConnectionPool:
    timeout = urllib3.Timeout(total=seconds)
    if call.scheme == "https":
        return urllib3.HTTPSConnectionPool(found, call.port, timeout=timeout, server_hostname=call.host)
    return urllib3.HTTPConnectionPool(found, call.port, timeout=timeout)


def _of_error(error: HTTPError) -> Outcome:
    if isinstance(error, NewConnectionError):
        return Outcome("retry", "connection", f"cannot connect: {_cause(error)}")
    if isinstance(error, ConnectTimeoutError):
        return Outcome("retry", "timeout", "cannot connect in time")
    if isinstance(error, SSLError):
        return Outcome("retry", "connection", f"TLS: {_cause(error)}")
    if isinstance(error, ReadTimeoutError):
        return Outcome("retry", "timeout", "no answer in time", reached=True)
    return Outcome("retry", "connection", f"the connection broke: {_cause(error)}", reached=True)


def _cause(error: HTTPError) -> str:
    cause = error.__cause__ or error
    return getattr(cause, "strerror", None) or type(cause).__name__
