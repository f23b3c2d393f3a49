"""A strict far side for faults that a real Elasticsearch cannot be told to produce: resets, lost and broken answers.

It answers what the official client asks before the first bulk, keeps documents by id, refuses an id that is there with
409, and refuses any bulk body that is not pairs of JSON lines.
"""

import gzip
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import orjson


class BulkSink:
    """Attributes: ``documents`` by id; ``fault`` befalls every ``every``-th bulk request; ``faults`` counts them."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.fault, self.every, self.faults, self.retry_after = "", 0, 0, 0
        self.api_key = ""
        self.times: list[float] = []
        self._lock = threading.Lock()
        sink = self

        class Handler(_Handler):
            owner = sink

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def next_fault(self) -> str:
        """The fault of this request, empty for none."""
        with self._lock:
            self.times.append(time.monotonic())
            hit = bool(self.every) and len(self.times) % self.every == 0
            self.faults += hit
            return self.fault if hit else ""

    def take(self, body: bytes) -> list[dict[str, Any]]:
        """Keep the documents; one answer for each."""
        parts = body.split(b"\n")
        assert parts.pop() == b"", "the body must end with a line end"
        assert len(parts) % 2 == 0, "an action without a document"
        items = []
        with self._lock:
            for action, source in zip(parts[::2], parts[1::2], strict=True):
                create = orjson.loads(action)["create"]
                document = orjson.loads(source)
                assert "@timestamp" in document
                stream = document["data_stream"]
                assert create["_index"] == f"{stream['type']}-{stream['dataset']}-{stream['namespace']}"
                name = create["_id"]
                status = 409 if name in self.documents else 201
                self.documents.setdefault(name, document)
                items.append({"create": {"status": status}})
        return items


class _Handler(BaseHTTPRequestHandler):
    owner: BulkSink
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, {"index_templates": []})

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, {"acknowledged": True})

    def do_POST(self) -> None:
        fault, length = self.owner.next_fault(), int(self.headers["Content-Length"])
        if fault == "reset in mid body":
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if fault in {"429", "502"}:
            self._answer(int(fault), {"error": "told so"})
            return
        if self.owner.api_key and self.headers.get("Authorization") != f"ApiKey {self.owner.api_key}":
            self._answer(401, {"error": {"reason": "no such key"}})
            return
        items = self.owner.take(body)
        if fault == "answer lost":
            self._reset()
            return
        if fault == "answer for others":
            items = items[1:]
        errors = any(item["create"]["status"] != 201 for item in items)
        self._answer(200, {"errors": errors, "items": items}, cut=fault == "answer cut short")

    def _answer(self, status: int, answer: Any, *, cut: bool = False) -> None:
        body = orjson.dumps(answer)
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.owner.retry_after:
            self.send_header("Retry-After", str(self.owner.retry_after))
        self.end_headers()
        if cut:
            self.wfile.write(body[: len(body) // 2])
            self._reset()
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass
