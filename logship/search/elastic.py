"""Searching documents in Elasticsearch and OpenSearch, by plain HTTP: the daemon imports no client.

https://www.elastic.co/docs/reference/elasticsearch/rest-apis/paginate-search-results
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from logship.elastic.caller import PlainHttp, listed, reason_of
from logship.elastic.product import is_victorialogs
from logship.errors import ControlError
from logship.search.asked import DATASETS, Asked, Line
from logship.search.documents import line_of
from logship.search.errors import AskedError, SearchError, UnreachableError
from logship.settings import LogsSettings

log = logging.getLogger(__name__)

PAGE = 1000
MOST_FOLLOWED = 10_000
LATE_MS = 60_000
"""By how much a line may come later than ones that are newer, and still be seen by who follows."""
ANSWER_SECONDS = 20.0
_TEXTS = ["message", "error.message", "error.stack_trace"]
_NEAR_MS = 6 * 3_600_000
_TIES = ("log.offset", "log.file.path", "host.name")


class Elastic:
    """Asks a server.

    Args:
        settings: addresses and credentials, and the data streams that are ours.

    Raises:
        ConfigError: a secret's file cannot be read.
    """

    def __init__(self, settings: LogsSettings) -> None:
        self._settings = settings
        self._http = PlainHttp(settings, ANSWER_SECONDS)

    def search(self, asked: Asked) -> list[Line]:
        """The newest lines that fit, in the order of their time.

        Raises:
            UnreachableError: no server answers, or it is too busy.
            SearchError: it refuses.
        """
        found = [line_of(hit) for hit in self._hits(asked, _query(asked), "desc", asked.limit)]
        found.reverse()
        return self._surrounded(found, asked) if asked.context else found

    def follow(self, asked: Asked, seen: dict[str, int], most: int = MOST_FOLLOWED) -> list[Line]:
        """Lines that came since the last call, in the order of their time.

        Args:
            asked: the search; ``since_ms`` holds for the first call.
            seen: names of lines that are over and done with, with their times; kept up by this method.
            most: lines that are given out, the newest; older ones are passed over for good.

        Raises:
            UnreachableError: no server answers, or it is too busy.
            SearchError: it refuses.
        """
        newest = max(seen.values(), default=asked.since_ms)
        since = max(asked.since_ms, newest - LATE_MS)
        for name in [name for name, time_ms in seen.items() if time_ms < since]:
            del seen[name]
        fresh: list[Line] = []
        for line in map(line_of, self._hits(asked, _query(replace(asked, since_ms=since)), "desc", MOST_FOLLOWED)):
            if len(fresh) >= most and line.time_ms < fresh[0].time_ms - LATE_MS:
                break
            if line.name not in seen:
                fresh.append(line)
        seen.update((line.name, line.time_ms) for line in fresh)
        return fresh[:most][::-1]

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _hits(self, asked: Asked, query: dict[str, Any], order: str, count: int) -> Iterator[dict[str, Any]]:
        body: dict[str, Any] = {"query": query, "sort": _sort(order), "track_total_hits": False}
        while count > 0:
            size = min(count, PAGE)
            hits = self._ask(asked, {**body, "size": size})
            yield from hits
            if len(hits) < size:
                return
            count -= size
            body["search_after"] = hits[-1]["sort"]

    def _ask(self, asked: Asked, body: dict[str, Any]) -> list[dict[str, Any]]:
        path = f"/{self._streams(asked)}/_search?ignore_unavailable=true&allow_no_indices=true"
        try:
            status, answer = self._http.call("POST", path, body)
        except ControlError as error:
            raise UnreachableError(error.message, hint=error.hint) from error
        except orjson.JSONEncodeError as error:
            raise SearchError(f"that cannot be searched for: {error}") from error
        if status in {0, 408, 429} or status >= 500:
            raise UnreachableError(reason_of(status, answer))
        if status != 200:
            raise SearchError(f"the server refuses the search: {reason_of(status, answer)}", hint=_HINTS.get(status))
        try:
            _warn_of_parts(answer)
            if asked.dataset is not None and _looked_nowhere(answer):
                hint = "see its name, and what the credentials under [logs] may read"
                raise AskedError(f"there is no data stream of the data set {asked.dataset}", hint=hint)
            hits = listed(answer.get("hits") if isinstance(answer, dict) else answer, "hits")
        except ControlError as error:
            raise UnreachableError(error.message, hint=error.hint) from error
        return [hit for hit in hits if isinstance(hit.get("_source"), dict) and hit.get("sort")]

    def _streams(self, asked: Asked) -> str:
        if any(map(is_victorialogs, self._settings.url)):
            raise UnreachableError("VictoriaLogs is not searched through Elasticsearch's API")
        if asked.dataset is not None:
            if not re.fullmatch(DATASETS, asked.dataset):
                raise SearchError(f"{asked.dataset!r} is no data set", hint="* stands for anything in its name")
            return f"logs-{asked.dataset}-*"
        own = f"logs-{self._settings.dataset}-{self._settings.namespace}"
        return ",".join(sorted({*self._settings.streams, own}))

    def _surrounded(self, found: list[Line], asked: Asked) -> list[Line]:
        """Lines with those beside them, each once."""
        lines: dict[str, Line] = {}
        for line in found:
            for each in (*self._beside(line, asked, "desc"), line, *self._beside(line, asked, "asc")):
                if each.name not in lines or not each.context:
                    lines[each.name] = each
        return sorted(lines.values(), key=_place)

    def _beside(self, line: Line, asked: Asked, order: str) -> list[Line]:
        if line.offset is None:
            return []
        span = {"gte": line.time_ms - _NEAR_MS, "lte": line.time_ms + _NEAR_MS, "format": "epoch_millis"}
        conditions = [
            {"term": {"log.file.path": line.file}},
            {"term": {"host.name": line.host}},
            {"range": {"log.offset": {"gt" if order == "asc" else "lt": line.offset}}},
            {"range": {"@timestamp": span}},
        ]
        body = {
            "query": {"bool": {"filter": conditions}},
            "sort": [{"log.offset": {"order": order}}],
            "size": 2 * asked.context,
            "track_total_hits": False,
        }
        found = [replace(line_of(hit), context=True) for hit in self._ask(asked, body)]
        return [each for each in found if _file_of(each) == _file_of(line)][: asked.context]


def _query(asked: Asked) -> dict[str, Any]:
    span: dict[str, Any] = {"gte": asked.since_ms, "format": "epoch_millis"}
    if asked.until_ms is not None:
        span["lt"] = asked.until_ms
    conditions: list[dict[str, Any]] = [{"range": {"@timestamp": span}}]
    conditions += [{"multi_match": {"query": term, "type": "phrase", "fields": _TEXTS}} for term in asked.terms]
    if asked.levels:
        conditions.append({"terms": {"log.level": list(asked.levels)}})
    if asked.host is not None:
        conditions.append({"term": {"host.name": asked.host}})
    if asked.template is not None:
        conditions.append({"term": {"log.template": asked.template}})
    if asked.file is not None:
        whole = asked.file.startswith("/")
        path: dict[str, Any] = {"term": {"log.file.path": asked.file}}
        conditions.append(path if whole else {"wildcard": {"log.file.path": {"value": f"*/{_literal(asked.file)}"}}})
    return {"bool": {"filter": conditions}}


def _warn_of_parts(answer: Any) -> None:
    """Say it where some shards did not answer: lines may be missing then."""
    shards = answer.get("_shards") if isinstance(answer, dict) else None
    if isinstance(shards, dict) and shards.get("failed"):
        log.warning("%s of %s shards did not answer; lines may be missing", shards["failed"], shards.get("total", "?"))


def _looked_nowhere(answer: Any) -> bool:
    shards = answer.get("_shards") if isinstance(answer, dict) else None
    return isinstance(shards, dict) and shards.get("total") == 0


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in text)


def _sort(order: str) -> list[dict[str, Any]]:
    ties = {"log.offset": "long", "log.file.path": "keyword", "host.name": "keyword"}
    return [
        {"@timestamp": {"order": order}},
        *({name: {"order": order, "unmapped_type": ties[name]}} for name in _TIES),
    ]


def _file_of(line: Line) -> str:
    """The part of a document's id that names the file; the offset stands behind the last hyphen."""
    return line.name.rpartition("/")[2].rpartition("-")[0]


def _place(line: Line) -> tuple[int, str, int]:
    return line.time_ms, line.file, line.offset or 0


_HINTS = {
    400: "was the data set made by Forewarn? 'forewarn logs setup' installs the fields that it searches",
    401: "check username and password_file, or api_key_file, under [logs]",
    403: "the role needs 'read' on these data streams: see 'forewarn logs setup --print-role'",
}
