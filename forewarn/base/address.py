"""A host and a port, as settings name them."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"(?:\[(?P<ipv6>[^]\s]+)\]|(?P<host>[^][\s:/?#@]+)):(?P<port>[0-9]{1,5})")
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a port; ``port`` 0 lets the kernel choose where one listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that ``127.0.0.1:7470``, ``[::1]:7470`` or ``node.example:7470`` names.

        Raises:
            ValueError: the text is of no such form.
        """
        found = _FORM.fullmatch(text)
        if found is None or int(found["port"]) > HIGHEST_PORT or not (found["host"] or _is_ipv6(found["ipv6"])):
            raise ValueError(f"{text!r} is no address; write it like 127.0.0.1:7470 or [::1]:7470")
        return cls(found["host"] or found["ipv6"], int(found["port"]))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
