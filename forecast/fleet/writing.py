"""Forecasts written back to a server: the gauges that a node's own /metrics shows, with the labels of their source.

``instance``, ``job`` and ``hostname`` of a source are labels of its forecasts, as they are of what a server scrapes
from a node; ``target`` is the series without them, as the node itself knows it. So the same panels, joins and rules
serve. The source's other labels are there too; where one is called as a label of ours, it is ``exported_`` then.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from collector.remote_write.post import Answer, Post
from collector.remote_write.settings import RemoteWriteSettings
from collector.remote_write.wire import encode, encode_labels
from collector.series import Labels, Sample, SeriesKey, labels_of
from collector.store.bulk import Block
from forecast.metrics import samples
from forecast.results import Forecast
from forewarn.base.clock import Clock, SystemClock
from forewarn.base.errors import ForewarnError

IDENTITY = ("hostname", "instance", "job")
TRIES = 5
_MAY_PASS = frozenset({"408", "425", "429"})
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0


class WriteError(ForewarnError):
    """The receiver does not take the forecasts."""


def fleet_samples(forecasts: Iterable[Forecast], now_ms: int) -> Iterator[Sample]:
    """The metrics of forecasts of many nodes, those of a node's own kind (when it was last forecast) among them."""
    nodes: dict[Labels, list[Forecast]] = {}
    for forecast in forecasts:
        nodes.setdefault(_split(forecast.target)[0], []).append(forecast)
    for node, theirs in nodes.items():
        yield from _of_node(node, theirs, now_ms)


def _of_node(node: Labels, forecasts: Sequence[Forecast], now_ms: int) -> Iterator[Sample]:
    own = [replace(forecast, target=_split(forecast.target)[1]) for forecast in forecasts]
    labels = {str(forecast.target): forecast.target.labels for forecast in own}
    for sample in samples(own, now_ms):
        yield replace(sample, key=_labelled(sample.key, (*node, *labels.get(sample.key.label("target"), ()))))


def _split(key: SeriesKey) -> tuple[Labels, SeriesKey]:
    """Whose a series is, and the series without that."""
    node = tuple(pair for pair in key.labels if pair[0] in IDENTITY)
    return node, SeriesKey(key.name, tuple(pair for pair in key.labels if pair[0] not in IDENTITY))


def _labelled(key: SeriesKey, more: Labels) -> SeriesKey:
    own = dict(key.labels)
    theirs = {f"exported_{name}" if name in own else name: value for name, value in more}
    return SeriesKey(key.name, labels_of(theirs | own))


class Writer:
    """Writes samples to one receiver of remote write.

    Args:
        settings: the receiver.
        clock: for the age of answers.
        sleep: waits between two tries.
    """

    def __init__(
        self,
        settings: RemoteWriteSettings,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._post = Post(settings, clock or SystemClock())
        self._sleep = sleep

    def write(self, found: Iterable[Sample], now_ms: int) -> int:
        """Write samples with one time; how many they were.

        Raises:
            WriteError: the receiver refuses them, or is away.
        """
        count, rest = 0, iter(found)
        while some := list(islice(rest, self._settings.batch_samples)):
            self._send(_body(some, now_ms, labels_of(self._settings.labels)))
            count += len(some)
        return count

    def close(self) -> None:
        """Close the connection."""
        self._post.close()

    def _send(self, body: bytes) -> None:
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(TRIES):
            answer = self._post.send(body)
            if answer.verdict == "delivered":
                return
            lasting = answer.code.startswith("4") and answer.code not in _MAY_PASS
            if answer.verdict != "retry" or lasting or attempt == TRIES - 1:
                break
            self._sleep(min(max(pause, answer.retry_after or 0.0), _LONGEST_PAUSE_SECONDS))
            pause *= 2
        raise self._refused(answer)

    def _refused(self, answer: Answer) -> WriteError:
        hints = {
            "401": "a [[remote_write]] table names a file with the secret; --write-to takes the table's name",
            "403": "may that user write?",
            "404": "Prometheus takes samples after --web.enable-remote-write-receiver, at /api/v1/write",
        }
        detail = f": {answer.detail}" if answer.detail else ""
        return WriteError(
            f"{self._settings.url} takes no forecasts ({answer.code}){detail}", hint=hints.get(answer.code)
        )


def _body(some: Sequence[Sample], now_ms: int, added: Labels) -> bytes:
    from cramjam import snappy  # noqa: PLC0415  only who writes needs it

    keys = [sample.key for sample in some]
    heads = [encode_labels(key.name, labels_of({**dict(added), **dict(key.labels)})) for key in keys]
    values = np.array([[sample.value] for sample in some])
    block = Block(np.arange(len(some), dtype=np.int64), np.array([now_ms], np.int64), values)
    return bytes(snappy.compress_raw(encode([block], heads.__getitem__)))
