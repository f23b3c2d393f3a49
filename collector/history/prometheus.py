"""Questions to a Prometheus, or to what speaks its API: VictoriaMetrics, Mimir, Thanos.

Formats: Prometheus' HTTP API, /api/v1/query, /api/v1/query_range and /api/v1/series.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import orjson
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from collector.samplers.failures import said
from collector.series import Matcher, quoted
from forewarn.base.errors import ForewarnError, UsageError
from forewarn.base.types import read_secret

MAX_POINTS: Final = 10_000
"""Points that are asked for at a time; Prometheus gives 11,000 of a series, VictoriaMetrics 30,000."""

_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 1.0
_MAY_PASS: Final = frozenset({429, 500, 502, 503, 504})
_API: Final = re.compile(r"/(api/v1(/.*)?|graph|vmui)?/*$")
_TEXT_SHOWN: Final = 200


class PrometheusError(ForewarnError):
    """The server does not answer as a Prometheus does."""


class TooMuchError(PrometheusError):
    """The server will not give that much in one answer: ask for less."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the server wants to see of whoever asks.

    Attributes:
        bearer_token_file: file with a token.
        basic_auth_file: file with ``user:password``.
        ca_file: certificates that vouch for the server.
        further: more headers to send, such as Mimir's X-Scope-OrgID; no secrets.
    """

    bearer_token_file: Path | None = None
    basic_auth_file: Path | None = None
    ca_file: Path | None = None
    further: tuple[tuple[str, str], ...] = ()

    def headers(self) -> dict[str, str]:
        """The headers to send.

        Raises:
            ConfigError: a file cannot be read.
            UsageError: a file does not hold what it should.
        """
        headers = {**dict(self.further), "Accept-Encoding": "gzip", "User-Agent": "forewarn"}
        if self.bearer_token_file is not None:
            headers["Authorization"] = f"Bearer {_secret(self.bearer_token_file)}"
        elif self.basic_auth_file is not None:
            secret = _secret(self.basic_auth_file)
            if ":" not in secret:
                raise UsageError(f"{self.basic_auth_file} does not hold user:password in one line")
            headers |= make_headers(basic_auth=secret)
        return headers


@dataclass(frozen=True, slots=True)
class Line:
    """A series of an answer: its labels, times in milliseconds, values (NaN and infinities among them)."""

    labels: dict[str, str]
    times_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Prometheus:
    """One server.

    Args:
        url: what stands in front of /api/v1, such as http://prometheus:9090.
        access: what it wants to see.
        timeout: seconds for one answer.
        again: what doing the same again would bring, for hints.
        sleep: waits between two tries.

    Raises:
        UsageError: the url is none, or a file of the access does not hold what it should.
    """

    def __init__(
        self,
        url: str,
        access: Access = Access(),
        *,
        timeout: float = 60.0,
        again: str = "the same command goes on where this one stopped",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _base(url)
        self._headers = access.headers()
        if access.ca_file is not None and not os.access(access.ca_file, os.R_OK):
            raise UsageError(f"cannot read the certificates in {access.ca_file}")
        self._sleep = sleep
        self._again = again
        self._answered = False
        limits = urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            timeout=limits,
            ca_certs=None if access.ca_file is None else str(access.ca_file),
        )

    def range(self, expression: str, start_ms: int, end_ms: int, step_ms: int) -> list[Line]:
        """The values of an expression at start, start + step, ... up to end, both included.

        Raises:
            TooMuchError: that is more than the server gives in one answer.
            PrometheusError: there is no answer.
        """
        times = (("start", start_ms), ("end", end_ms), ("step", step_ms))
        found = self._ask("query_range", [("query", expression), *((name, _seconds(time)) for name, time in times)])
        return [_line(one) for one in found["result"]]

    def series(self, selectors: Iterable[str], start_ms: int, end_ms: int) -> list[dict[str, str]]:
        """Labels, the name among them, of the series that had samples in the range.

        Raises:
            PrometheusError: there is no answer.
        """
        fields = [("match[]", selector) for selector in selectors]
        found: list[dict[str, str]] = self._ask(
            "series", [*fields, ("start", _seconds(start_ms)), ("end", _seconds(end_ms))]
        )
        return found

    def _ask(self, what: str, fields: Sequence[tuple[str, str]]) -> Any:
        url = f"{self.url}/api/v1/{what}"
        tries, pause = 0, _FIRST_PAUSE_SECONDS
        while True:
            tries += 1
            try:
                answer = self._pool.request(
                    "POST", url, fields=fields, encode_multipart=False, headers=self._headers, retries=False
                )
            except (HTTPError, OSError) as error:
                trouble = self._unreachable(error)
                if not self._answered:  # the address may well be wrong
                    raise trouble from error
            else:
                self._answered = True
                if answer.status not in _MAY_PASS or _too_much(answer.data):
                    return self._data(answer.status, answer.data)
                trouble = PrometheusError(
                    f"{self.url} answers with status {answer.status}: {_text(answer.data)}",
                    hint=self._again,
                )
            if tries == _TRIES:
                raise trouble
            self._sleep(pause)
            pause *= 2

    def _unreachable(self, error: Exception) -> PrometheusError:
        reason = getattr(error, "reason", None)
        reason = reason if isinstance(reason, Exception) else error
        if "CERTIFICATE" in str(reason).upper():
            return PrometheusError(f"{self.url}: {reason}", hint="--ca-file names the certificate of its issuer")
        return PrometheusError(
            f"no answer from {self.url}: {said(reason)}",
            hint=f"is the address right? {self._again[0].upper()}{self._again[1:]}",
        )

    def _data(self, status: int, body: bytes) -> Any:
        if status in {401, 403}:
            raise PrometheusError(
                f"{self.url} wants to know who asks (status {status})",
                hint="--bearer-token-file or --basic-auth-file names a file with the secret;"
                " --header 'X-Scope-OrgID: NAME' the tenant of a Mimir",
            )
        if _too_much(body):
            raise TooMuchError(f"{self.url}: {_text(body)}", hint="a larger --step, or a --match, asks for less")
        try:
            answer = orjson.loads(body)
            answered = isinstance(answer, dict) and answer["status"] in {"success", "error"}
        except (ValueError, KeyError):
            answered = False
        if not answered:
            raise UsageError(
                f"{self.url} is no Prometheus: it answers with status {status}: {_text(body) or 'nothing'}",
                hint="give what stands in front of /api/v1, such as http://prometheus:9090",
            )
        if answer["status"] == "error":
            asked_wrongly = status in {400, 422}
            hint = "try the same query in the server's own page" if asked_wrongly else "look at the server's log"
            raise PrometheusError(f"{self.url}: {answer.get('error', 'error')}", hint=hint)
        return answer["data"]


def conditions_of(matchers: Iterable[Matcher]) -> str:
    """What stands between the braces of a selector."""
    return ",".join(f"{one.label}{one.operator}{quoted(one.value)}" for one in matchers)


def exactly(label_sets: Sequence[Mapping[str, str]], *, at_most: int = 50) -> list[Matcher]:
    """Conditions that all of these series fulfil and few others do; labels with too many values are left out."""
    found: list[Matcher] = []
    for label in sorted({name for labels in label_sets for name in labels} - {"__name__"}):
        values = sorted({labels.get(label, "") for labels in label_sets})
        if len(values) == 1:
            found.append(Matcher(label, "=", values[0]))
        elif len(values) <= at_most:
            found.append(Matcher(label, "=~", escaped(values)))
    return found


def escaped(values: Iterable[str]) -> str:
    """Any of these texts as a regular expression of RE2, which knows fewer escapes than ``re.escape`` writes."""
    return "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value) for value in values)


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{url!r} is no address", hint="write it like http://prometheus:9090")
    if parts.username is not None:
        raise UsageError(
            "an address holds no user or password", hint="--basic-auth-file names a file with user:password"
        )
    return f"{parts.scheme}://{parts.netloc}{_API.sub('', parts.path)}"


def _line(one: dict[str, Any]) -> Line:
    pairs = one["values"]
    times = np.fromiter((round(time * 1000) for time, _ in pairs), np.int64, len(pairs))
    values = np.fromiter((float(value) for _, value in pairs), np.float64, len(pairs))
    return Line({label: value for label, value in one["metric"].items() if label != "__name__"}, times, values)


def _too_much(body: bytes) -> bool:
    """Whether an error of Prometheus (resolution, samples, time) or VictoriaMetrics (points, series) is about size."""
    head = body[:2000]
    return b'"error"' in head and any(
        words in head
        for words in (
            b"exceeded maximum resolution",
            b"too many samples",
            b"timed out in",
            b"too many points",
            b"maxPointsPerTimeseries",
            b"maxSamples",
            b"exceeds limit",
            b"query-length",
            b"narrow down the search",
            b"max number of series",
        )
    )


def _secret(path: Path) -> str:
    secret = read_secret(path).get_secret_value()
    if not (secret.isascii() and secret.isprintable() and secret):
        raise UsageError(f"the secret in {path} is empty or has characters that no header takes")
    return secret


def _text(body: bytes) -> str:
    """What a person can read of an answer."""
    try:
        error = orjson.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = "a web page" if body.lstrip().startswith(b"<") else body.decode(errors="replace")
    return " ".join(str(error).split())[:_TEXT_SHOWN]


def _seconds(time_ms: int) -> str:
    return f"{time_ms / 1000:.3f}"
