"""Software RAID: /sys/block/md*/md (kernel: admin-guide/md.rst)."""

from collections.abc import Sequence

from collector.samplers.host.tree import Roots, names_in, number, word
from collector.samplers.series_keys import gauge
from collector.series import Sample

_REBUILDING = frozenset({"resync", "recover", "reshape"})


class Raid:
    """Members that each array needs and lacks, and whether it is being rebuilt."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/block"

    def devices(self) -> Sequence[str]:
        """Arrays."""
        return [name for name in names_in(self._folder) if name.startswith("md")]

    def read(self, device: str) -> list[Sample]:
        """One array's samples; linear and striped arrays have no members to spare, and of them it is only the size."""
        folder = f"{self._folder}/{device}/md"
        needed, missing = number(f"{folder}/raid_disks"), number(f"{folder}/degraded")
        samples = []
        if needed is not None:
            samples.append(gauge("md_disks_required", needed, "device", device))
        if missing is not None:
            samples.append(gauge("md_disks_missing", missing, "device", device))
        action = word(f"{folder}/sync_action")
        if action is not None:
            samples.append(gauge("md_rebuilding", action in _REBUILDING, "device", device))
        return samples
