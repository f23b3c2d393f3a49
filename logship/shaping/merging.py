"""Objects that follow the Elastic Common Schema already: merged into the document as they are."""

from collections.abc import Mapping
from typing import Any

import orjson

from logship.shaping.objects import Found

_OURS = ("data_stream", "event.dataset", "host.name", "log.file", "log.offset", "log.template", "ecs.version")
"""Fields of which the shipper's value stands, for search and rotation rest on them."""


_VALUES = (
    "message",
    "log.level",
    "log.logger",
    "error.type",
    "error.code",
    "error.message",
    "error.stack_trace",
    "host.name",
    "service.name",
    "process.name",
    "trace.id",
    "span.id",
)
"""Fields that are mapped as values: an object in the place of one would cost the document."""


def merged(found: Found, stamp: bytes, own: Mapping[str, Any], rest: Mapping[str, Any]) -> bytes | None:
    """The document of such an object; None where a field is not of the kind that it is in the schema.

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
    if any(_is_object(document, path) for path in _VALUES) or not _is_object(document, "process.thread", missing=True):
        return None
    for key, value in {**rest, "log": log}.items():
        _fill(document, key, value, key)
    return orjson.dumps(document)


def _is_object(document: Any, path: str, *, missing: bool = False) -> bool:
    """Whether an object stands at a path, or in a list there."""
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return missing
        document = document[name]
    return isinstance(document, dict) or (isinstance(document, list) and any(isinstance(one, dict) for one in document))


def _put(into: dict[str, Any], key: str, value: Any) -> None:
    """Add a field, a dotted one in its objects, unless an object's place is taken by a value."""
    head, dot, rest = key.partition(".")
    there = into.get(head)
    if dot and head and rest and (there is None or isinstance(there, dict)):
        inner = into.setdefault(head, {})
        _put(inner, rest, value)
    elif isinstance(value, dict) and (there is None or isinstance(there, dict)):
        inner = into.setdefault(key, {})
        for one, deeper in value.items():
            _put(inner, one, deeper)
    elif key not in into:
        into[key] = value


def _fill(into: dict[str, Any], key: str, value: Any, path: str) -> None:
    """Add a field of the shipper's, which stands where it is one of its own."""
    there = into.get(key)
    if isinstance(value, dict) and (there is None or isinstance(there, dict)) and path not in _OURS:
        inner = into.setdefault(key, {})
        for one, deeper in value.items():
            _fill(inner, one, deeper, f"{path}.{one}")
    elif there is None or path in _OURS or path == "log.level" or isinstance(value, dict):
        into[key] = value
