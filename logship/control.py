"""Control calls to Elasticsearch through its official client: the index template behind our data streams.

A bulk request to a name without a template would make a plain index, so nothing is sent before this has been seen to.
A template of the server's own that covers the stream (Elasticsearch ships one for ``logs-*-*``) is left alone.
"""

import fnmatch
import logging
from collections.abc import Sequence
from typing import Any

from forewarn.base.errors import MissingExtraError
from forewarn.base.types import read_secret
from logship.errors import ControlError
from logship.settings import LogsSettings

TEMPLATE = "forewarn-logs"
TEMPLATE_VERSION = 1
_PRIORITY = 150

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_MAPPINGS = {
    "dynamic_templates": [{"labels": {"path_match": "labels.*", "mapping": _KEYWORD}}],
    "properties": {
        "@timestamp": {"type": "date"},
        "message": {"type": "text"},
        "log": {
            "properties": {
                "level": _KEYWORD,
                "offset": {"type": "long"},
                "flags": _KEYWORD,
                "file": {"properties": {"path": _KEYWORD}},
            }
        },
        "host": {"properties": {"name": _KEYWORD}},
        "event": {"properties": {"dataset": _KEYWORD}},
        "data_stream": {"properties": {"type": _KEYWORD, "dataset": _KEYWORD, "namespace": _KEYWORD}},
        "ecs": {"properties": {"version": _KEYWORD}},
    },
}

log = logging.getLogger(__name__)


class Control:
    """The official client, as far as it is needed.

    Args:
        settings: addresses and credentials.

    Raises:
        MissingExtraError: the client is not installed.
        ConfigError: a secret's file cannot be read.
    """

    def __init__(self, settings: LogsSettings) -> None:
        try:
            import elasticsearch  # noqa: PLC0415  an extra, and 40 MB of it
        except ImportError as error:
            raise MissingExtraError("log shipping", "logs") from error
        self._errors = (elasticsearch.ApiError, elasticsearch.TransportError)
        self._client = elasticsearch.Elasticsearch(list(settings.url), **_options(settings))

    def prepare(self, streams: Sequence[str]) -> None:
        """See to it that writing to these names makes data streams.

        Raises:
            ControlError: the server does not answer or refuses.
        """
        try:
            templates = self._client.indices.get_index_template()["index_templates"]
            uncovered = [stream for stream in streams if not _is_covered(stream, templates)]
            if uncovered:
                ours: dict[str, Any] = next((t["index_template"] for t in templates if t["name"] == TEMPLATE), {})
                self._install(sorted({*uncovered, *ours.get("index_patterns", [])}))
        except self._errors as error:
            status = getattr(error, "status_code", 0)
            raise ControlError(
                f"Elasticsearch cannot be set up: {' '.join(str(error).split())[:300]}",
                status if isinstance(status, int) else 0,
            ) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _install(self, patterns: list[str]) -> None:
        self._client.indices.put_index_template(
            name=TEMPLATE,
            index_patterns=patterns,
            data_stream={},
            priority=_PRIORITY,
            template={"mappings": _MAPPINGS},
            version=TEMPLATE_VERSION,
            meta={"managed_by": "forewarn"},
        )
        log.info("installed an index template", extra={"template": TEMPLATE, "index_patterns": patterns})


def _is_covered(stream: str, templates: Sequence[dict[str, Any]]) -> bool:
    """Whether the template that wins for a name makes a data stream of it, and is not an older one of ours."""
    matching = [
        template
        for template in templates
        if any(fnmatch.fnmatchcase(stream, pattern) for pattern in template["index_template"]["index_patterns"])
    ]
    if not matching:
        return False
    winner = max(matching, key=lambda template: template["index_template"].get("priority", 0))
    if winner["name"] == TEMPLATE and winner["index_template"].get("version", 0) < TEMPLATE_VERSION:
        return False
    return "data_stream" in winner["index_template"]


def _options(settings: LogsSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"request_timeout": settings.request_timeout, "max_retries": 0}
    if any(url.startswith("https://") for url in settings.url):
        options["verify_certs"] = settings.verify
        options["ssl_show_warn"] = False
        if settings.ca_file is not None:
            options["ca_certs"] = str(settings.ca_file)
    if settings.api_key_file is not None:
        options["api_key"] = read_secret(settings.api_key_file).get_secret_value()
    elif settings.username is not None and settings.password_file is not None:
        options["basic_auth"] = (settings.username, read_secret(settings.password_file).get_secret_value())
    return options
