"""Where a webhook may go: checked when it is sent, on the addresses that are then connected to.

Receivers are normally private addresses, so those are let through; the addresses by which clouds hand out credentials,
and others that no receiver has, are refused whatever name leads to them.
"""

import ipaddress
import socket
from collections.abc import Callable

from forewarn.base.errors import ForewarnError

_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure
        "192.0.0.192/32",  # Oracle Cloud
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # AWS
        "fd20:ce::254/128",  # Google Cloud
    )
)

Resolve = Callable[[str, int], list[str]]


class RefusedAddressError(ForewarnError):
    """A webhook's name leads to an address that no webhook may go to."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order of the system's preference.

    Raises:
        OSError: the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check(host: str, addresses: list[str]) -> None:
    """Refuse a name if any of its addresses is one that no webhook may go to.

    Raises:
        RefusedAddressError: one is.
    """
    for text in addresses:
        if _is_refused(text):
            raise RefusedAddressError(
                f"{host} is {text}, a link-local or metadata address", hint="give the receiver's own address"
            )


def _is_refused(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    return any(inner.version == network.version and inner in network for network in _REFUSED)
