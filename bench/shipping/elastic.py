"""Into a real Elasticsearch on the same cores: what share of them the shipper takes, and whether it is the limit."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
import urllib3

from bench.peers.servers import PeerError
from bench.shipping.shippers import forewarn
from bench.shipping.workload import Block, write
from logship.engine.compress import packed
from tests.support.elasticsearch import CannotBeHadError, LocalServer

_STREAM = "logs-bench-default"
_WARM, _LIMIT = 200_000, 400_000
_EACH = 8_000
_THREADS = 4
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Indexed:
    """What came of it.

    Attributes:
        lines: shipped.
        per_second: documents a second by Forewarn, from the tenth part of the lines on: its start is left out.
        limit_per_second: by a sender that does nothing but send bodies made beforehand.
        share_percent: Forewarn's part of the processor time of both.
        wrong: documents that lack, or that are too many.
    """

    lines: int
    per_second: float
    limit_per_second: float
    share_percent: float
    wrong: int


def into_elasticsearch(block: Block, lines: int, folder: Path) -> Indexed | None:
    """Index a file; None where no server can be had."""
    try:
        server = LocalServer(folder / "server", max_content="100mb", heap="2g", tiered=True)
    except CannotBeHadError:
        return None
    server.start()
    try:
        warm = _shipped(server, block, min(lines, _WARM), folder / "warm", 0)
        found = _shipped(server, block, lines, folder / "measured", warm.documents)
        limit = _limit(server, block, min(lines, _LIMIT))
    finally:
        server.close()
    wrong = abs(found.documents - warm.documents - lines)
    return Indexed(lines, found.per_second, limit, 100 * found.ours / (found.ours + found.theirs), wrong)


@dataclass(frozen=True)
class _Shipped:
    """A file in the server.

    Attributes:
        documents: of the stream by then.
        per_second: documents a second, from the tenth part of the lines on.
        ours: processor time of the shipper since then.
        theirs: that of the server.
    """

    documents: int
    per_second: float
    ours: float
    theirs: float


def _shipped(server: LocalServer, block: Block, lines: int, folder: Path, before: int) -> _Shipped:
    folder.mkdir()
    file = folder / "server.log"
    write(file, lines, block)
    with forewarn(file, server.url, folder / "shipper") as shipper:
        marks = []
        for wanted in (before + lines // 10, before + lines):
            while (there := _count(server)) < wanted:
                if not shipper.alive():
                    raise PeerError("the shipper ended", hint=shipper.output.read_text(errors="replace")[-600:])
                time.sleep(_LOOK_SECONDS)
            marks.append((there, time.monotonic(), shipper.cpu_seconds(), server.cpu_seconds()))
    (first, began, ours, theirs), (last, end, ours_then, theirs_then) = marks
    return _Shipped(last, (last - first) / (end - began), ours_then - ours, theirs_then - theirs)


def _count(server: LocalServer) -> int:
    """Documents of the stream, told without a refresh, which would cost the server more than indexing does."""
    if not server.exists(_STREAM):
        return 0
    stats = server.call("GET", f"/{_STREAM}/_stats/indexing?filter_path=_all.primaries.indexing.index_total")
    return int(stats["_all"]["primaries"]["indexing"]["index_total"])


def _limit(server: LocalServer, block: Block, lines: int) -> float:
    """Documents a second, made beforehand, into the same data stream."""
    bodies = _bodies(block, lines)
    began = time.monotonic()
    _send(server, bodies, _STREAM)
    return lines / (time.monotonic() - began)


def _bodies(block: Block, lines: int) -> list[bytes]:
    """Bulk requests with documents like Forewarn's."""
    bodies = []
    for first in range(0, lines, block.lines):
        texts = block.at(first).tobytes().decode().split("\n")[:-1]
        for begin in range(0, min(len(texts), lines - first), _EACH):
            documents = b"".join(
                _document(first + begin + k, text) for k, text in enumerate(texts[begin : begin + _EACH])
            )
            bodies.append(packed(documents))
    return bodies


def _document(number: int, text: str) -> bytes:
    source = {
        "@timestamp": f"{text[:10]}T{text[11:19]}.{text[20:23]}Z",
        "message": text,
        "log": {"file": {"path": "/var/log/server.log"}, "offset": number * 128, "level": "info", "template": 17},
        "host": {"name": "node-1"},
        "event": {"dataset": "bench"},
        "data_stream": {"type": "logs", "dataset": "bench", "namespace": "default"},
        "ecs": {"version": "8.17.0"},
    }
    return b'{"create":{"_id":"0123456789a-0-%012x"}}\n%s\n' % (number * 128, orjson.dumps(source))


def _send(server: LocalServer, bodies: list[bytes], stream: str) -> None:
    """By several threads, as a shipper has several requests under way."""
    http = urllib3.PoolManager(maxsize=_THREADS)
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    waiting = iter(bodies)
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                body = next(waiting, None)
            if body is None:
                return
            url = f"{server.url}/{stream}/_bulk?filter_path=errors"
            answer = http.request("POST", url, body=body, headers=headers, retries=False)
            assert answer.json() == {"errors": False}, answer.data[:300]

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
