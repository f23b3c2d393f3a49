"""The shipper's own set-up: nothing is sent before writing to a name makes a data stream of it.

A bulk request to a name without a template would make a plain index. A template of the server's own that covers the
stream (Elasticsearch ships one for ``logs-*-*``) is left alone; ``forewarn logs setup`` installs ours on purpose.
"""

import importlib.util
from collections.abc import Sequence
from typing import Any

from forewarn.base.errors import ConfigError, MissingExtraError
from logship.elastic import templates
from logship.elastic.caller import authorization
from logship.elastic.product import connect
from logship.elastic.setup import Setup
from logship.errors import ControlError
from logship.settings import LogsSettings


class Control:
    """Sees to it that the server is ready.

    Args:
        settings: addresses and credentials.

    Raises:
        MissingExtraError: the official client is not installed.
        ConfigError: a secret's file cannot be read.
    """

    def __init__(self, settings: LogsSettings) -> None:
        if importlib.util.find_spec("elasticsearch") is None:
            raise MissingExtraError("log shipping", "logs")
        authorization(settings)  # raises what would otherwise come up too late to be told
        self._settings = settings

    def prepare(self, streams: Sequence[str]) -> None:
        """See to it that writing to these names makes data streams.

        Raises:
            ControlError: the server does not answer or refuses.
        """
        try:
            product, caller = connect(self._settings)
        except ConfigError as error:  # a secret's file that is being replaced, say
            raise ControlError(error.message, 401, hint=error.hint) from error
        try:
            if product.name == "VictoriaLogs":
                return
            setup = Setup(self._settings, product, caller)
            there = setup.templates()
            uncovered = [stream for stream in streams if not _is_covered(stream, there)]
            if uncovered:
                setup.install(setup.plan(uncovered))
        finally:
            caller.close()


def _is_covered(stream: str, there: Sequence[dict[str, Any]]) -> bool:
    """Whether the template that wins for a name makes a data stream of it, and is not an older one of ours."""
    winner = templates.winner(stream, there)
    if winner is None or "data_stream" not in winner["index_template"]:
        return False
    ours = winner["name"] == templates.template_name(templates.dataset_of(stream))
    return not ours or winner["index_template"].get("version", 0) >= templates.VERSION
