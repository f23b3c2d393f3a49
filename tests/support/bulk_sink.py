"""A strict far side for what a real Elasticsearch cannot be told to do: resets, lost and broken answers, and to hurry.

It answers what is asked before the first bulk, keeps documents by id, refuses an id that is there with 409, and refuses
any bulk body that is not pairs of JSON lines. A roll-over begins a new backing index; ids are unique in each alone.
"""

import contextlib
import gzip
import itertools
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

FAULTS = (
    "429",
    "502",
    "reset in mid body",
    "answer lost",
    "answer cut short",
    "answer for others",
    "slow",
    "slow and lost",
    "some 429",
    "some 503",
)
"""What can befall a bulk request."""

SLOW_SECONDS = 0.3
_EVERY_SOME = 7
_ASKED_SECONDS = 2.0


class Documents(Mapping[str, dict[str, Any]]):
    """What a sink holds by id, parsed where it is looked at."""

    def __init__(self, held: dict[str, bytes]) -> None:
        self._held = held

    def __getitem__(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = orjson.loads(self._held[name])
        return document

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._held))

    def __len__(self) -> int:
        return len(self._held)


class BulkSink:
    """The far side, up from the start of its block to the end.

    Args:
        strict: whether documents without an id are refused (other shippers make none).

    Attributes:
        documents: by id, from all backing indices.
        doubles: ids that stand in more than one backing index.
        changed: ids of documents that were sent again with another time or message.
        fault: befalls every ``every``-th bulk request, or as ``plan`` says, which is asked for every request.
        faults: how many there were.
        refuse_every: as every so-many-th document is answered with 429 inside of a 200.
        most: bytes of a request's body as it is sent, above which it is answered with ``too_large``; 0 for no limit.
        too_large: a status.
        forbidden: data streams whose documents are refused to all but who comes with ``rightful_key``.
        times: when bulk requests came, in seconds on the monotonic clock.
        complaints: what was wrong with requests.
        story: what was asked and done, for whoever wonders.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.fault, self.every, self.faults, self.retry_after = "", 0, 0, 0
        self.plan: Callable[[], str] | None = None
        self.refuse_every, self.most, self.too_large = 0, 0, 413
        self.api_key = self.rightful_key = ""
        self.forbidden: set[str] = set()
        self.times: list[float] = []
        self.doubles: set[str] = set()
        self.changed: set[str] = set()
        self.complaints: list[str] = []
        self.story: list[str] = []
        self._strict = strict
        self._held: dict[str, bytes] = {}
        self.documents = Documents(self._held)
        self._indices: dict[str, list[set[str]]] = {}
        self._offered = self._asked = 0
        self._made = itertools.count()
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._place = socket.socket()  # keeps the port from everybody else while nobody listens on it
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self._port = self._place.getsockname()[1]
        self.up()
        self.url = f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen (again, on the same port)."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self._port), _Handler)
            self._server.owner = self
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Be gone, and break off what is under way; what is held stays."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.break_off()
            self._server = None

    @property
    def is_down(self) -> bool:
        """Whether nobody listens."""
        return self._server is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._place.close()

    def roll_over(self) -> bool:
        """Begin a new backing index of every data stream; whether it was begun.

        Not between a question for ids and the request that follows it: Elasticsearch has no call that does both at
        once, so no shipper could keep that. Where a request does not follow, as one that asked is stopped, nothing
        is begun.
        """
        end = time.monotonic() + _ASKED_SECONDS
        while self._asked and time.monotonic() < end:
            time.sleep(0.002)
        with self._lock:
            self.tell("not rolled over" if self._asked else "rolled over")
            if not self._asked:
                for indices in self._indices.values():
                    indices.append(set())
            return not self._asked

    def followed(self) -> None:
        """A request has come, perhaps the one that was asked for."""
        with self._lock:
            self._asked = max(0, self._asked - 1)

    def forget_questions(self) -> None:
        """Whoever asked has ended, and no request will follow."""
        with self._lock:
            self._asked = 0

    def asked(self) -> None:
        """Somebody asks which indices there are, to look for ids in them before sending."""
        with self._lock:
            self._asked += 1

    def tell(self, what: str) -> None:
        """Add to the story."""
        self.story.append(f"{time.monotonic():.3f} {what}")

    def backing(self, stream: str) -> list[str]:
        """The names of a data stream's backing indices, oldest first; none where nothing was written to it."""
        return [f".ds-{stream}-2026.01.01-{n + 1:06d}" for n in range(len(self._indices.get(stream, [])))]

    def holds(self, index: str, name: str) -> bool:
        """Whether a backing index, or any of a data stream, holds an id."""
        with self._lock:
            for stream, indices in self._indices.items():
                for backing, ids in zip(self.backing(stream), indices, strict=True):
                    if index in {stream, backing} and name in ids:
                        return True
        return False

    def next_fault(self) -> str:
        """The fault of this request, empty for none."""
        with self._lock:
            self.times.append(time.monotonic())
            if self.plan is not None:
                fault = self.plan()
            else:
                fault = self.fault if self.every and len(self.times) % self.every == 0 else ""
            self.faults += bool(fault)
            return fault

    def refuse(self, body: bytes) -> list[dict[str, Any]]:
        """Keep nothing, for it is not allowed; one answer for each document."""
        error = {"type": "security_exception", "reason": "action [indices:data/write/bulk[s]] is unauthorized"}
        return [{"create": {"status": 403, "error": error}}] * (body.count(b"\n") // 2)

    def take(self, body: bytes, stream: str, fault: str) -> list[dict[str, Any]]:
        """Keep the documents; one answer for each."""
        parts = body.split(b"\n")
        assert parts.pop() == b"", "the body must end with a line end"
        assert parts, "a request without documents"
        assert len(parts) % 2 == 0, "an action without a document"
        some = int(fault.removeprefix("some ")) if fault.startswith("some ") else 0
        with self._lock:
            return [
                {"create": self._keep(orjson.loads(action)["create"], source, stream, some)}
                for action, source in zip(parts[::2], parts[1::2], strict=True)
            ]

    def _keep(self, create: dict[str, str], source: bytes, stream: str, some: int) -> dict[str, Any]:
        document = orjson.loads(source)
        target = create.get("_index", stream)
        assert target == stream or not stream
        assert "@timestamp" in document
        if self._strict:
            parts = document["data_stream"]
            assert target == f"{parts['type']}-{parts['dataset']}-{parts['namespace']}"
            name = create["_id"]
        else:
            name = create.get("_id") or f"made-{next(self._made)}"
        self._offered += 1
        if self.refuse_every and self._offered % self.refuse_every == 0:
            some = 429
        elif self._offered % _EVERY_SOME:
            some = 0
        if some:
            kind = "es_rejected_execution_exception" if some == 429 else "unavailable_shards_exception"
            return {"status": some, "error": {"type": kind, "reason": "told so"}}
        if name in self._held and _said(orjson.loads(self._held[name])) != _said(document):
            self.changed.add(name)
        indices = self._indices.setdefault(target, [set()])
        if name in indices[-1]:
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "it is there"}}
        indices[-1].add(name)
        if name in self._held:
            self.doubles.add(name)
        self._held.setdefault(name, source)
        return {"status": 201}


