"""A plain HTTP listener that notes what it is sent and answers as it is told."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NEVER = "never"
RESET = "reset"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listener:
    """``answers`` are used up one by one, then every request is answered with ``then``.

    An answer is a status, a status with headers, NEVER (the connection is held open), or RESET.
    """

    url: str = ""
    then: Any = 200
    answers: list[Any] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, count: int, seconds: float = 60) -> list[Request]:
        end = time.monotonic() + seconds
        while len(self.requests) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.requests) >= count, f"{len(self.requests)} of {count} requests came"
        return self.requests


@contextlib.contextmanager
def listening(then: Any = 200, *answers: Any, tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    listener = Listener(then=then, answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.requests.append(Request(self.command, self.path, dict(self.headers), body))
            answer = listener.answers.pop(0) if listener.answers else listener.then
            if answer == NEVER:
                listener.closing.wait()
            elif answer == RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            else:
                self.answer(*(answer if isinstance(answer, tuple) else (answer, {})))

        def answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"secret")

        do_POST = do_GET = handle_any  # noqa: N815  the server's own names

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that breaks off is what some tests are about."""

        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            return (connection if tls is None else tls.wrap_socket(connection, server_side=True)), address

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    listener.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield listener
    finally:
        listener.closing.set()
        server.shutdown()
        server.server_close()
