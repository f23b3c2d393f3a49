"""Network traffic and sockets: /proc/net, and connection tracking."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from collector.samplers.host.tree import Roots, number, read_text
from collector.samplers.series_keys import counter, gauge, table
from collector.series import Sample

# Columns of /proc/net/dev after the colon.
_COLUMNS = (
    (0, "network_receive_bytes_total"),
    (1, "network_receive_packets_total"),
    (2, "network_receive_errs_total"),
    (3, "network_receive_drop_total"),
    (8, "network_transmit_bytes_total"),
    (9, "network_transmit_packets_total"),
    (10, "network_transmit_errs_total"),
    (11, "network_transmit_drop_total"),
)
_SNMP = {
    "Tcp CurrEstab": "tcp_connections_established",
    "Tcp OutSegs": "tcp_sent_segments_total",
    "Tcp RetransSegs": "tcp_retransmitted_segments_total",
    "Tcp ActiveOpens": "tcp_active_opens_total",
    "Tcp PassiveOpens": "tcp_passive_opens_total",
    "Tcp AttemptFails": "tcp_failed_attempts_total",
    "Udp RcvbufErrors": "udp_receive_buffer_errors_total",
}
_NETSTAT = {
    "TcpExt ListenOverflows": "tcp_listen_overflows_total",
    "TcpExt ListenDrops": "tcp_listen_drops_total",
    "TcpExt TCPSynRetrans": "tcp_syn_retransmits_total",
    "TcpExt TCPTimeouts": "tcp_timeouts_total",
}
_SOCKSTAT = {"sockets used": "sockets_used", "TCP tw": "tcp_time_wait_sockets", "TCP orphan": "tcp_orphan_sockets"}


class Interfaces:
    """Bytes, packets, errors and drops of each network interface."""

    def __init__(self, roots: Roots, ignored: Sequence[str]) -> None:
        self._path = f"{roots.proc}/net/dev"
        self._ignored = tuple(ignored)
        self._wanted: dict[str, bool] = {}

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        for line in read_text(self._path).splitlines()[2:]:
            device, separator, rest = line.rpartition(":")
            device = device.strip()
            if not separator or not self._wants(device):
                continue
            fields = rest.split()
            for column, name in _COLUMNS:
                yield counter(name, int(fields[column]), "device", device)

    def _wants(self, device: str) -> bool:
        wanted = self._wanted.get(device)
        if wanted is None:
            wanted = not any(fnmatchcase(device, pattern) for pattern in self._ignored)
            self._wanted[device] = wanted
        return wanted


def paired_lines(text: str) -> dict[str, int]:
    """Values of /proc/net/snmp and /proc/net/netstat, as ``Tcp CurrEstab``: a line of names, then one of numbers."""
    found: dict[str, int] = {}
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        prefix, _, columns = names.partition(":")
        found |= {
            f"{prefix} {column}": int(value)
            for column, value in zip(columns.split(), values.partition(":")[2].split(), strict=False)
        }
    return found


class Sockets:
    """TCP and UDP as the kernel counts them, and the sockets in use."""

    def __init__(self, roots: Roots) -> None:
        self._net = f"{roots.proc}/net"
        self._page = os.sysconf("SC_PAGE_SIZE")

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        yield from table(paired_lines(read_text(f"{self._net}/snmp")), _SNMP)
        yield from table(paired_lines(read_text(f"{self._net}/netstat")), _NETSTAT)
        found: dict[str, int] = {}
        for line in read_text(f"{self._net}/sockstat").splitlines():
            prefix, _, rest = line.partition(":")
            words = rest.split()
            found |= {f"{prefix} {name}": int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
        yield from table(found, _SOCKSTAT)
        if "TCP mem" in found:
            yield gauge("tcp_memory_bytes", found["TCP mem"] * self._page)


class Softnet:
    """Packets that the processors had no room or no time for, before any protocol saw them."""

    def __init__(self, roots: Roots) -> None:
        self._path = f"{roots.proc}/net/softnet_stat"

    def __call__(self) -> Iterator[Sample]:
        """The samples: columns 1 and 2 of all processors, in hexadecimal."""
        rows = [line.split() for line in read_text(self._path).splitlines()]
        yield counter("softnet_dropped_total", sum(int(row[1], 16) for row in rows))
        yield counter("softnet_times_squeezed_total", sum(int(row[2], 16) for row in rows))


class Conntrack:
    """Connections that are tracked, and how many can be; nothing where none are."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.proc}/sys/net/netfilter"

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        entries, limit = number(f"{self._folder}/nf_conntrack_count"), number(f"{self._folder}/nf_conntrack_max")
        if entries is not None and limit:
            yield gauge("nf_conntrack_entries", entries)
            yield gauge("nf_conntrack_entries_limit", limit)
