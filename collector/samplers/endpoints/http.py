"""One blocking HTTP exchange with a limit on its time and on its size; it is called on a lane."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from collector.samplers.endpoints.access import Access
from collector.samplers.failures import failure_code, said
from collector.source import CollectError
from forewarn.base.clock import Clock

_CHUNK = 64 * 1024


class Client:
    """Asks one server, one connection a request.

    A kept connection would be closed by many servers just as the next round begins (uvicorn keeps one for 5 s).

    Args:
        clock: the deadline of a body that does not end.
        timeout: seconds for the whole exchange.
        max_bytes: size of the largest body that is accepted.
        access: what lets us in.
    """

    def __init__(self, clock: Clock, access: Access, *, timeout: float, max_bytes: int) -> None:
        self._clock = clock
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._access = access
        self._pools = urllib3.PoolManager(num_pools=1, maxsize=1)
        self._context: ssl.SSLContext | None = None

    def request(self, method: str, url: str, *, body: bytes | None = None, accept: str = "*/*") -> bytes:
        """The body of an answer with status 200.

        Raises:
            CollectError: no such answer came in time, or there is no token to send; its code says why.
        """
        end = self._clock.monotonic() + self._timeout
        pools = self._pools_for(url)
        try:
            response = pools.request(
                method,
                url,
                body=body,
                headers=self._headers(accept, has_body=body is not None),
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                return self._read(response, end)
            finally:
                response.close()
        except (HTTPError, OSError, UnicodeError) as error:
            raise CollectError(failure_code(error), f"{urlsplit(url).netloc}: {said(error)}") from error

    def _pools_for(self, url: str) -> urllib3.PoolManager:
        if urlsplit(url).scheme == "https":
            context = self._access.context()
            if context is not self._context:
                self._context, self._pools = context, urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=context)
        return self._pools

    def _read(self, response: urllib3.BaseHTTPResponse, end: float) -> bytes:
        if response.status != 200:
            raise CollectError(f"http_{response.status}", f"answered with status {response.status}")
        chunks, size = [], 0
        while chunk := response.read1(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise CollectError("too_large", f"the answer is larger than {self._max_bytes} bytes")
            if self._clock.monotonic() > end:
                raise CollectError("timeout", f"the answer had not ended after {self._timeout} s")
        return b"".join(chunks)

    def _headers(self, accept: str, *, has_body: bool) -> Mapping[str, str]:
        headers = {
            "Accept": accept,
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": "forewarn",
        }
        if has_body:
            headers["Content-Type"] = "application/json"
        return headers | self._access.headers()
