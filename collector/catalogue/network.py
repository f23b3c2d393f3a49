"""Metrics of the network: latency to far ends, interfaces, sockets."""

from typing import Literal

from collector.catalogue.model import Limit, Metric

_TARGET = ("target",)
_DEVICE = ("device",)
_CONNECT = "connect, TCP_INFO"
_SNMP = "/proc/net/snmp"
_NETSTAT = "/proc/net/netstat"
_SOCKSTAT = "/proc/net/sockstat"


def _far(
    name: str,
    unit: str,
    help: str,  # noqa: A002  the word of the field
    source: str = _CONNECT,
    core: int | None = None,
) -> Metric:
    return Metric(f"forewarn_network_{name}", "gauge", unit, help, _TARGET, source=source, core=core)


def _interface(name: str, unit: str, help: str, core: int | None = None) -> Metric:  # noqa: A002  the word of the field
    return Metric(
        f"forewarn_node_network_{name}_total",
        "counter",
        unit,
        help,
        _DEVICE,
        source="/proc/net/dev",
        core=core,
        node_exporter=f"node_network_{name}_total",
    )


def _socket(
    name: str,
    type: Literal["gauge", "counter"],  # noqa: A002  the words of the fields
    help: str,  # noqa: A002
    source: str,
    node_exporter: str | None = None,
    *,
    unit: str = "",
) -> Metric:
    return Metric(
        f"forewarn_node_{name}", type, unit, help, source=source, cadence="medium", node_exporter=node_exporter
    )


def _link(name: str, type: Literal["gauge", "counter"], unit: str, help: str) -> Metric:  # noqa: A002  as above
    return Metric(
        f"forewarn_node_network_{name}",
        type,
        unit,
        help,
        _DEVICE,
        source="/sys/class/net",
        cadence="medium",
        node_exporter=f"node_network_{name}",
    )


_LATENCY = (
    _far(
        "latency_seconds",
        "seconds",
        "Time that a TCP connect to the target took, as the kernel measured it; absent when it failed.",
        core=11,
    ),
    _far(
        "jitter_seconds",
        "seconds",
        "How much the latency changes from one connect to the next, smoothed over about sixteen (RFC 3550, 6.4.1).",
    ),
    _far("latency_min_seconds", "seconds", "Smallest latency of the window (network.window)."),
    _far("latency_mean_seconds", "seconds", "Mean latency of the window."),
    _far("latency_max_seconds", "seconds", "Largest latency of the window."),
    _far(
        "loss_ratio",
        "ratio",
        "Part of the window's connects that found no answer, or only to a repeated request; a refusal is an answer. "
        "Absent until there were ten.",
    ),
    _far(
        "resolve_duration_seconds",
        "seconds",
        "Time that the last look-up of the target's name took; absent for addresses.",
        source="getaddrinfo",
    ),
    Metric(
        "forewarn_network_failures_total",
        "counter",
        "",
        "Failed connects to the target, by reason: timeout, refused, unreachable or error; dns: failed look-ups of its "
        "name.",
        ("target", "code"),
        source=_CONNECT,
        core=11,
    ),
)

_INTERFACES = (
    _interface("receive_bytes", "bytes", "Bytes received by the interface.", core=11),
    _interface("transmit_bytes", "bytes", "Bytes sent by the interface.", core=11),
    _interface("receive_packets", "", "Packets received by the interface."),
    _interface("transmit_packets", "", "Packets sent by the interface."),
    _interface("receive_errs", "", "Errors of the interface while receiving.", core=11),
    _interface("transmit_errs", "", "Errors of the interface while sending.", core=11),
    _interface("receive_drop", "", "Received packets that were dropped."),
    _interface("transmit_drop", "", "Packets to send that were dropped."),
    _link("up", "gauge", "", "Whether the network card or bond has a link."),
    _link("speed_bytes", "gauge", "bytes", "Bytes a second that the link can carry; absent while it is down."),
    _link("carrier_changes_total", "counter", "", "Times that the link was lost or found."),
    Metric(
        "forewarn_node_bonding_slaves",
        "gauge",
        "",
        "Members of the bond.",
        ("master",),
        source="/sys/class/net",
        cadence="medium",
        node_exporter="node_bonding_slaves",
    ),
    Metric(
        "forewarn_node_bonding_active",
        "gauge",
        "",
        "Members of the bond that have a link.",
        ("master",),
        source="/sys/class/net",
        cadence="medium",
        node_exporter="node_bonding_active",
    ),
)

