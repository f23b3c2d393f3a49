"""Reading the answer to one request.

https://www.rfc-editor.org/rfc/rfc9112
"""

import contextlib
import zlib
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from logship.errors import WireError

LARGEST_HEAD = 64 * 1024
"""Bytes before an answer's body, at most."""
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes of an answer, packed or not, at most."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        status: of HTTP.
        data: its body, unpacked.
        retry_after: the header of that name, None where there is none.
    """

    status: int
    data: bytes
    retry_after: str | None


class Reader:
    """Takes what comes over a connection, and knows when an answer is whole.

    Args:
        most: bytes of an answer.

    Attributes:
        done: whether it is.
        keep: whether the connection may be used again.
    """

    def __init__(self, most: int = LARGEST_ANSWER) -> None:
        self._most = most
        self._parser = HttpResponseParser(self)
        self.start()

    def start(self) -> None:
        """Forget the one before."""
        self.done = self.keep = False
        self._status = self._received = 0
        self._head: dict[bytes, bytes] = {}
        self._final: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []

    @property
    def begun(self) -> bool:
        """Whether the head is whole, and not that of an interim answer."""
        return self._status > 0

    @property
    def refuses(self) -> bool:
        """Whether it says that nothing was taken: that holds though the rest of it never comes."""
        return self._status >= 400

    def take(self, data: memoryview) -> None:
        """Read on; nothing stands for the connection's end.

        Raises:
            WireError: this is no answer, it is cut short, or too long.
        """
        if not data:
            self._end()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.keep = False
            if not self.done:
                what = "it goes on in another protocol" if isinstance(error, HttpParserUpgrade) else error
                raise WireError(f"the answer is no HTTP: {what}") from error
        self._received += len(data)
        if not self.begun and self._received > LARGEST_HEAD:
            raise WireError(f"the head of the answer is longer than {LARGEST_HEAD} bytes")
        if self._received > self._most:
            raise WireError(f"the answer is longer than {self._most} bytes")

    def reply(self) -> Reply:
        """What has come of it."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        if self._final.get(b"content-encoding", b"identity").lower() != b"identity":
            data = _unpacked(data)
        retry_after = self._final.get(b"retry-after")
        return Reply(self._status, data, None if retry_after is None else retry_after.decode("latin-1"))

    def _end(self) -> None:
        if not self._received:
            raise WireError("the connection was closed without an answer")
        head = self._final
        if not self.begun or b"content-length" in head or b"chunked" in head.get(b"transfer-encoding", b"").lower():
            raise WireError("the answer was cut short")
        self.done, self.keep = True, False

    def on_message_begin(self) -> None:
        """The answer begins, or another one after an interim one; after the last one there must be none."""
        self._head = {}
        self.keep = self.keep and not self.done

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._head[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if status >= 200 and not self.done:
            self._status, self._final, self.keep = status, self._head, self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if not self.done:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """It ends; interim ones do not count."""
        self.done = self.begun


def _unpacked(data: bytes) -> bytes:
    """The body of a server that packs although it was asked not to."""
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
    with contextlib.suppress(zlib.error):
        plain = unpack.decompress(data, LARGEST_ANSWER)
        if unpack.eof:
            return plain
    return b"an answer that is packed in another way than gzip"
