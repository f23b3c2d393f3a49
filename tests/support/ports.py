"""Ports for servers that cannot be told to take any free one, or must keep theirs over a restart."""

import random
import socket
from pathlib import Path

_chance = random.SystemRandom()  # the common generator is seeded alike in every process that runs tests


def free_port() -> int:
    """A port of loopback on which nobody listens, below those that the kernel hands out by itself.

    So nobody else takes it by chance before the server does, however many tests run beside this one.
    """
    first_of_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _chance.randrange(first_of_kernel // 2, first_of_kernel)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
