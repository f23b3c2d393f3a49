"""One request of Elasticsearch's bulk API.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

import threading
from urllib.parse import quote

from logship.delivery.address import Address
from logship.delivery.answers import WANTED, Answer, read_answer
from logship.delivery.wire import Wire
from logship.elastic.caller import authorization, one_line
from logship.elastic.product import VICTORIALOGS_HEADERS, is_victorialogs
from logship.errors import WireError
from logship.settings import LogsSettings


class Bulk:
    """Sends bulk requests, one at a time per thread, to one of the configured addresses.

    Every thread keeps a connection of its own to each address that it has used.

    Args:
        settings: addresses, credentials, compression.
    """

    def __init__(self, settings: LogsSettings) -> None:
        self._settings = settings
        self._turn = 0
        self._mine = _Wires()
        self._headers = self._make_headers()
        self._heads: dict[tuple[str, str], bytes] = {}

    def post(self, stream: str, body: bytes | memoryview, count: int) -> Answer:
        """Send documents to a data stream; errors of the network are answers with status 0.

        Args:
            stream: its name.
            body: actions and documents, compressed where the settings say so.
            count: documents in it.
        """
        url = self._settings.url[self._turn % len(self._settings.url)]
        try:
            reply = self._wire(url).request(self._head(url, stream) + b"%d\r\n\r\n" % len(body), body)
        except (WireError, OSError) as error:
            self._turn += 1
            return Answer(0, reason=f"{url}: {one_line(error)}")
        answer = read_answer(reply.status, reply.data, reply.retry_after, count)
        if answer.status != 200:
            self._turn += 1
        return answer

    def renew_credentials(self) -> None:
        """Read the credentials again, for they may have been changed.

        Raises:
            ConfigError: their file cannot be read.
        """
        self._headers = self._make_headers()
        self._heads = {}

    def _wire(self, url: str) -> Wire:
        wires = self._mine.by_url
        if url not in wires:
            wires[url] = Wire(Address.of(url), self._settings)
        return wires[url]

    def _head(self, url: str, stream: str) -> bytes:
        """A request up to its length, which alone changes."""
        heads = self._heads
        if (url, stream) not in heads:
            address = Address.of(url)
            headers = {"Host": address.authority} | self._headers
            if is_victorialogs(url):  # it keeps streams by their fields, not by a name in the path
                target, headers = "_bulk", headers | VICTORIALOGS_HEADERS
            else:
                target = f"{quote(stream, safe='')}/_bulk?filter_path={WANTED}"
            lines = [f"POST {address.path}/{target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
            heads[url, stream] = "\r\n".join([*lines, "Content-Length: "]).encode()
        return heads[url, stream]

    def _make_headers(self) -> dict[str, str]:
        headers = {
            "User-Agent": "forewarn",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-ndjson",
        }
        if self._settings.gzip:
            headers["Content-Encoding"] = "gzip"
        return headers | authorization(self._settings)


class _Wires(threading.local):
    """A thread's own connections."""

    def __init__(self) -> None:
        self.by_url: dict[str, Wire] = {}
