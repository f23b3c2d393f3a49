"""Short words for what went wrong, as they appear in the label ``code``."""

import errno
import re
import socket
import ssl

import urllib3.exceptions as http

from collector.source import CollectError
from forewarn.base.lane import StuckError

_CONNECTION = re.compile(r"^HTTPS?Connection(Pool)?\(.*?\): ")
_BY_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.ETIMEDOUT: "timeout",
}
_BY_TYPE: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((StuckError,), "stuck"),
    ((http.NameResolutionError, socket.gaierror, UnicodeError), "dns"),
    ((http.SSLError, ssl.SSLError), "tls"),
    ((http.IncompleteRead,), "truncated"),
    ((TimeoutError, http.TimeoutError), "timeout"),
)


def failure_code(error: BaseException) -> str:
    """The word for an error of the network, the kernel or an HTTP exchange; ``error`` where none fits."""
    if isinstance(error, CollectError):
        return error.code
    seen: BaseException | None = error
    while seen is not None:
        # NewConnectionError is a TimeoutError to urllib3 although it wraps refusals too: what it wraps comes first.
        if not isinstance(seen, http.NewConnectionError) or isinstance(seen, http.NameResolutionError):
            for types, code in _BY_TYPE:
                if isinstance(seen, types):
                    return code
            if isinstance(seen, OSError) and seen.errno in _BY_ERRNO:
                return _BY_ERRNO[seen.errno]
        seen = seen.__cause__ or seen.__context__
    return "http" if isinstance(error, http.HTTPError) else "error"


def said(error: BaseException) -> str:
    """What an error says, without the connection that urllib3 puts before it."""
    text = str(error.args[-1] if len(error.args) > 1 else error) if isinstance(error, http.HTTPError) else str(error)
    return _CONNECTION.sub("", text)
