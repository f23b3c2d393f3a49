"""A receiver of remote write that takes nothing that the specification forbids, and fails as it is told.

It holds samples as an old Prometheus does: one that is out of order undoes its whole request.
"""

import contextlib
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.write_request import Decoded, decode

SLOW, RESET = "slow", "reset"
Labels = tuple[tuple[str, str], ...]


@dataclass
class StrictReceiver:
    """``answers`` are used up one by one: a status, a status with headers, SLOW or RESET; then it takes samples.

    Attributes:
        most: samples in one request, more are answered with 413.
        refuses: entries of which the whole request is answered with 400.
        words: what it says beside a status that it was told.
    """

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    most: int = 10**9
    refuses: Callable[[Labels], bool] = lambda _: False
    words: str = "not now"
    held: dict[Labels, list[tuple[int, float]]] = field(default_factory=dict)
    requests: list[tuple[dict[str, str], int, int]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def samples(self) -> int:
        return sum(map(len, self.held.values()))

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """Status and words for a request."""
        assert headers["Content-Encoding"] == "snappy"
        assert headers["Content-Type"] == "application/x-protobuf"
        assert headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
        assert headers["User-Agent"].startswith("Forewarn/")
        entries = decode(body)
        samples = sum(len(found) for _, found in entries)
        if samples > self.most:
            return 413, "too much"
        status, words = self._store(entries)
        self.requests.append((headers, samples, status))
        return status, words

    def _store(self, entries: Decoded) -> tuple[int, str]:
        newest = {labels: found[-1][0] for labels, found in self.held.items()}
        for labels, found in entries:
            assert found, labels
            names = [name for name, _ in labels]
            assert names == sorted(set(names)), names
            assert all(name and value for name, value in labels), labels
            if self.refuses(tuple(labels)):
                return 400, "label value too long"
            for when, _ in found:
                if when <= newest.get(tuple(labels), -1):
                    return 400, "out of order sample"
                newest[tuple(labels)] = when
        for labels, found in entries:
            self.held.setdefault(tuple(labels), []).extend(found)
        return 204, ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment
    receiver: StrictReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.receiver.answers.pop(0) if self.receiver.answers else None
        if answer == SLOW:
            self.receiver.closing.wait()
        elif answer == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif answer is None:
            self._answer(*self.receiver.take(dict(self.headers), body))
        else:
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self._answer(status, self.receiver.words, headers)

    def _answer(self, status: int, words: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words.encode())
        self.wfile.flush()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    tls: ssl.SSLContext | None = None
    failed: BaseException | None = None

    def handle_error(self, *_: Any) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):  # clients that break off are what some tests are about
            self.failed = error

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return (connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True)), address


@contextlib.contextmanager
def receiving(*answers: Any, tls: ssl.SSLContext | None = None, **options: Any) -> Iterator[StrictReceiver]:
    """A receiver on a free port; what it found wrong with a request is raised at the end."""
    receiver = StrictReceiver(answers=list(answers), **options)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": receiver}))
    server.tls = tls
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/api/v1/write"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
    if server.failed is not None:
        raise server.failed
