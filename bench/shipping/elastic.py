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
_WARM = 200_000
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
        warm = _shipped(server, block, min(lines, _WARM), folder / "warm")
        # A server warms up and merges: ours, theirs, theirs, ours gives neither the better half.
        first = _shipped(server, block, lines, folder / "first")
        limits = [_limit(server, block, lines, sender) for sender in range(2)]
        second = _shipped(server, block, lines, folder / "second")
    finally:
        server.close()
    both = first, second
    ours, all_of_it = sum(one.ours for one in both), sum(one.ours + one.theirs for one in both)
    return Indexed(
        lines=2 * lines,
        per_second=sum(one.timed for one in both) / sum(one.seconds for one in both),
        limit_per_second=len(limits) / sum(1 / limit for limit in limits),
        share_percent=100 * ours / all_of_it,
        wrong=sum(one.wrong for one in (warm, *both)),
    )


@dataclass(frozen=True)
class _Shipped:
    """A file in the server.

    Attributes:
        wrong: documents that lack, or that are too many.
        timed: documents from the tenth part of the lines on.
        seconds: what they took.
        ours: processor time of the shipper in them.
        theirs: that of the server.
    """

    wrong: int
    timed: int
    seconds: float
    ours: float
    theirs: float


def _shipped(server: LocalServer, block: Block, lines: int, folder: Path) -> _Shipped:
    folder.mkdir()
    file = folder / "server.log"
    write(file, lines, block)
    before = _count(server)
    with forewarn(file, server.url, folder / "shipper") as shipper:
        marks = []
        for wanted in (before + lines // 10, before + lines):
            while (there := _count(server)) < wanted:
                if not shipper.alive():
                    raise PeerError("the shipper ended", hint=shipper.output.read_text(errors="replace")[-600:])
                time.sleep(_LOOK_SECONDS)
            marks.append((there, time.monotonic(), shipper.cpu_seconds(), server.cpu_seconds()))
    (first, began, ours, theirs), (last, end, ours_then, theirs_then) = marks
    return _Shipped(abs(last - before - lines), last - first, end - began, ours_then - ours, theirs_then - theirs)


def _count(server: LocalServer) -> int:
    """Documents of the stream, told without a refresh, which would cost the server more than indexing does."""
    if not server.exists(_STREAM):
        return 0
    stats = server.call("GET", f"/{_STREAM}/_stats/indexing")
    return int(stats["_all"]["primaries"].get("indexing", {}).get("index_total", 0))  # none while no shard has begun


def _limit(server: LocalServer, block: Block, lines: int, sender: int) -> float:
    """Documents a second, made beforehand, into the same data stream."""
    bodies = _bodies(block, lines, sender)
    began = time.monotonic()
    _send(server, bodies, _STREAM)
    return lines / (time.monotonic() - began)


def _bodies(block: Block, lines: int, sender: int) -> list[bytes]:
    """Bulk requests with documents like Forewarn's."""
    bodies = []
    for first in range(0, lines, block.lines):
        texts = block.at(first).tobytes().decode().split("\n")[:-1]
        for begin in range(0, min(len(texts), lines - first), _EACH):
            documents = b"".join(
                _document(sender, first + begin + k, text) for k, text in enumerate(texts[begin : begin + _EACH])
            )
            bodies.append(packed(documents))
    return bodies


def _document(sender: int, number: int, text: str) -> bytes:
    source = {
        "@timestamp": f"{text[:10]}T{text[11:19]}.{text[20:23]}Z",
        "message": text,
        "log": {"file": {"path": "/var/log/server.log"}, "offset": number * 128, "level": "info", "template": 17},
        "host": {"name": "node-1"},
        "event": {"dataset": "bench"},
        "data_stream": {"type": "logs", "dataset": "bench", "namespace": "default"},
        "ecs": {"version": "8.17.0"},
    }
    return b'{"create":{"_id":"0123456789a-%d-%012x"}}\n%s\n' % (sender, number * 128, orjson.dumps(source))


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
