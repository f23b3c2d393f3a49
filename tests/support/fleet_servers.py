"""Real servers that are filled by remote write, with samples of weeks ago too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import urllib3
from cramjam import snappy

from collector.remote_write.wire import encode, encode_labels
from collector.store.bulk import Block
from tests.support.history_servers import Recorded
from tests.support.receivers import Prometheus, Receiver, VictoriaMetrics, started

STALE = np.array([0x7FF0000000000002], np.uint64).view(np.float64)[0]
"""Prometheus' mark that a series has ended."""


class LatePrometheus(Prometheus):
    """It takes what is a quarter old."""

    config = "global: {}\nstorage: {tsdb: {out_of_order_time_window: 90d}}\n"


SERVERS = {"prometheus": LatePrometheus, "victoria-metrics": VictoriaMetrics}
BOTH = [
    pytest.param("prometheus", marks=pytest.mark.prometheus),
    pytest.param("victoria-metrics", marks=pytest.mark.victoriametrics),
]


def record(server: Receiver, recorded: Recorded, together: int = 100) -> None:
    """Send a server what it is to hold."""
    keys = sorted(recorded)
    for begin in range(0, len(keys), together):
        some = keys[begin : begin + together]
        heads = [encode_labels(key.name, key.labels) for key in some]
        blocks = [
            Block(np.array([place]), recorded[key][0], recorded[key][1][None, :]) for place, key in enumerate(some)
        ]
        body = bytes(snappy.compress_raw(encode(blocks, heads.__getitem__)))
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        answer = urllib3.request("POST", server.url, body=body, headers=headers, timeout=60, retries=False)
        assert answer.status in {200, 204}, answer.data
    if isinstance(server, VictoriaMetrics):
        urllib3.request("GET", f"{server.base}/internal/force_flush", timeout=60)


@contextmanager
def fleet_server(kind: str, folder: Path, recorded: Recorded) -> Iterator[Receiver]:
    """A running server that holds this."""
    with started(SERVERS[kind], folder / kind) as server:
        record(server, recorded)
        yield server
