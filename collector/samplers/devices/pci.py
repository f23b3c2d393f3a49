"""Errors of PCI Express that the kernel has counted (AER; kernel: ABI/testing/sysfs-bus-pci-devices-aer_stats)."""

from collections.abc import Sequence

from collector.samplers.host.tree import Roots, names_in, word
from collector.samplers.series_keys import counter
from collector.series import Sample

_CLASSES = frozenset({"01", "02", "03", "12"})
"""Storage, network, display and accelerators: what an inference node depends on. Bridges repeat what these tell."""
_SEVERITIES = (
    ("correctable", "TOTAL_ERR_COR"),
    ("nonfatal", "TOTAL_ERR_NONFATAL"),
    ("fatal", "TOTAL_ERR_FATAL"),
)


class PciErrors:
    """Errors by device and severity; a device without AER, or that the firmware watches alone, is left out."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/bus/pci/devices"
        self._wanted: dict[str, bool] = {}

    def devices(self) -> Sequence[str]:
        """Addresses, as ``0000:5e:00.0``."""
        return [address for address in names_in(self._folder) if self._wants(address)]

    def read(self, device: str) -> list[Sample]:
        """One device's samples."""
        samples = []
        for severity, total in _SEVERITIES:
            text = word(f"{self._folder}/{device}/aer_dev_{severity}") or ""
            for line in text.split("\n"):
                name, _, value = line.rpartition(" ")
                if name == total:
                    samples.append(counter("pci_errors_total", int(value), "device", device, "severity", severity))
        return samples

    def _wants(self, address: str) -> bool:
        if address not in self._wanted:
            kind = (word(f"{self._folder}/{address}/class") or "").removeprefix("0x")[:2]
            told = f"aer_dev_{_SEVERITIES[0][0]}"
            self._wanted[address] = kind in _CLASSES and told in names_in(f"{self._folder}/{address}")
        return self._wanted[address]
