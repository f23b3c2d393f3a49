"""Any endpoint that serves Prometheus' text format."""

import logging
from collections.abc import Sequence

from collector.samplers.endpoints.access import Access
from collector.samplers.endpoints.http import Client
from collector.samplers.endpoints.mapping import Mapping
from collector.series import Sample, SeriesKey
from collector.settings import EndpointSettings
from collector.source import CollectError
from collector.textformat import parse_page
from forewarn.base.clock import Clock
from forewarn.base.lane import Lane

log = logging.getLogger(__name__)

# Nothing of OpenMetrics: libraries that find its name here send it whatever else is asked for.
ACCEPT = "text/plain;version=0.0.4,*/*;q=0.1"
_NAMED = 20


class Endpoint:
    """The source that reads one endpoint's page.

    Args:
        settings: where the page is and what to keep of it.
        patience: the longest deadline, in seconds, that the rounds allow.
        clock: time for deadlines.
    """

    def __init__(self, settings: EndpointSettings, patience: float, clock: Clock) -> None:
        self.name = f"endpoint:{settings.label}"
        self._url = settings.url
        self._deadline = min(settings.timeout, patience)
        self._client = Client(clock, Access(settings), timeout=self._deadline, max_bytes=settings.max_bytes)
        self._mapping = Mapping(settings.label, settings.model, settings.allow)
        self._lane = Lane(self.name)
        self._refused_key = SeriesKey.of("forewarn_collector_refused_series", collector=self.name, reason="not_allowed")
        self._refused_names: frozenset[str] = frozenset()

    async def collect(self) -> Sequence[Sample]:
        """The page's samples under our names.

        Raises:
            CollectError: there is no page, it is too large, or it is malformed.
            StuckError: the server keeps the connection without ending its answer.
        """
        # The client gives up by itself; the margin lets it say why and keep the lane free.
        samples, refused = await self._lane.call(self._read, deadline=1.2 * self._deadline)
        self._report(refused)
        return [*samples, Sample(self._refused_key, float(sum(refused.values())))]

    async def close(self) -> None:
        """Let the thread end."""
        self._lane.close()

    def _read(self) -> tuple[list[Sample], dict[str, int]]:
        body = self._client.request("GET", self._url, accept=ACCEPT)
        try:
            return self._mapping.apply(parse_page(body.decode("utf-8")))
        except ValueError as error:  # a FormatError, bytes that are no UTF-8, a bound that is no number
            raise CollectError("parse", f"the answer is no page of metrics: {error}") from error

    def _report(self, refused: dict[str, int]) -> None:
        names = frozenset(refused)
        if names == self._refused_names:
            return
        self._refused_names = names
        if names:
            log.info(
                "metrics of an endpoint are not kept; 'allow' of the endpoint names those to keep",
                extra={
                    "collector": self.name,
                    "series": sum(refused.values()),
                    "names": sorted(names)[:_NAMED],
                    "more_names": max(len(names) - _NAMED, 0),
                },
            )
