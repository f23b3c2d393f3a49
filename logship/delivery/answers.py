"""What the answer to a bulk request means for every document.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Fate = Literal["acknowledged", "duplicate", "quarantined", "retry", "pause", "dead"]

WANTED = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store"
"""The parts of an answer that are read, as ``filter_path``."""
LONGEST_RETRY_AFTER = 300.0
"""A server that asks for more is taken to be mistaken."""
_NO_ERRORS = b'"errors":false'
_SHORTEST = len(b'{"create":{"status":201}},')
"""Bytes of the answer for one document, at least."""
_KEPT_ASIDE = b'"failure_store":"used"'
_ODD = b"_"
"""Stands in it, and in no answer where all went to their stream; one byte is found twenty times as fast as several."""

# What a refusal says of the server's state and not of the document: it would be taken once that has been mended.
_STATE_STATUSES = frozenset({401, 403, 404})
_STATE_TYPES = frozenset({"index_closed_exception", "security_exception", "cluster_block_exception"})


@dataclass(frozen=True, slots=True)
class Item:
    """The answer for one document.

    Attributes:
        status: its HTTP status.
        type: of the error, empty where there was none.
        reason: of the error.
        aside: whether it was put into the stream's failure store, for it does not fit the mapping.
    """

    status: int
    type: str = ""
    reason: str = ""
    aside: bool = False

    @property
    def fate(self) -> Fate:
        """What becomes of the document: there, there already, set aside, later, once the server was mended, never."""
        if self.status in {200, 201}:
            return "quarantined" if self.aside else "acknowledged"
        if self.status == 409:
            return "duplicate"
        if self.status == 429 or self.status >= 500:
            return "retry"
        if self.status in _STATE_STATUSES or self.type in _STATE_TYPES:
            return "pause"
        return "dead"

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {' '.join(self.reason.split())[:300]}"


_TAKEN, _THERE = Item(201), Item(409, "version_conflict_engine_exception")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        status: HTTP status; 0 where there was none, or none that can be trusted.
        items: one per document, in their order; empty where status is not 200, and where all are well.
        reason: why not, in one line.
        retry_after: seconds that the server asked to wait, at most LONGEST_RETRY_AFTER.
    """

    status: int
    items: Sequence[Item] = ()
    reason: str = ""
    retry_after: float = 0.0


def read_answer(status: int, data: bytes, retry_after: str | None, count: int) -> Answer:
    """What a server answered to a request with so many documents."""
    if status != 200:
        return Answer(status, reason=f"HTTP {status}: {_why(data)}", retry_after=_seconds(retry_after))
    well = _NO_ERRORS in data[:64]
    if well and len(data) > _SHORTEST * count and not (_ODD in data and _KEPT_ASIDE in data):
        return Answer(status)
    try:
        items = [_item(entry) for entry in orjson.loads(data)["items"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return Answer(0, reason="the answer is no answer of a bulk request")
    if well and not items:
        return Answer(status)
    if len(items) != count:
        return Answer(0, reason=f"the answer speaks of {len(items)} documents instead of {count}")
    return Answer(status, items)


def _seconds(text: str | None) -> float:
    return min(float(text), LONGEST_RETRY_AFTER) if text and text.isascii() and text.isdecimal() else 0.0


def _item(entry: dict[str, dict[str, Any]]) -> Item:
    (result,) = entry.values()
    status = int(result["status"])
    if status == 409:
        return _THERE
    error = result.get("error")
    if isinstance(error, dict):
        return Item(status, str(error.get("type", "")), str(error.get("reason", "")))
    if result.get("failure_store") == "used":
        return Item(status, aside=True)
    return _TAKEN if status == 201 else Item(status)


def _why(data: bytes) -> str:
    try:
        error = orjson.loads(data)["error"]
        text = error if isinstance(error, str) else str(error["reason"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = data[:200].decode(errors="replace")
    return " ".join(text.split())[:300]
