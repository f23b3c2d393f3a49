"""A real HTTP server on loopback whose answers a test chooses, well-behaved or not."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class PageServer:
    """Answers by path; ``requests`` keeps method, path, headers and body of each request."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def page(self, path: str, body: bytes | str, status: int = 200) -> None:
        """Answer a path with a body."""
        data = body.encode() if isinstance(body, str) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)

        self.answers[path] = answer

    def hang(self, path: str) -> None:
        """Take a request and never answer."""

        def answer(_: BaseHTTPRequestHandler) -> None:
            self.ending.wait(60)

        self.answers[path] = answer

    def drip(self, path: str, head: bytes, drop: bytes, every: float) -> None:
        """Answer with a head, then with one drop every so many seconds, without an end."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            try:
                handler.wfile.write(head)
                while not self.ending.wait(every):
                    handler.wfile.write(drop)
                    handler.wfile.flush()
            except OSError:
                pass

        self.answers[path] = answer


@contextmanager
def page_server(tls: ssl.SSLContext | None = None) -> Iterator[PageServer]:
    """Serve on a free port of loopback until the block ends, over TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.requests.append((self.command, self.path, dict(self.headers), body))
            answer = state.answers.get(self.path)
            if answer is None:
                self.send_error(404)
            else:
                answer(self)

        do_GET = do_POST = _handle  # noqa: N815  the names that http.server asks for

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Whoever hangs up on us does so on purpose."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    state = PageServer(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def full_listener() -> Iterator[int]:
    """The port of a listener whose queue is full: a connect to it is never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        waiting = []
        try:
            for _ in range(8):
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
                waiting.append(client)
            yield port
        finally:
            for client in waiting:
                client.close()