_SOCKETS = (
    _socket("tcp_connections_established", "gauge", "TCP connections.", _SNMP, "node_netstat_Tcp_CurrEstab"),
    _socket("tcp_sent_segments_total", "counter", "TCP segments sent.", _SNMP, "node_netstat_Tcp_OutSegs"),
    _socket(
        "tcp_retransmitted_segments_total", "counter", "TCP segments sent again.", _SNMP, "node_netstat_Tcp_RetransSegs"
    ),
    _socket("tcp_active_opens_total", "counter", "TCP connections begun here.", _SNMP, "node_netstat_Tcp_ActiveOpens"),
    _socket(
        "tcp_passive_opens_total", "counter", "TCP connections begun there.", _SNMP, "node_netstat_Tcp_PassiveOpens"
    ),
    _socket("tcp_failed_attempts_total", "counter", "TCP connections that did not come about.", _SNMP),
    _socket(
        "udp_receive_buffer_errors_total",
        "counter",
        "UDP packets dropped because the receiver's buffer was full.",
        _SNMP,
        "node_netstat_Udp_RcvbufErrors",
    ),
    _socket(
        "tcp_listen_overflows_total",
        "counter",
        "Connections refused because a server's queue was full.",
        _NETSTAT,
        "node_netstat_TcpExt_ListenOverflows",
    ),
    _socket(
        "tcp_listen_drops_total",
        "counter",
        "Connections that a server's socket dropped, full queues included.",
        _NETSTAT,
        "node_netstat_TcpExt_ListenDrops",
    ),
    _socket(
        "tcp_syn_retransmits_total",
        "counter",
        "Requests to connect that had to be repeated.",
        _NETSTAT,
        "node_netstat_TcpExt_TCPSynRetrans",
    ),
    _socket(
        "tcp_timeouts_total",
        "counter",
        "Retransmissions because no answer came in time.",
        _NETSTAT,
        "node_netstat_TcpExt_TCPTimeouts",
    ),
    _socket("sockets_used", "gauge", "Sockets in use.", _SOCKSTAT, "node_sockstat_sockets_used"),
    _socket("tcp_time_wait_sockets", "gauge", "TCP sockets in TIME_WAIT.", _SOCKSTAT, "node_sockstat_TCP_tw"),
    _socket("tcp_orphan_sockets", "gauge", "TCP sockets without a process.", _SOCKSTAT, "node_sockstat_TCP_orphan"),
    _socket(
        "tcp_memory_bytes", "gauge", "Memory of TCP's buffers.", _SOCKSTAT, "node_sockstat_TCP_mem_bytes", unit="bytes"
    ),
    _socket(
        "softnet_dropped_total",
        "counter",
        "Packets dropped because a processor's backlog was full.",
        "/proc/net/softnet_stat",
        "node_softnet_dropped_total",
    ),
    _socket(
        "softnet_times_squeezed_total",
        "counter",
        "Times that a processor had more packets than time.",
        "/proc/net/softnet_stat",
        "node_softnet_times_squeezed_total",
    ),
    Metric(
        "forewarn_node_nf_conntrack_entries",
        "gauge",
        "",
        "Connections that the firewall tracks.",
        source="/proc/sys/net/netfilter",
        cadence="medium",
        kind="gauge",
        limit=Limit(metric="forewarn_node_nf_conntrack_entries_limit", share=0.9),
        node_exporter="node_nf_conntrack_entries",
    ),
    _socket(
        "nf_conntrack_entries_limit",
        "gauge",
        "Connections that it can track.",
        "/proc/sys/net/netfilter",
        "node_nf_conntrack_entries_limit",
    ),
)

NETWORK_METRICS: tuple[Metric, ...] = (*_LATENCY, *_INTERFACES, *_SOCKETS)
