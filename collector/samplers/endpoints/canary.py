"""A tiny completion that is asked for again and again."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from collector.samplers.endpoints.access import Access
from collector.samplers.endpoints.http import Client
from collector.series import Sample, SeriesKey, labels_of
from collector.settings import CanarySettings, EndpointSettings
from collector.source import CollectError
from forewarn.base.clock import Clock
from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

OUTCOMES = ("ok", "error", "timeout")
_MAX_BYTES = 256 * 1024


class Canary:
    """The source of ``forewarn_canary_*`` for one endpoint.

    Requests run beside the rounds, for a model may take longer than a round; a round tells how the last one ended.

    Args:
        endpoint: whom to ask.
        settings: what to ask, how often, and for how long to wait.
        clock: when a request is due, and how long it took.
    """

    def __init__(self, endpoint: EndpointSettings, settings: CanarySettings, clock: Clock) -> None:
        self.name = f"canary:{endpoint.label}"
        self._settings = settings
        self._clock = clock
        self._base = (settings.base_url or _origin(endpoint.url)).rstrip("/")
        self._model = settings.model
        self._client = Client(clock, Access(endpoint), timeout=settings.timeout, max_bytes=_MAX_BYTES)
        self._lane = Lane(self.name)
        self._task: asyncio.Task[None] | None = None
        self._due: float | None = None
        self._seconds: float | None = None
        self._trouble: str | None = None  # None before the first answer, empty while all is well
        self._counts: Counter[str] = Counter()
        self._up_key = SeriesKey.of("forewarn_canary_up", endpoint=endpoint.label)
        self._duration_key = SeriesKey.of("forewarn_canary_duration_seconds", endpoint=endpoint.label)
        self._count_keys = {
            outcome: SeriesKey(
                "forewarn_canary_requests_total", labels_of({"endpoint": endpoint.label, "outcome": outcome})
            )
            for outcome in OUTCOMES
        }

    async def collect(self) -> Sequence[Sample]:
        """How the last request ended; a new one is sent when it is due and none is under way."""
        now = self._clock.monotonic()
        if (self._due is None or now >= self._due) and (self._task is None or self._task.done()):
            self._due = now + self._settings.interval
            self._task = asyncio.create_task(self._probe(), name=self.name)
        samples = [Sample(key, float(self._counts[outcome]), counter=True) for outcome, key in self._count_keys.items()]
        if self._trouble is not None:
            samples.append(Sample(self._up_key, float(not self._trouble)))
        if self._seconds is not None:
            samples.append(Sample(self._duration_key, self._seconds))
        return samples

    async def close(self) -> None:
        """Stop asking; a request that is under way ends on its own thread."""
        if self._task is not None:
            self._task.cancel()
        self._lane.close()

    async def _probe(self) -> None:
        trouble, seconds = "", None
        try:
            seconds = await self._lane.call(self._ask, deadline=1.2 * self._settings.timeout)
        except CollectError as error:
            outcome, trouble = "timeout" if error.code == "timeout" else "error", str(error)
        except StuckError as error:
            outcome, trouble = "timeout", str(error)
        else:
            outcome = "ok"
        self._counts[outcome] += 1
        self._seconds = seconds
        if trouble and not self._trouble:
            log.warning("the canary request failed", extra={"collector": self.name, "trouble": trouble})
        elif not trouble and self._trouble:
            log.info("the canary request is answered again", extra={"collector": self.name})
        self._trouble = trouble

    def _ask(self) -> float:
        """Seconds that one completion took."""
        if self._model is None:
            self._model = self._first_model()
        question = {
            "model": self._model,
            "prompt": self._settings.prompt,
            "max_tokens": self._settings.max_tokens,
            "temperature": 0,
        }
        url = f"{self._base}/v1/completions"
        started = self._clock.monotonic()
        try:
            answer = self._client.request("POST", url, body=orjson.dumps(question), accept="application/json")
        except CollectError as error:
            if error.code == "http_404":
                self._model = self._settings.model  # the server may have another model by now
            raise
        seconds = self._clock.monotonic() - started
        if not _field(answer, "choices"):
            raise CollectError("answer", f"{url} answered without a completion")
        return seconds

    def _first_model(self) -> str:
        url = f"{self._base}/v1/models"
        models = _field(self._client.request("GET", url, accept="application/json"), "data")
        first = models[0] if models else None
        if not isinstance(first, dict) or not isinstance(first.get("id"), str):
            raise CollectError("answer", f"{url} names no model; set the canary's model")
        return str(first["id"])


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _field(body: bytes, name: str) -> list[Any]:
    """A list in a JSON object; empty where there is none."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    value = answer.get(name) if isinstance(answer, dict) else None
    return value if isinstance(value, list) else []
