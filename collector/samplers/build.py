"""The sources that the settings ask for, GPUs excepted: those come from a process of their own."""

from collector.samplers.devices.infiniband import Infiniband
from collector.samplers.devices.links import Links
from collector.samplers.devices.nvme import Nvme
from collector.samplers.devices.pci import PciErrors
from collector.samplers.devices.raid import Raid
from collector.samplers.devices.rota import Look, Rota
from collector.samplers.devices.sensors import MemoryErrors, Temperatures, Throttling
from collector.samplers.endpoints.canary import Canary
from collector.samplers.endpoints.endpoint import Endpoint
from collector.samplers.host.filesystems import Filesystems
from collector.samplers.host.source import MEDIUM, SLOW, Host
from collector.samplers.host.tree import Roots
from collector.samplers.network.latency import Latency
from collector.settings import CollectorSettings, EndpointSettings, HostSettings
from collector.source import Source
from forewarn.base.clock import Clock


def build_sources(settings: CollectorSettings, clock: Clock, roots: Roots | None = None) -> list[Source]:
    """Sources for the host, its file systems and devices, the network and every endpoint."""
    host, patience = settings.host, settings.patience
    roots = roots or Roots()
    sources: list[Source] = []
    if host.cpu or host.memory or host.disks or host.network:
        sources.append(Host(host, patience, clock, roots))
    if host.filesystems:
        sources.append(Filesystems(host, patience))
    sources.extend(Rota(name, look, clock, every=every, patience=patience) for name, look, every in _looks(host, roots))
    if settings.network.targets:
        sources.append(Latency(settings.network, patience, clock))
    for endpoint in settings.endpoint:
        sources.extend(endpoint_sources(endpoint, patience, clock))
    return sources


def _looks(host: HostSettings, roots: Roots) -> list[tuple[str, Look, float]]:
    """What to look at beside the rounds, and every how many seconds.

    Ports, drives and arrays may come later (a fabric's driver is loaded late, and anew after an update); of the
    others only what this host has at the start.
    """
    coming: tuple[tuple[bool, str, Look, float], ...] = (
        (host.network, "links", Links(roots, host.ignore_interfaces), MEDIUM),
        (host.infiniband, "infiniband", Infiniband(roots), MEDIUM),
        (host.disk_health, "nvme", Nvme(roots), SLOW),
        (host.disk_health, "raid", Raid(roots), MEDIUM),
    )
    lasting: tuple[tuple[bool, str, Look, float], ...] = (
        (host.sensors, "temperatures", Temperatures(roots), MEDIUM),
        (host.sensors, "memory_errors", MemoryErrors(roots), MEDIUM),
        (host.sensors, "throttling", Throttling(roots), MEDIUM),
        (host.sensors, "pci_errors", PciErrors(roots), MEDIUM),
    )
    present = [each for each in lasting if each[0] and each[2].devices()]
    return [(name, look, every) for wanted, name, look, every in (*coming, *present) if wanted]


def endpoint_sources(endpoint: EndpointSettings, patience: float, clock: Clock) -> list[Source]:
    """The source of an endpoint's page, and its canary where one is wanted."""
    sources: list[Source] = [Endpoint(endpoint, patience, clock)]
    if endpoint.canary is not None:
        sources.append(Canary(endpoint, endpoint.canary, clock))
    return sources
