"""Temperatures of the host's chips (/sys/class/hwmon), errors of its memory (EDAC), processors slowed down."""

import os
import re
from collections.abc import Sequence

from collector.samplers.host.tree import Roots, names_in, number, word
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample, SeriesKey

_INPUT = re.compile(r"temp(\d+)_input")
_CORE = re.compile(r"(Core|Tccd) ?\d+")
_LIMITS = range(1, 200)
"""Limits in degrees that are believed: chips without one say 0, -273 or 65261."""
_TEMPERATURES = range(-50, 127)
"""Temperatures that are believed: an input with nothing on it reads 127 or -128."""


class Temperatures:
    """Each chip's temperatures, and the one that is critical; cores within a processor are left to its package."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/class/hwmon"

    def devices(self) -> Sequence[str]:
        """Chips, by the kernel's number for them."""
        return names_in(self._folder)

    def read(self, device: str) -> list[Sample]:
        """One chip's samples."""
        folder = f"{self._folder}/{device}"
        chip = self._name(folder)
        samples: dict[SeriesKey, Sample] = {}
        for name in names_in(folder):
            found = _INPUT.fullmatch(name)
            if found is None:
                continue
            stem = f"{folder}/temp{found[1]}"
            sensor = word(f"{stem}_label") or f"temp{found[1]}"
            value = None if _CORE.fullmatch(sensor) else number(f"{stem}_input")
            if value is None or value // 1000 not in _TEMPERATURES:
                continue
            labels = ("chip", chip, "sensor", sensor)
            sample = gauge("hwmon_temp_celsius", value / 1000, *labels)
            if sample.key in samples:  # a chip that gives two inputs one label
                labels = ("chip", chip, "sensor", f"{sensor} {found[1]}")
                sample = gauge("hwmon_temp_celsius", value / 1000, *labels)
            samples[sample.key] = sample
            critical = number(f"{stem}_crit")
            if critical is not None and critical // 1000 in _LIMITS:
                limit = gauge("hwmon_temp_crit_celsius", critical / 1000, *labels)
                samples[limit.key] = limit
        return list(samples.values())

    def _name(self, folder: str) -> str:
        """The chip's name and the device it sits in: hwmon numbers change from boot to boot."""
        name = word(f"{folder}/name") or "unknown"
        try:
            device = os.path.basename(os.readlink(f"{folder}/device"))  # noqa: PTH115,PTH119  no Path for each chip
        except OSError:
            return name
        return device if device.startswith(name) else f"{name}_{device}"


class MemoryErrors:
    """Memory errors that were corrected, or could not be, by memory controller."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/devices/system/edac/mc"

    def devices(self) -> Sequence[str]:
        """Memory controllers."""
        return [name for name in names_in(self._folder) if name.startswith("mc") and name[2:].isdigit()]

    def read(self, device: str) -> list[Sample]:
        """One controller's samples."""
        samples = []
        for file, name in (("ce_count", "correctable"), ("ue_count", "uncorrectable")):
            value = number(f"{self._folder}/{device}/{file}")
            if value is not None:
                samples.append(counter(f"edac_{name}_errors_total", value, "controller", device[2:]))
        return samples


class Throttling:
    """Times that a processor package was slowed down for its temperature (Intel's thermal_throttle)."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/devices/system/cpu"
        self._packages: dict[str, str] = {}

    def devices(self) -> Sequence[str]:
        """Packages; each is asked through the first of its processors, for all of them tell the same."""
        if not self._packages:
            for name in names_in(self._folder):
                package = number(f"{self._folder}/{name}/topology/physical_package_id")
                count = f"{self._folder}/{name}/thermal_throttle/package_throttle_count"
                if package is not None and str(package) not in self._packages and os.path.exists(count):  # noqa: PTH110  no Path for each processor
                    self._packages[str(package)] = count
        return list(self._packages)

    def read(self, device: str) -> list[Sample]:
        """One package's sample."""
        count = number(self._packages[device])
        return [] if count is None else [counter("cpu_package_throttles_total", count, "package", device)]
