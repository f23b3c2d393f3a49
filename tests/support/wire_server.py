"""A server at the wire: does to each connection exactly what a test tells it, and looks closely at requests."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

GOOD = b'{"errors":false,"items":[{"create":{"status":201}}]}'


def answer(body: bytes = GOOD, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with its length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class Asked:
    line: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket, asked: list[Asked]) -> None:
        self.connection = connection
        self._asked = asked
        self._read = b""

    def head(self) -> tuple[str, dict[str, str]]:
        """The next request's line and headers."""
        while b"\r\n\r\n" not in self._read:
            piece = self.connection.recv(4096)
            assert piece, "the connection was closed within a head"
            self._read += piece
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        line, *rest = head.decode("ascii").split("\r\n")
        headers = dict(each.split(": ", 1) for each in rest)
        assert len(headers) == len(rest), "a header comes twice"
        return line, headers

    def request(self) -> Asked:
        """The next request, whole."""
        line, headers = self.head()
        size = int(headers["Content-Length"])
        pieces = [self._read]
        while (missing := size - sum(map(len, pieces))) > 0:
            piece = self.connection.recv(min(missing, 1 << 20))
            assert piece, "the connection was closed within a body"
            pieces.append(piece)
        data = b"".join(pieces)
        assert len(data) == size, "more came than was announced"
        self._read = b""
        self._asked.append(Asked(line, headers, data))
        return self._asked[-1]

    def send(self, *pieces: bytes) -> None:
        """Send pieces, each on its own way."""
        for piece in pieces:
            self.connection.sendall(piece)

    def ended(self) -> bool:
        """Wait for the other side; whether it closed without another word."""
        try:
            return not self.connection.recv(1)
        except ConnectionResetError:
            return True

    def reset(self) -> None:
        """End without a farewell."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Script = Callable[[Peer], None]


@dataclass
class WireServer:
    """What came.

    Attributes:
        url: where it listens.
        asked: whole requests, in their order.
        connections: how many there were.
        complaints: what went wrong in scripts.
        over: is set when the test is.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    complaints: list[BaseException] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def answering(*answers: bytes) -> Script:
    """Takes a request for each answer, then waits for the end."""

    def script(peer: Peer) -> None:
        for each in answers:
            peer.request()
            peer.send(each)
        assert peer.ended()

    return script


@contextlib.contextmanager
def wire_server(
    *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", name: str = ""
) -> Iterator[WireServer]:
    """Does to each connection what its script says; there must be as many as scripts.

    Args:
        scripts: one for each connection.
        tls: wraps connections.
        host: to listen on.
        name: stands in the URL instead of it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        shown = name or (f"[{host}]" if ":" in host else host)
        server = WireServer(f"http{'s' if tls else ''}://{shown}:{listener.getsockname()[1]}")
        threads: list[threading.Thread] = []
        opened: list[socket.socket] = []

        def serve(connection: socket.socket, script: Script) -> None:
            with contextlib.closing(connection):
                try:
                    connection.settimeout(60)
                    wrapped = tls.wrap_socket(connection, server_side=True) if tls else connection
                    opened.append(wrapped)
                    with contextlib.closing(wrapped):
                        script(Peer(wrapped, server.asked))
                except (AssertionError, KeyError, ValueError, OSError) as error:
                    server.complaints.append(error)

        def accept() -> None:
            for script in scripts:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                threads.append(threading.Thread(target=serve, args=(connection, script)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            server.over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in opened:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join(90)
        assert server.complaints == []
        assert server.connections == len(scripts)
