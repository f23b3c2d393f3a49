"""Objects that follow the Elastic Common Schema already: merged into the document as they are."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from logship.elastic.templates import FALLBACKS, Offers, mappings
from logship.shaping.objects import Found

_OURS = ("data_stream", "event.dataset", "host.name", "log.file", "log.offset", "log.template", "ecs.version")
"""Fields of which the shipper's value stands, for search and rotation rest on them."""
_DEEPEST = 20
"""Names of a path that Elasticsearch takes, unless it is told otherwise."""
_OTHERS = "*"
_Kinds = dict[str, Any]
"""What the mapping has by name: a value (None), or an object with names of its own; ``*`` is any other name."""
_ANYTHING: _Kinds = {}


def _kinds(properties: Mapping[str, Any]) -> _Kinds:
    return {name: _kinds(field["properties"]) if "properties" in field else None for name, field in properties.items()}


_OFFERED = Offers(frozenset(FALLBACKS), frozenset(), lifecycle=True, optional_components=True)
_MAPPED: _Kinds = {
    **_kinds(mappings(_OFFERED)["template"]["mappings"]["properties"]),
    "json": {_OTHERS: _ANYTHING},
    "labels": {_OTHERS: None},
    "tags": None,
}


def merged(found: Found, stamp: bytes, own: Mapping[str, Any], rest: Mapping[str, Any]) -> bytes | None:
    """The document of such an object; None where Elasticsearch would refuse it for a name or the kind of a field.

    Args:
        found: the object.
        stamp: its time.
        own: path, offset and template of its line.
        rest: fields that every document of the source has.
    """
    log: dict[str, Any] = {"file": {"path": own["path"]}, "offset": own["offset"]}
    if found.level is not None:
        log["level"] = found.level.decode()
    if own["template"] >= 0:
        log["template"] = own["template"]
    document: dict[str, Any] = {"@timestamp": stamp.decode()}
    for key, value in found.fields.items():
        if key != "@timestamp" and not (found.level is not None and key == "log.level"):
            _put(document, key, value)
    if any(key.startswith("_") for key in document) or not _fits(document, _MAPPED, 1):
        return None
    for key, value in {**rest, "log": log}.items():
        _fill(document, key, value, key)
    return orjson.dumps(document)


def _fits(document: dict[str, Any], kinds: _Kinds, depth: int) -> bool:
    """Whether names say something, none is a path that met a value, and objects stand where the mapping has them."""
    for name, value in document.items():
        if not name or name.isspace() or "." in name:
            return False
        kind = kinds[name] if name in kinds else kinds.get(_OTHERS, _ANYTHING)
        if value.__class__ is dict or value.__class__ is list:
            if not _fits_within(value, kind, depth):
                return False
        elif kind and value is not None:
            return False
    return True


def _fits_within(value: Any, kind: _Kinds | None, depth: int) -> bool:
    if isinstance(value, dict):
        return kind is not None and depth < _DEEPEST and _fits(value, kind, depth + 1)
    if isinstance(value, list):
        return len({isinstance(one, dict) for one in _leaves(value)}) < 2 and all(
            _fits_within(one, kind, depth) for one in value
        )
    return not kind or value is None


def _leaves(values: list[Any]) -> Iterator[Any]:
    """What a list holds, and those in it, without nulls."""
    for one in values:
        if isinstance(one, list):
            yield from _leaves(one)
        elif one is not None:
            yield one


def _put(into: dict[str, Any], key: str, value: Any) -> None:
    """Add a field, a dotted one in its objects, unless an object's place is taken by a value."""
    head, dot, rest = key.partition(".")
    there = into.get(head)
    if dot and head and rest and (there is None or isinstance(there, dict)):
        inner = _object_at(into, head)
        _put(inner, rest, value)
    elif isinstance(value, dict) and (there is None or isinstance(there, dict)):
        inner = _object_at(into, key)
        for one, deeper in value.items():
            _put(inner, one, deeper)
    elif key not in into:
        into[key] = value


def _object_at(into: dict[str, Any], key: str) -> dict[str, Any]:
    """The object behind a key, a new one where there is none, or null."""
    if into.get(key) is None:
        into[key] = {}
    found: dict[str, Any] = into[key]
    return found


def _fill(into: dict[str, Any], key: str, value: Any, path: str) -> None:
    """Add a field of the shipper's, which stands where it is one of its own."""
    there = into.get(key)
    if isinstance(value, dict) and (there is None or isinstance(there, dict)) and path not in _OURS:
        inner = _object_at(into, key)
        for one, deeper in value.items():
            _fill(inner, one, deeper, f"{path}.{one}")
    elif there is None or path in _OURS or path == "log.level" or isinstance(value, dict):
        into[key] = value
