"""Lines that are JSON objects: kept as fields, their message, level and time where documents have them."""

import json
import re
from collections.abc import Iterable
from datetime import tzinfo
from typing import Any, NamedTuple

import orjson

from logship.engine.times import Start
from logship.patterns.jsonlines import MESSAGE_KEYS
from logship.shaping.moments import Moments
from logship.stamps import LEVEL_NAMES

LEVEL_KEYS = ("level", "severity", "levelname", "lvl", "log.level")
TIME_KEYS = ("@timestamp", "time", "ts", "timestamp", "asctime")
DEEPEST = 20
"""Objects within each other that a ``flattened`` field takes; a deeper line is text."""
_NUMBERED = {10: b"trace", 20: b"debug", 30: b"info", 40: b"warning", 50: b"error", 60: b"critical"}
"""Levels of bunyan and pino."""
_MORE_NAMES = {
    "CRIT": b"critical",
    "SEVERE": b"error",
    "INFORMATION": b"info",
    "VERBOSE": b"debug",
    "DPANIC": b"critical",
}
_NAMES = {**{name: level.encode() for name, level in LEVEL_NAMES.items()}, **_MORE_NAMES}
_MOST_LEVELS = 256
_LONG_NUMBER = re.compile(rb"\d{300}")
_MOST_DIGITS = 300
_BLANKS = bytes.maketrans(b"\r\n", b"  ")
_SPACED = (b" :", b"\t:", b"\r:", b"\n:")
_ECS = ("ecs.version", "ecs", "log.level", "log", "message")
_SETS = (
    "agent",
    "client",
    "cloud",
    "container",
    "data_stream",
    "destination",
    "device",
    "dns",
    "ecs",
    "error",
    "event",
    "faas",
    "file",
    "group",
    "host",
    "http",
    "labels",
    "log",
    "network",
    "observer",
    "orchestrator",
    "organization",
    "package",
    "process",
    "registry",
    "related",
    "rule",
    "server",
    "service",
    "source",
    "span",
    "threat",
    "tls",
    "trace",
    "transaction",
    "url",
    "user",
    "user_agent",
    "volume",
    "vulnerability",
)
"""Field sets of the Elastic Common Schema: objects, each of them. https://www.elastic.co/docs/reference/ecs"""


class Found(NamedTuple):
    """What a line says.

    Attributes:
        fields: its fields.
        raw: the object as it stands.
        message: as JSON without quotes; None where it has none.
        level: its level, as documents name it.
        stamp: its time, RFC 3339 in UTC.
    """

    fields: dict[str, Any]
    raw: bytes
    message: bytes | None
    level: bytes | None
    stamp: bytes | None

    @property
    def is_ecs(self) -> bool:
        """Whether the fields are those of the Elastic Common Schema already."""
        fields = self.fields
        if "@timestamp" not in fields or not any(key in fields for key in _ECS):
            return False
        return all(isinstance(fields[name], dict) for name in _SETS if name in fields)


class Objects:
    """Reads the JSON objects of one source.

    Args:
        zone: of times that name none; None means the machine's.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._moments = Moments(zone)
        self._levels: dict[str, bytes | None] = {}

    def read(self, text: bytes, start: Start) -> Found | None:
        """What an object says; None where Elasticsearch would not take the text as one.

        Args:
            text: the line.
            start: what is known of times before it.
        """
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if fields.__class__ is not dict or not _is_plain(text, fields):
            return None
        message = next((said for key in MESSAGE_KEYS if (said := fields.get(key)).__class__ is str), None)
        stamp = None
        for key in TIME_KEYS:
            if key in fields:
                stamp = self._moments.read(fields[key], start)
                if stamp is not None:
                    break
        return Found(
            fields,
            text.translate(_BLANKS) if b"\n" in text or b"\r" in text else text,
            None if message is None else orjson.dumps(message)[1:-1],
            self._level(fields),
            stamp,
        )

    def _level(self, fields: dict[str, Any]) -> bytes | None:
        for key in LEVEL_KEYS:
            named = fields.get(key)
            if named is None:
                continue
            if named.__class__ is int:
                return _NUMBERED.get(named)
            if named.__class__ is not str:
                continue
            if named not in self._levels:
                if len(self._levels) >= _MOST_LEVELS:
                    self._levels.clear()
                self._levels[named] = _NAMES.get(named.upper())
            return self._levels[named]
        return None


def _is_plain(text: bytes, fields: dict[str, Any]) -> bool:
    """Whether no key is there twice, nothing is nested too deep, no key holds a NUL and no number is endless."""
    keys = _keys(fields, DEEPEST)
    if keys < 0 or b"\\u0000" in text or (len(text) > _MOST_DIGITS and _LONG_NUMBER.search(text)):
        return False
    if text.count(b'":') == keys and not any(map(text.__contains__, _SPACED)):
        return True
    try:
        json.loads(text, object_pairs_hook=_once)
    except _TwiceError:
        return False
    return True


def _keys(value: dict[str, Any] | list[Any], deepest: int) -> int:
    """How many keys there are; -1 where something is nested too deep."""
    if deepest == 0:
        return -1
    values: Iterable[Any] = value
    count = 0
    if isinstance(value, dict):
        values, count = value.values(), len(value)
    for one in values:
        if one.__class__ is dict or one.__class__ is list:
            inner = _keys(one, deepest - 1)
            if inner < 0:
                return -1
            count += inner
    return count


class _TwiceError(ValueError):
    """A key stands twice in an object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError
    return found
