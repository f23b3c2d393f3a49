"""The far side: takes bulk requests as fast as it can, and says which lines it has.

    python -m bench.shipping.sink FILE PORT

FILE is shared with whoever asks: see Board. It says its port once it listens, and ends with its input. Answers
are those of a server that takes everything: a status for each document where the request asks for these alone.
"""

import mmap
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from bench.shipping.marks import Marker

_GZIP = 31
_WIRE = 32 * 1024
_PLAIN = 256 * 1024
_HELLO = (
    b'{"name":"sink","cluster_name":"sink","version":{"number":"8.19.0","build_flavor":"default"},'
    b'"tagline":"You Know, for Search"}'
)
_CONTROL = (
    (b"/_index_template", b'{"acknowledged":true,"index_templates":[]}'),
    (b"/_component_template", b'{"acknowledged":true,"component_templates":[]}'),
    (b"/_resolve", b'{"indices":[],"aliases":[],"data_streams":[]}'),
    (b"/_cat", b"[]"),
)
_LINES, _AGAIN, _REQUESTS, _WIRE_BYTES, _BYTES = range(5)
_COUNTS = 8


class Board:
    """What has arrived, in a file that two processes share.

    Attributes:
        counts: documents, those that were there already, requests, bytes as sent, bytes of the documents.
        seen: for each line whether it came.
        arrived: for the first lines the nanoseconds of the monotonic clock at which they came.
    """

    def __init__(self, path: Path, lines: int = 0, timed: int = 0) -> None:
        if lines:
            head = np.array([lines, timed], np.int64)
            with path.open("wb") as file:
                file.write(head.tobytes())
                file.truncate(16 + 8 * _COUNTS + 8 * timed + lines)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        lines, timed = (int(one) for one in np.frombuffer(self._map, np.int64, 2))
        self.counts = np.frombuffer(self._map, np.int64, _COUNTS, 16)
        self.arrived = np.frombuffer(self._map, np.int64, timed, 16 + 8 * _COUNTS)
        self.seen = np.frombuffer(self._map, np.uint8, lines, 16 + 8 * _COUNTS + 8 * timed)

    @property
    def documents(self) -> int:
        """Documents that came."""
        return int(self.counts[_LINES])

    @property
    def again(self) -> int:
        """Those of them whose line was there already."""
        return int(self.counts[_AGAIN])

    @property
    def requests(self) -> int:
        """Bulk requests."""
        return int(self.counts[_REQUESTS])

    def missing(self, lines: int) -> int:
        """How many of the first lines have not come."""
        return lines - int(np.count_nonzero(self.seen[:lines]))

    def bytes_a_document(self) -> tuple[float, float]:
        """As sent, and unpacked."""
        return tuple(float(self.counts[one]) / max(1, self.documents) for one in (_WIRE_BYTES, _BYTES))  # type: ignore[return-value]


@dataclass
class _Connection:
    """One connection's requests."""

    socket: socket.socket
    board: Board
    lock: threading.Lock

    def serve(self) -> None:
        stream = self.socket.makefile("rb", buffering=1 << 16)
        wire: NDArray[np.uint8] = np.empty(1 << 22, np.uint8)
        while (line := stream.readline()) and line.strip():
            method, target, _ = line.split(b" ", 2)
            headers = dict(_headers(stream))
            size = int(headers.get(b"content-length", 0))
            if headers.get(b"expect", b"").lower() == b"100-continue":
                self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if size > len(wire):
                wire = np.empty(2 * size, np.uint8)
            body = memoryview(wire)[:size]
            if size and _read(stream, body) != size:
                return
            if b"_bulk" in target.partition(b"?")[0] and method == b"POST":
                documents = self._take(body, packed=headers.get(b"content-encoding") == b"gzip")
                self._answer(_items(documents) if b"filter_path" in target else b'{"took":1,"errors":false,"items":[]}')
            else:
                self._answer(_control(target.partition(b"?")[0]), empty=method == b"HEAD")

    def _take(self, body: memoryview, *, packed: bool) -> int:
        marker = Marker(self.board.seen, self.board.arrived)
        now = time.monotonic_ns()
        inflate = isal_zlib.decompressobj(_GZIP)
        ends = again = size = 0
        step = _WIRE if packed else _PLAIN
        for begin in range(0, len(body), step):
            piece = body[begin : begin + step]
            text = inflate.decompress(piece) if packed else bytes(piece)
            found, twice = marker.take(text, now)
            ends, again, size = ends + found, again + twice, size + len(text)
        documents = ends // 2
        with self.lock:
            self.board.counts[: _BYTES + 1] += (documents, again, 1, len(body), size)
        return documents

    def _answer(self, body: bytes, *, empty: bool = False) -> None:
        head = b"HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n"
        self.socket.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + (b"" if empty else body))


def _control(path: bytes) -> bytes:
    """What a server with no templates and no data streams says."""
    return next((answer for begin, answer in _CONTROL if path.startswith(begin)), _HELLO)


def _headers(stream: BinaryIO) -> "list[tuple[bytes, bytes]]":
    found = []
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        found.append((name.lower(), value.strip()))
    return found


def _read(stream: BinaryIO, into: memoryview) -> int:
    done = 0
    while done < len(into) and (got := stream.readinto(into[done:])):  # type: ignore[attr-defined]
        done += got
    return done


def _items(documents: int) -> bytes:
    return b'{"errors":false,"items":[' + b",".join([b'{"create":{"status":201}}'] * documents) + b"]}"


def main(path: str, port: str) -> None:
    """Serve until the input ends."""
    board, lock = Board(Path(path)), threading.Lock()
    Marker(board.seen, board.arrived).take(b"warm \n" * 40, 0)
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_Connection(connection, board, lock).serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
