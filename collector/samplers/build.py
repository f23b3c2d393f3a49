"""The sources that the settings ask for, GPUs excepted: those come from a process of their own."""

from collector.samplers.canary import Canary
from collector.samplers.endpoint import Endpoint
from collector.samplers.filesystems import Filesystems
from collector.samplers.host import Host
from collector.samplers.latency import Latency
from collector.settings import CollectorSettings, EndpointSettings
from collector.source import Source
from forewarn.base.clock import Clock


def build_sources(settings: CollectorSettings, clock: Clock) -> list[Source]:
    """Sources for the host, its file systems, the network and every endpoint."""
    host, patience = settings.host, settings.patience
    sources: list[Source] = []
    if host.cpu or host.memory or host.disks or host.network:
        sources.append(Host(host, patience))
    if host.filesystems:
        sources.append(Filesystems(host, patience))
    if settings.network.targets:
        sources.append(Latency(settings.network, patience, clock))
    for endpoint in settings.endpoint:
        sources.extend(endpoint_sources(endpoint, patience, clock))
    return sources


def endpoint_sources(endpoint: EndpointSettings, patience: float, clock: Clock) -> list[Source]:
    """The source of an endpoint's page, and its canary where one is wanted."""
    sources: list[Source] = [Endpoint(endpoint, patience, clock)]
    if endpoint.canary is not None:
        sources.append(Canary(endpoint, endpoint.canary, clock))
    return sources
