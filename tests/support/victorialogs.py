"""VictoriaLogs as far as bulk requests go: a real one where ``victoria-logs`` is installed, and a strict fake.

The fake answers as https://docs.victoriametrics.com/victorialogs/data-ingestion/ says, and as the real one was seen to.
"""

import contextlib
import gzip
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import urllib3

from tests.support.ports import free_port

PROGRAM = "victoria-logs"
PATH = "/insert/elasticsearch"
Messages = Callable[[], list[str]]


@contextlib.contextmanager
def real(folder: Path) -> Iterator[tuple[str, Messages]]:
    """Its address for bulk requests, and what asks it for all messages."""
    port = free_port()
    listen = [f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}", "-retentionPeriod=100y"]
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen([PROGRAM, *listen], stdout=output, stderr=output)
    http = urllib3.PoolManager(retries=urllib3.Retry(40, backoff_factor=0.1, backoff_max=2))
    url = f"http://127.0.0.1:{port}"

    def messages() -> list[str]:
        http.request("GET", f"{url}/internal/force_flush")
        answer = http.request("GET", f"{url}/select/logsql/query", fields={"query": "* | sort by (log.offset)"})
        return [orjson.loads(row)["_msg"] for row in answer.data.splitlines()]

    try:
        http.request("GET", f"{url}/health")
        yield url + PATH, messages
    finally:
        process.terminate()
        process.wait(60)
        http.clear()


@contextlib.contextmanager
def fake(_: Path) -> Iterator[tuple[str, Messages]]:
    """One that takes only what it would take, and keeps the messages."""
    kept: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = self.path.rstrip("/") == PATH
            self.answer(200 if known else 400, {"version": {"number": "8.9.0"}} if known else {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.partition("?")[0] != f"{PATH}/_bulk":
                self.answer(400, {"error": f"unsupported path requested: {self.path}"})
                return
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            rows = body.splitlines()
            for action, source in zip(rows[::2], rows[1::2], strict=True):
                assert b'"create"' in action
                document = orjson.loads(source)
                message = document.get(self.headers.get("VL-Msg-Field", "_msg"))
                moment = document.get(self.headers.get("VL-Time-Field", "_time"))
                assert "host.name" in self.headers.get("VL-Stream-Fields", "")
                kept.append({"message": message, "time": moment, "offset": document["log"]["offset"]})
            items = [{"create": {"status": 201}}] * (len(rows) // 2)
            self.answer(200, {"took": 1, "errors": False, "items": items})

        def answer(self, status: int, answer: Any) -> None:
            body = orjson.dumps(answer)
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()

    def messages() -> list[str]:
        assert all(each["time"] for each in kept)
        return [each["message"] for each in sorted(kept, key=lambda each: each["offset"])]

    try:
        yield f"http://127.0.0.1:{server.server_port}{PATH}", messages
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


KINDS = {"fake": fake, **({"real": real} if shutil.which(PROGRAM) else {})}