def _said(document: dict[str, Any]) -> tuple[Any, Any]:
    return document["@timestamp"], document.get("message")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = True
    owner: BulkSink

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def break_off(self) -> None:
        for connection in tuple(self._open):
            _reset(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(error := sys.exception(), OSError):
            self.owner.complaints.append(repr(error))
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            self._answer(200, {"version": {"number": "9.5.3"}, "tagline": "You Know, for Search"})
        elif path.startswith("/_resolve/index/"):
            self._answer(200, self._resolved(path.rpartition("/")[2].split(",")))
        elif path.startswith("/_component_template/"):
            self._answer(404, {"error": {"reason": "there is none"}})
        else:
            self._answer(200, {"index_templates": []})

    def do_PUT(self) -> None:
        self._body()
        self._answer(200, {"acknowledged": True})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/_bulk"):
            try:
                self._bulk(path.split("/")[-2])
            finally:
                self.server.owner.followed()
        elif path.endswith("/_mget"):
            self._many(path.split("/")[-2], orjson.loads(self._body()))
        else:
            self._body()
            self._answer(200, {"acknowledged": True})

    def _bulk(self, stream: str) -> None:
        owner, fault, length = self.server.owner, self.server.owner.next_fault(), int(self.headers["Content-Length"])
        if fault == "reset in mid body":
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self._body()
        if owner.most and length > owner.most:
            self._answer(owner.too_large, {"error": {"reason": "too large"}})
            return
        if fault in {"429", "502"}:
            self._answer(int(fault), {"error": "told so"})
            return
        if owner.api_key and self._key() != owner.api_key:
            self._answer(401, {"error": {"reason": "no such key"}})
            return
        barred = stream in owner.forbidden and self._key() != (owner.rightful_key or None)
        items = owner.refuse(body) if barred else owner.take(body, stream, fault)
        owner.tell(f"bulk of {len(items)} {fault} {_counts(items)} {body[:60]!r}")
        if fault.startswith("slow"):
            time.sleep(SLOW_SECONDS)
        if fault.endswith("lost"):
            self._reset()
            return
        errors = any(item["create"]["status"] != 201 for item in items)
        if fault == "answer for others":
            items = items[1:]
        self._answer(200, {"errors": errors, "items": items}, cut=fault == "answer cut short")

    def _key(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("ApiKey ")

    def _many(self, index: str, wanted: dict[str, Any]) -> None:
        asked = wanted.get("docs") or [{"_index": index, "_id": name} for name in wanted["ids"]]
        found = [
            {"_index": one.get("_index", index), "_id": one["_id"], "found": True}
            if self.server.owner.holds(one.get("_index", index), one["_id"])
            else {"_index": one.get("_index", index), "_id": one["_id"], "found": False}
            for one in asked
        ]
        self.server.owner.tell(f"{sum(one['found'] for one in found)} of {len(found)} ids in {index}")
        self._answer(200, {"docs": found})

    def _resolved(self, names: list[str]) -> dict[str, Any]:
        if not any("*" in name for name in names):
            self.server.owner.asked()
        streams = [name.rstrip("*") for name in names]
        found = [
            {"name": stream, "backing_indices": backing, "timestamp_field": "@timestamp"}
            for stream in streams
            if (backing := self.server.owner.backing(stream))
        ]
        self.server.owner.tell(f"resolved {names}: {[len(one['backing_indices']) for one in found]}")
        return {"indices": [], "aliases": [], "data_streams": found}

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("it was broken off")
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, status: int, answer: Any, *, cut: bool = False) -> None:
        body = orjson.dumps(answer)
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.owner.retry_after:
            self.send_header("Retry-After", str(self.server.owner.retry_after))
        self.end_headers()
        if cut:
            self.wfile.write(body[: len(body) // 2])
            self._reset()
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        _reset(self.connection)

    def log_message(self, *_: object) -> None:
        pass


def _counts(items: list[dict[str, Any]]) -> dict[int, int]:
    return dict(Counter(item["create"]["status"] for item in items))


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
