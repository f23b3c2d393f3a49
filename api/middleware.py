"""What every request passes: an exact Host check, reading methods only, a bound on bodies, security headers.

Pure ASGI. The page and the API have no accounts, so the Host check is what keeps a web site that a user visits from
reading them through a name that it lets resolve to 127.0.0.1 (DNS rebinding); no CORS header is ever sent.
"""

import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import error_answer

MAX_BODY_BYTES = 64 * 1024
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
READING_METHODS = ("GET", "HEAD")
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:\s]+))(?::[0-9]*)?")


class SecurityHeaders:
    """Adds the headers that tell a browser to be strict."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, strict)


class KnownHosts:
    """Answers only requests that are addressed to a known name; the port is free, for tunnels change it."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = LOOPBACK_NAMES | {name.lower().removeprefix("[").removesuffix("]") for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or host_name(hosts[0]) not in self._names:
                answer = error_answer(
                    421,
                    f"no service under the name {hosts[0] if len(hosts) == 1 else '(none)'!r}",
                    "use 127.0.0.1 or localhost, or add the name to [api] allowed_hosts",
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SameSite:
    """Refuses what another web site makes a browser ask for: it could not read the answer, but it would cost us one.

    Following a link to the page is fine. Browsers send ``Sec-Fetch-Site`` (W3C Fetch Metadata); other clients do not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            foreign = headers.get("sec-fetch-site") == "cross-site"
            if foreign and headers.get("sec-fetch-mode") != "navigate":
                answer = error_answer(403, "another web site asked for this", "open the page itself")
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


class ReadOnly:
    """Lets reading methods through; a HEAD is a GET whose body stays here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in READING_METHODS:
            allow = {"Allow": ", ".join(READING_METHODS)}
            answer = error_answer(405, f"{scope['method']} is not served here", "this API only reads", allow)
            await answer(scope, receive, send)
        elif _declared_body(scope) > MAX_BODY_BYTES:
            answer = error_answer(413, "the request's body is too large", f"at most {MAX_BODY_BYTES} bytes are read")
            await answer(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, _bounded(receive), _without_body(send))
        else:
            await self._app(scope, _bounded(receive), send)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; empty where it is none."""
    found = _HOST.fullmatch(host)
    return (found["ipv6"] or found["name"]).lower() if found else ""


def _declared_body(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _bounded(receive: Receive) -> Receive:
    """Ends the connection of who sends more than the bound without having declared it."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > MAX_BODY_BYTES else message

    return bounded


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only
