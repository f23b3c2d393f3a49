"""Network links: whether they are up, how fast, how often they were lost, and which bonds lack a member.

Reading the speed of a link takes the kernel's lock on all of them, which a driver in trouble may hold for long.
"""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase

from collector.samplers.host.tree import Roots, names_in, number, word
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample

_MEGABIT = 1e6 / 8


def is_virtual_function(folder: str) -> bool:
    """Whether the device of a folder of /sys/class is a virtual function of a PCI device (SR-IOV)."""
    return os.path.exists(f"{folder}/device/physfn")  # noqa: PTH110  no Path for each device


class Links:
    """What /sys/class/net tells of network cards and bonds; of what is neither, nothing: it has no link to lose.

    Virtual functions of a card are left out too: they move into containers and back.
    """

    def __init__(self, roots: Roots, ignored: Sequence[str]) -> None:
        self._folder = f"{roots.sys}/class/net"
        self._ignored = tuple(ignored)

    def devices(self) -> Sequence[str]:
        """Interfaces that are watched."""
        return [name for name in names_in(self._folder) if not any(fnmatchcase(name, each) for each in self._ignored)]

    def read(self, device: str) -> list[Sample]:
        """One interface's samples."""
        folder = f"{self._folder}/{device}"
        inside = names_in(folder)
        members = word(f"{folder}/bonding/slaves") if "bonding" in inside else None
        card = "device" in inside and not is_virtual_function(folder)
        if not card and "bonding" not in inside:
            return []
        up = word(f"{folder}/operstate") == "up"
        samples = [gauge("network_up", up, "device", device)]
        speed = number(f"{folder}/speed") if up else None
        if speed is not None and speed > 0:  # -1 where the driver does not know
            samples.append(gauge("network_speed_bytes", speed * _MEGABIT, "device", device))
        changes = number(f"{folder}/carrier_changes")
        if changes is not None:
            samples.append(counter("network_carrier_changes_total", changes, "device", device))
        if "bonding" in inside:
            names = (members or "").split()
            active = sum(word(f"{self._folder}/{name}/bonding_slave/mii_status") == "up" for name in names)
            samples.append(gauge("bonding_slaves", len(names), "master", device))
            samples.append(gauge("bonding_active", active, "master", device))
        return samples
