"""InfiniBand and RoCE ports: /sys/class/infiniband.

The kernel's ABI/stable/sysfs-class-infiniband and the manual of mlx5 explain the counters. A port whose adapter is
sick may keep the reader for ever; every port is asked on its own.
"""

from collections.abc import Sequence

from collector.samplers.devices.links import is_virtual_function
from collector.samplers.host.tree import Roots, names_in, number, word
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample

_OCTETS = 4  # the counters of data count words of four octets
_COUNTERS: tuple[tuple[str, str, int], ...] = (
    ("counters/port_rcv_data", "receive_bytes_total", _OCTETS),
    ("counters/port_xmit_data", "transmit_bytes_total", _OCTETS),
    ("counters/port_rcv_packets", "receive_packets_total", 1),
    ("counters/port_xmit_packets", "transmit_packets_total", 1),
    ("counters/port_rcv_errors", "receive_errors_total", 1),
    ("counters/port_rcv_remote_physical_errors", "receive_remote_physical_errors_total", 1),
    ("counters/port_xmit_discards", "transmit_discards_total", 1),
    ("counters/port_xmit_wait", "transmit_wait_ticks_total", 1),
    ("counters/symbol_error", "symbol_errors_total", 1),
    ("counters/link_error_recovery", "link_error_recoveries_total", 1),
    ("counters/link_downed", "link_downed_total", 1),
    ("counters/local_link_integrity_errors", "local_link_integrity_errors_total", 1),
    ("counters/excessive_buffer_overrun_errors", "excessive_buffer_overrun_errors_total", 1),
    ("hw_counters/out_of_sequence", "out_of_sequence_packets_total", 1),
    ("hw_counters/out_of_buffer", "out_of_buffer_drops_total", 1),
    ("hw_counters/packet_seq_err", "packet_sequence_errors_total", 1),
    ("hw_counters/local_ack_timeout_err", "ack_timeouts_total", 1),
    ("hw_counters/rnr_nak_retry_err", "rnr_nak_retries_total", 1),
    ("hw_counters/np_cnp_sent", "np_cnp_sent_total", 1),
    ("hw_counters/np_ecn_marked_roce_packets", "np_ecn_marked_packets_total", 1),
    ("hw_counters/rp_cnp_handled", "rp_cnp_handled_total", 1),
    ("hw_counters/rx_icrc_encapsulated", "icrc_errors_total", 1),
    ("hw_counters/roce_adp_retrans", "roce_adaptive_retransmits_total", 1),
    ("hw_counters/roce_adp_retrans_to", "roce_adaptive_retransmit_timeouts_total", 1),
)
_GIGABIT = 1e9 / 8


class Infiniband:
    """State, speed and counters of each port; a counter that its driver does not offer is absent.

    So is the speed of a virtual function, whose going is no loss: it moves into containers and back.
    """

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/class/infiniband"

    def devices(self) -> Sequence[str]:
        """Ports, as ``mlx5_0/1``."""
        return [
            f"{device}/{port}"
            for device in names_in(self._folder)
            for port in names_in(f"{self._folder}/{device}/ports")
        ]

    def read(self, device: str) -> list[Sample]:
        """One port's samples."""
        adapter, _, port = device.partition("/")
        folder = f"{self._folder}/{adapter}/ports/{port}"
        labels = ("device", adapter, "port", port)
        samples: list[Sample] = []
        state, physical = _state(f"{folder}/state"), _state(f"{folder}/phys_state")
        if state is not None:
            samples.append(gauge("infiniband_state_id", state, *labels))
        if physical is not None:
            samples.append(gauge("infiniband_physical_state_id", physical, *labels))
        speed = _speed(word(f"{folder}/rate"))
        if state == _ACTIVE and speed is not None and not is_virtual_function(f"{self._folder}/{adapter}"):
            samples.append(gauge("infiniband_speed_bytes", speed, *labels))
        samples.append(gauge("infiniband_info", 1, *self._identity(adapter, port, folder)))
        for file, name, factor in _COUNTERS:
            value = number(f"{folder}/{file}")
            if value is not None:
                samples.append(counter(f"infiniband_{name}", value * factor, *labels))
        return samples

    def _identity(self, adapter: str, port: str, folder: str) -> list[str]:
        told = {
            "board_id": word(f"{self._folder}/{adapter}/board_id"),
            "device": adapter,
            "firmware": word(f"{self._folder}/{adapter}/fw_ver"),
            "link_layer": word(f"{folder}/link_layer"),
            "port": port,
        }
        return [text for name, value in told.items() if value is not None for text in (name, value)]


_ACTIVE = 4


def _state(path: str) -> int | None:
    """The number in ``4: ACTIVE``."""
    text = (word(path) or "").partition(":")[0]
    return int(text) if text.isdigit() else None


def _speed(text: str | None) -> float | None:
    """Bytes a second of ``400 Gb/sec (4X NDR)``."""
    words = (text or "").split()
    try:
        return float(words[0]) * _GIGABIT if words[1] == "Gb/sec" else None
    except (IndexError, ValueError):
        return None
