"""Two GPU nodes as exporters recorded them, for imports: what each series was is a function of time."""

import numpy as np
import numpy.typing as npt

from tests.support.history_servers import Recorded, series

SCRAPE_MS = 60_000
MIB = 1048576.0
UUIDS = {
    "gpu-a": ("GPU-aaaaaaaa-0000-0000-0000-000000000000", "GPU-aaaaaaaa-0000-0000-0000-000000000001"),
    "gpu-b": ("GPU-bbbbbbbb-0000-0000-0000-000000000000", "GPU-bbbbbbbb-0000-0000-0000-000000000001"),
}
HOSTS = {"gpu-a": "10.0.0.1", "gpu-b": "10.0.0.2"}
Values = npt.NDArray[np.float64]


def level(times_ms: npt.NDArray[np.int64], low: float, high: float, shift: int = 0) -> Values:
    """A whole number with a daily shape."""
    hours = (times_ms / 3_600_000 + shift) % 24
    return np.floor(low + (high - low) * (0.5 - 0.5 * np.cos(hours / 24 * 2 * np.pi)))


def grows(times_ms: npt.NDArray[np.int64], a_second: float) -> Values:
    return np.floor(times_ms / 1000 * a_second) % 1e12


def fleet(end_ms: int, days: float, *, scrape_ms: int = SCRAPE_MS, offset_ms: int = 7_000) -> Recorded:
    """What a Prometheus holds of both nodes: DCGM (renamed half-way), node_exporter, vLLM; scraped off the minute."""
    first = (end_ms - round(days * 86_400_000)) // scrape_ms * scrape_ms + offset_ms
    times = np.arange(first, end_ms - scrape_ms, scrape_ms, dtype=np.int64)
    half = len(times) // 2
    found: Recorded = {}
    for number, (name, uuids) in enumerate(UUIDS.items()):
        host = HOSTS[name]
        for gpu, uuid in enumerate(uuids):
            old = {"gpu": str(gpu), "UUID": uuid, "device": f"nvidia{gpu}", "modelName": "NVIDIA H100 80GB HBM3"}
            old |= {"instance": f"{host}:9400", "job": "dcgm", "Hostname": name, "pci_bus_id": f"00000000:0{gpu}:00.0"}
            new = {key: value for key, value in old.items() if key != "Hostname"} | {"hostname": name}
            shift = 10 * number + gpu
            gauges = {
                ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_USED"): level(times, 20_000, 70_000, shift),
                ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO"): level(times, 5, 97, shift),
                ("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS"): level(times, 30, 70, shift),
                ("DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_SM_CLOCK"): level(times, 345, 1980, shift),
                ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",) * 2: grows(times, 300_000 + gpu),
                ("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR"): np.zeros(len(times)),
            }
            for (before, after), values in gauges.items():
                found[series(before, old)] = times[:half], values[:half]
                found[series(after, new)] = times[half:], values[half:]
        node = {"instance": f"{host}:9100", "job": "node"}
        found[series("node_uname_info", {**node, "nodename": name})] = times, np.ones(len(times))
        found[series("node_load1", node)] = times, level(times, 1, 60) / 4
        found[series("node_memory_MemAvailable_bytes", node)] = times, level(times, 1e11, 5e11)
        disk = {**node, "mountpoint": "/data", "fstype": "ext4", "device": "/dev/nvme0n1"}
        found[series("node_filesystem_avail_bytes", disk)] = times, level(times, 1e12, 2e12)
        memory = {**node, "mountpoint": "/run", "fstype": "tmpfs", "device": "tmpfs"}
        found[series("node_filesystem_avail_bytes", memory)] = times, level(times, 1e9, 2e9)
        net = {**node, "device": "eth0"}
        found[series("node_network_receive_bytes_total", net)] = times, grows(times, 1e6)
        found[series("node_disk_io_time_seconds_total", {**node, "device": "nvme0n1"})] = times, times / 4000 % 1e9
        for cpu in range(2):
            found[series("node_softnet_dropped_total", {**node, "cpu": str(cpu)})] = times, grows(times, cpu + 1)
            for mode, share in (("idle", 0.6), ("iowait", 0.1), ("user", 0.25), ("system", 0.05)):
                labels = {**node, "cpu": str(cpu), "mode": mode}
                found[series("node_cpu_seconds_total", labels)] = times, times / 1000 * share % 1e9
        for engine in range(2):
            vllm = {"instance": f"{host}:8000", "job": "vllm", "model_name": "llama", "engine": str(engine)}
            found[series("vllm:num_requests_waiting", vllm)] = times, level(times, 0, 40, engine)
            found[series("vllm:kv_cache_usage_perc", vllm)] = times, level(times, 0, 90 + engine) / 100
            for bound, share in (("0.1", 0.2), ("1.0", 0.9), ("+Inf", 1.0)):
                bucket = series("vllm:time_to_first_token_seconds_bucket", {**vllm, "le": bound})
                found[bucket] = times, np.floor(grows(times, 3) * share)
            found[series("vllm:time_to_first_token_seconds_count", vllm)] = times, grows(times, 3)
            found[series("vllm:time_to_first_token_seconds_sum", vllm)] = times, grows(times, 3) * 0.5
    return found
