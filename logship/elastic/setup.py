"""Setting a server up: finding out what it offers, and installing our templates."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from logship.elastic import templates
from logship.elastic.caller import Caller, listed, odd, reason_of
from logship.elastic.product import Product
from logship.elastic.templates import Offers
from logship.errors import ControlError
from logship.settings import LogsSettings

_SIMULATE = "/_index_template/_simulate"
_OPTIONAL_TYPES = sorted({*templates.FALLBACKS, "flat_object"} - {"text", "keyword"})

log = logging.getLogger(__name__)


class Request(NamedTuple):
    """A call that is to be made."""

    method: str
    path: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do.

    Attributes:
        requests: in their order.
        streams: those of the data streams that are there already.
        notes: what somebody should know.
    """

    requests: Sequence[Request] = ()
    streams: Sequence[str] = ()
    notes: Sequence[str] = ()


class Setup:
    """Sets one server up.

    Args:
        settings: retention and mode.
        product: what it is.
        caller: the way to call it.
    """

    def __init__(self, settings: LogsSettings, product: Product, caller: Caller) -> None:
        self._settings = settings
        self._product = product
        self._caller = caller

    def templates(self) -> list[dict[str, Any]]:
        """All index templates of the server.

        Raises:
            ControlError: it does not answer or refuses.
        """
        found = listed(self._call("GET", "/_index_template"), "index_templates")
        if not all(map(templates.is_whole, found)):
            raise odd("an index template without its patterns")
        return found

    def plan(self, streams: Sequence[str]) -> Plan:
        """What is to be done so that these data streams are made of our templates.

        Raises:
            ControlError: the server does not answer or refuses.
        """
        if self._product.name == "VictoriaLogs":
            return Plan(notes=["VictoriaLogs needs no templates, and keeps logs as long as its -retentionPeriod says"])
        offers = self.offers()
        components = {
            templates.MAPPINGS: templates.mappings(offers),
            templates.SETTINGS: templates.index_settings(self._settings, offers),
        }
        indices = {
            templates.template_name(dataset): templates.index_template(
                dataset, offers, custom=self._has_custom(dataset)
            )
            for dataset in sorted({templates.dataset_of(stream) for stream in streams})
        }
        return Plan(
            [
                *(Request("PUT", f"/_component_template/{name}", body) for name, body in components.items()),
                *(Request("PUT", f"/_index_template/{name}", body) for name, body in indices.items()),
            ],
            self._existing(streams),
            [*self._missing(offers), *self._outranked(streams)],
        )

    def install(self, plan: Plan) -> None:
        """Do it.

        Raises:
            ControlError: the server does not answer or refuses.
        """
        for method, path, body in plan.requests:
            self._change(method, path, body)
        if plan.requests:
            log.info("installed index templates", extra={"paths": [path for _, path, _ in plan.requests]})

    def roll_over(self, streams: Sequence[str]) -> None:
        """Begin a new backing index of each, which is made of the templates as they are now.

        Raises:
            ControlError: the server does not answer or refuses.
        """
        for stream in streams:
            self._change("POST", f"/{stream}/_rollover")

    def offers(self) -> Offers:
        """What the server has besides what all have, found out by templates that it only simulates.

        Raises:
            ControlError: it does not answer or refuses.
        """
        chosen = {**templates.OPTIONAL_SETTINGS, "index.mode": "logsdb"}
        types = {kind: {"mappings": {"properties": {"field": {"type": kind}}}} for kind in _OPTIONAL_TYPES}
        return Offers(
            types=frozenset(kind for kind, template in types.items() if self._takes(template)),
            settings=frozenset(name for name, value in chosen.items() if self._takes({"settings": {name: value}})),
            lifecycle=self._takes({"lifecycle": {"data_retention": "1d"}}),
            optional_components=self._takes({}, ignore_missing_component_templates=["forewarn-logs@none"]),
        )

    def _takes(self, template: dict[str, Any], **more: Any) -> bool:
        body = {"index_patterns": ["forewarn-probe-*"], "data_stream": {}, "priority": 1_000_000, "template": template}
        status, answer = self._caller.call("POST", _SIMULATE, body | more)
        if status not in {200, 400}:
            raise _refused(status, answer)
        return status == 200

    def _has_custom(self, dataset: str) -> bool:
        return self._caller.call("GET", f"/_component_template/{templates.custom_name(dataset)}")[0] == 200

    def _existing(self, streams: Sequence[str]) -> list[str]:
        found = self._call("GET", f"/_resolve/index/{','.join(f'{stream}*' for stream in streams)}")
        there = {each.get("name") for each in listed(found, "data_streams")}
        return [stream for stream in streams if stream in there]

    def _missing(self, offers: Offers) -> list[str]:
        notes = []
        if not offers.lifecycle and self._settings.retention:
            what = "delete old backing indices by a policy of its own (ISM)" if self._is_opensearch else "use ILM"
            notes.append(f"{self._product} has no data-stream lifecycle: nothing is deleted by age; {what}")
        if self._settings.index_mode == "logsdb" and "index.mode" not in offers.settings:
            notes.append(f"{self._product} has no logsdb: documents are stored as usual")
        return notes

    @property
    def _is_opensearch(self) -> bool:
        return self._product.name == "OpenSearch"

    def _outranked(self, streams: Sequence[str]) -> list[str]:
        others = [each for each in self.templates() if not each["name"].startswith("forewarn-logs-")]
        notes = []
        for stream in streams:
            other = templates.winner(stream, others)
            if other is not None and other["index_template"].get("priority", 0) > templates.PRIORITY:
                notes.append(f"the template {other['name']} stands above ours and holds for {stream}")
        return notes

    def _change(self, method: str, path: str, body: Any = None) -> None:
        answer = self._call(method, path, body)
        if not isinstance(answer, dict) or answer.get("acknowledged") is not True:
            raise odd(f"{method} {path} is not acknowledged")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self._caller.call(method, path, body)
        if not 200 <= status < 300:
            raise _refused(status, answer)
        return answer


def _refused(status: int, answer: Any) -> ControlError:
    hint = "see 'forewarn logs setup --print-role' for the rights that it takes" if status in {401, 403} else None
    return ControlError(f"the server cannot be set up: {reason_of(status, answer)}", status, hint=hint)
