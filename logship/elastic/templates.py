"""The templates behind our data streams, as JSON: fields of the Elastic Common Schema, settings, retention.

A data stream's documents are mapped by ``forewarn-logs-<dataset>``, which puts together ``forewarn-logs@mappings``,
``forewarn-logs@settings`` and, where somebody has made it, ``logs-<dataset>@custom``, which has the last word.
Fields: https://www.elastic.co/docs/reference/ecs; ``log.template`` and ``json`` are ours.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logship.settings import LogsSettings

VERSION = 2
PRIORITY = 150
"""Above Elasticsearch's own ``logs`` (100), below what its integrations install (200)."""
MAPPINGS, SETTINGS = "forewarn-logs@mappings", "forewarn-logs@settings"
FALLBACKS = {"match_only_text": "text", "constant_keyword": "keyword", "flattened": "flat_object"}
"""Field types that not every server has, and what stands in for them."""
OPTIONAL_SETTINGS: dict[str, Any] = {
    "index.codec": "best_compression",
    "index.mapping.ignore_malformed": True,
    "index.mapping.total_fields.ignore_dynamic_beyond_limit": True,
    "index.auto_expand_replicas": "0-1",
}
_DAY = 86_400
_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_TEXT = {"type": "match_only_text"}
_FIELDS: dict[str, Any] = {
    "@timestamp": {"type": "date"},
    "message": _TEXT,
    "log.level": _KEYWORD,
    "log.logger": _KEYWORD,
    "log.flags": _KEYWORD,
    "log.offset": {"type": "long"},
    "log.template": {"type": "long"},
    "log.file.path": _KEYWORD,
    "error.type": _KEYWORD,
    "error.code": _KEYWORD,
    "error.message": _TEXT,
    "error.stack_trace": _TEXT,
    "host.name": _KEYWORD,
    "service.name": _KEYWORD,
    "process.name": _KEYWORD,
    "process.pid": {"type": "long"},
    "process.thread.id": {"type": "long"},
    "event.dataset": _KEYWORD,
    "event.created": {"type": "date"},
    "trace.id": _KEYWORD,
    "span.id": _KEYWORD,
    "json": {"type": "flattened", "ignore_above": 1024, "depth_limit": 100},
    "ecs.version": _KEYWORD,
}
_DYNAMIC = [
    {"labels": {"path_match": "labels.*", "mapping": _KEYWORD}},
    {"strings": {"match_mapping_type": "string", "mapping": _KEYWORD}},
]


@dataclass(frozen=True, slots=True)
class Offers:
    """What a server has besides what all have.

    Attributes:
        types: field types, of those with a fallback and the fallbacks.
        settings: names of index settings.
        lifecycle: data streams that delete what is too old by themselves.
        optional_components: templates may name components that are not there.
    """

    types: frozenset[str]
    settings: frozenset[str]
    lifecycle: bool
    optional_components: bool


def template_name(dataset: str) -> str:
    """The name of a data set's index template."""
    return f"forewarn-logs-{dataset}"


def custom_name(dataset: str) -> str:
    """The name of the component template that is its users' own."""
    return f"logs-{dataset}@custom"


def dataset_of(stream: str) -> str:
    """The data set of ``logs-<dataset>-<namespace>``."""
    return stream.split("-")[1]


def mappings(offers: Offers) -> dict[str, Any]:
    """The component template of fields."""
    properties: dict[str, Any] = {}
    for path, field in _FIELDS.items():
        *parents, name = path.split(".")
        place = properties
        for parent in parents:
            place = place.setdefault(parent, {"properties": {}})["properties"]
        place[name] = _offered(field, offers)
    body = {"date_detection": False, "dynamic_templates": _DYNAMIC, "properties": properties}
    return _marked({"template": {"mappings": body}})


def index_settings(settings: LogsSettings, offers: Offers) -> dict[str, Any]:
    """The component template of settings and retention."""
    chosen = {name: value for name, value in OPTIONAL_SETTINGS.items() if name in offers.settings}
    if settings.index_mode == "logsdb" and "index.mode" in offers.settings:
        chosen["index.mode"] = "logsdb"
    template: dict[str, Any] = {"settings": chosen}
    if offers.lifecycle:
        template["lifecycle"] = {"data_retention": retention(settings.retention)} if settings.retention else {}
    return _marked({"template": template})


def index_template(dataset: str, offers: Offers, *, custom: bool) -> dict[str, Any]:
    """The index template of a data set; ``custom`` says whether somebody has made its own component."""
    fields = {
        "type": _offered({"type": "constant_keyword", "value": "logs"}, offers),
        "dataset": _offered({"type": "constant_keyword", "value": dataset}, offers),
        "namespace": _offered({"type": "constant_keyword"}, offers),
    }
    own = custom_name(dataset)
    body = {
        "index_patterns": [f"logs-{dataset}-*"],
        "data_stream": {},
        "priority": PRIORITY,
        "composed_of": [MAPPINGS, SETTINGS, *([own] if custom or offers.optional_components else [])],
        "template": {"mappings": {"properties": {"data_stream": {"properties": fields}}}},
    }
    if offers.optional_components:
        body["ignore_missing_component_templates"] = [own]
    return _marked(body)


def retention(seconds: float) -> str:
    """A retention as Elasticsearch writes it, in whole hours, or whole days."""
    return f"{seconds / _DAY:.0f}d" if seconds % _DAY == 0 else f"{max(1, round(seconds / 3600))}h"


def winner(stream: str, templates: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The template that holds for a name, of those that ``GET /_index_template`` lists."""
    matching = [
        template
        for template in templates
        if any(fnmatch.fnmatchcase(stream, pattern) for pattern in _patterns(template["index_template"]))
    ]
    return max(matching, key=lambda template: template["index_template"].get("priority", 0), default=None)


def is_whole(template: dict[str, Any]) -> bool:
    """Whether a template that was listed says what it holds for, and how high it stands."""
    held = template.get("index_template")
    if not isinstance(template.get("name"), str) or not isinstance(held, dict):
        return False
    patterns = held.get("index_patterns")
    named = [patterns] if isinstance(patterns, str) else patterns
    texts = isinstance(named, list) and all(isinstance(each, str) for each in named)
    return texts and all(isinstance(held.get(name, 0), int) for name in ("priority", "version"))


def _patterns(template: dict[str, Any]) -> list[str]:
    patterns = template["index_patterns"]
    return [patterns] if isinstance(patterns, str) else patterns


def _offered(field: dict[str, Any], offers: Offers) -> dict[str, Any]:
    kind = field["type"]
    if kind not in FALLBACKS or kind in offers.types:
        return field
    if FALLBACKS[kind] == "keyword":
        return _KEYWORD
    if kind == "flattened" and FALLBACKS[kind] not in offers.types:
        return {"type": "object", "enabled": False}  # kept, and not to be searched
    return {"type": FALLBACKS[kind]}


def _marked(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "version": VERSION, "_meta": {"managed_by": "forewarn"}}
