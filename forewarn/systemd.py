"""Talking to systemd: sd_notify(3), one datagram to ``$NOTIFY_SOCKET``; nothing happens outside systemd."""

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Notifier:
    """Sends READY, STATUS, WATCHDOG, RELOADING and STOPPING where systemd listens."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watchdog_pid = environ.get("WATCHDOG_PID")
        mine = watchdog_pid is None or int(watchdog_pid) == os.getpid()
        self.watchdog_seconds = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if mine else 0.0

    def ready(self, status: str) -> None:
        """The daemon serves."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def beat(self) -> None:
        """The main loop is alive."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """The configuration is being read again; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
            try:
                sender.sendto(message.encode(), address)
            except OSError as error:  # nobody listens: it was somebody else's environment
                log.debug("systemd was not told", extra={"message_": message, "error": str(error)})
