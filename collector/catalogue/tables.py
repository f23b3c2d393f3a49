"""The catalogue's tables put together."""

from collector.catalogue.alerts import ALERTS_METRICS
from collector.catalogue.daemon import DAEMON_METRICS
from collector.catalogue.disks import DISK_METRICS
from collector.catalogue.forecast import FORECAST_METRICS
from collector.catalogue.gpu import GPU_METRICS
from collector.catalogue.gpu_health import GPU_HEALTH_METRICS
from collector.catalogue.host import HOST_METRICS
from collector.catalogue.inference import INFERENCE_METRICS
from collector.catalogue.infiniband import INFINIBAND_METRICS
from collector.catalogue.logs import LOGS_METRICS
from collector.catalogue.memory import MEMORY_METRICS
from collector.catalogue.model import Metric
from collector.catalogue.network import NETWORK_METRICS
from collector.catalogue.processes import PROCESS_METRICS
from collector.catalogue.remote_write import REMOTE_WRITE_METRICS

CATALOGUE: dict[str, Metric] = {
    metric.name: metric
    for table in (
        GPU_METRICS,
        GPU_HEALTH_METRICS,
        PROCESS_METRICS,
        HOST_METRICS,
        MEMORY_METRICS,
        DISK_METRICS,
        NETWORK_METRICS,
        INFINIBAND_METRICS,
        INFERENCE_METRICS,
        FORECAST_METRICS,
        ALERTS_METRICS,
        LOGS_METRICS,
        DAEMON_METRICS,
        REMOTE_WRITE_METRICS,
    )
    for metric in table
}

_BY_SAMPLE: dict[str, Metric] = {name: metric for metric in CATALOGUE.values() for name in metric.sample_names}


def metric_of_sample(name: str) -> Metric | None:
    """The metric that a sample's name belongs to (``x_bucket`` to ``x``); None for foreign names."""
    return _BY_SAMPLE.get(name)


def core_metrics() -> dict[int, list[Metric]]:
    """The twelve core metrics of an inference node, by number."""
    core: dict[int, list[Metric]] = {}
    for metric in CATALOGUE.values():
        if metric.core is not None:
            core.setdefault(metric.core, []).append(metric)
    return dict(sorted(core.items()))
