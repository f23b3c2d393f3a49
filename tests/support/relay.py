"""Stands between a shipper and a real server, and can keep the server's answers to itself."""

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import urllib3

_PASSED = ("Content-Type", "Content-Encoding", "Accept", "Authorization")


class Relay:
    """Passes requests on; answers to bulk requests are held back, or lost, while it is told so.

    Attributes:
        holding: answers to bulk requests wait from when this is set, and are lost when ``lose`` is called.
        kept: bulk requests that the server has answered and the shipper has not heard of.
    """

    def __init__(self, server: str) -> None:
        self.holding, self._lost = threading.Event(), threading.Event()
        self.kept = 0
        upstream = urllib3.PoolManager(maxsize=8, retries=False)
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: self.headers[name] for name in _PASSED if name in self.headers}
                answer = upstream.request(self.command, server + self.path, body=body, headers=headers)
                if "_bulk" in self.path and relay.keeps():
                    self.reset()
                    return
                self.send_response(answer.status)
                for name in ("Content-Type", "X-elastic-product"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(answer.data)))
                self.end_headers()
                self.wfile.write(answer.data)

            do_GET = do_PUT = do_POST = do_HEAD = do_any  # noqa: N815  named by the standard library

            def reset(self) -> None:
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def keeps(self) -> bool:
        """Whether an answer is to be kept; comes back when it is lost."""
        if not self.holding.is_set():
            return False
        self.kept += 1
        self._lost.wait()
        return True

    def lose(self) -> None:
        """Break the connections that wait for answers; from now on all is passed on."""
        self.holding.clear()
        self._lost.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lost.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
