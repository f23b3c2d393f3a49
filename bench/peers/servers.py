"""Peers as processes: started on a free port of this machine, waited for, ended."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import urllib3

from forewarn.base.errors import ForewarnError

_START_SECONDS = 30.0
_END_SECONDS = 20.0


class PeerError(ForewarnError):
    """A peer could not be measured."""


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def running(
    command: Callable[[int], Sequence[str]], path: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[tuple[int, str]]:
    """A server: its process id, and its address.

    Args:
        command: gives the command for a port.
        path: what answers with status 200 once it serves.
        log: where its output goes.
        env: variables besides this process's.

    Raises:
        PeerError: it does not serve.
    """
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(port), stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url + path, log)
            yield process.pid, url
        finally:
            process.terminate()
            process.wait(_END_SECONDS)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if urllib3.request("GET", url, timeout=5, retries=False).status == 200:
                return
        time.sleep(0.1)
    raise PeerError(f"{process.args!r} does not serve", hint=log.read_text(errors="replace")[-500:])
