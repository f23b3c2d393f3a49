"""What became of documents whose fate is unknown, after a roll-over.

Elasticsearch looks for an id in the backing index that is written to. A document that arrived in the one before it, and
is sent again because its answer was lost, would be there twice. So the older backing indices are asked first.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from forewarn.base.errors import ConfigError
from logship.elastic.caller import PlainHttp, listed, odd, reason_of
from logship.elastic.product import is_victorialogs
from logship.errors import ControlError
from logship.settings import LogsSettings

_AT_ONCE = 2_000
"""Ids in one request."""

log = logging.getLogger(__name__)


class Probe:
    """Looks for documents by their ids, in real time; may be used from any thread.

    Nothing is remembered between two calls: what was known before a request was sent says nothing about the index that
    it was written to. Between a call and the next request a roll-over would still go unseen: some milliseconds.

    Args:
        settings: addresses and credentials.

    Raises:
        ConfigError: a secret's file cannot be read.
    """

    def __init__(self, settings: LogsSettings) -> None:
        self._knows_ids = not any(map(is_victorialogs, settings.url))
        self._http = PlainHttp(settings)
        self._told = False

    def there(self, stream: str, ids: Sequence[bytes]) -> Collection[bytes]:
        """Those of the ids that an older backing index of a data stream holds; see ``Doubt``.

        Raises:
            ControlError: the server does not answer now, or what it says cannot be understood.
        """
        if not self._knows_ids:
            return ()
        found: set[str] = set()
        wanted = [name.decode() for name in ids]
        for index in self._older(stream):
            for part in _parts([name for name in wanted if name not in found]):
                found.update(self._held(index, part))
        return {name.encode() for name in found}

    def _older(self, stream: str) -> list[str]:
        """The backing indices that are not written to any more, the newest first."""
        answer = self._ask("GET", f"/_resolve/index/{stream}")
        streams = [] if answer is None else listed(answer, "data_streams")
        indices: Any = next((each.get("backing_indices") for each in streams if each.get("name") == stream), [])
        if not isinstance(indices, list) or not all(isinstance(each, str) for each in indices):
            raise odd(f"no backing indices of {stream}")
        older: list[str] = indices[-2::-1]
        return older

    def _held(self, index: str, names: Sequence[str]) -> Iterable[str]:
        path = f"/{index}/_mget?_source=false&filter_path=docs._id,docs.found,docs.error.type"
        answer = self._ask("POST", path, {"ids": names})
        documents = [] if answer is None else listed(answer, "docs")
        if answer is not None and not {each.get("_id") for each in documents} >= {*names}:
            raise odd("not all documents that were asked for are answered")
        errors = [each["error"] for each in documents if isinstance(each.get("error"), dict)]
        faults = {str(error.get("type")) for error in errors} - {"index_not_found_exception"}
        if faults and not self._told:
            self._told = True
            log.warning(
                "an older index cannot be asked for documents that may be there; some may come twice",
                extra={"index": index, "reason": ", ".join(sorted(faults))},
            )
        return (each["_id"] for each in documents if each.get("found"))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer; None where there is nothing of that name, or it may not be asked."""
        status, answer = self._http.call(method, path, body)
        if status in {401, 403}:
            self._renew()
        if status == 403:
            if not self._told:
                self._told = True
                log.warning("documents in older indices may not be looked for: %s", reason_of(status, answer))
            return None
        if status == 404:
            return None
        if status != 200:
            raise ControlError(reason_of(status, answer), status)
        return answer

    def _renew(self) -> None:
        try:
            self._http.renew_credentials()
        except ConfigError as error:
            log.warning("%s", error)


def _parts(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
