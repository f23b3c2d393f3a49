"""How the program speaks of series, durations and times."""

from datetime import UTC, datetime

from collector.catalogue import Kind
from collector.series import SeriesKey
from forewarn.base import words

TITLES: dict[str, str] = {
    "forewarn_gpu_memory_used_bytes": "GPU {gpu} memory",
    "forewarn_gpu_utilization_ratio": "GPU {gpu} utilization",
    "forewarn_gpu_temperature_celsius": "GPU {gpu} temperature",
    "forewarn_gpu_power_watts": "GPU {gpu} power",
    "forewarn_node_memory_available_bytes": "host memory",
    "forewarn_node_cpu_utilization_ratio": "host CPU",
    "forewarn_node_filesystem_avail_bytes": "filesystem {mountpoint}",
    "forewarn_inference_requests_waiting": "inference queue",
    "forewarn_inference_requests_running": "running requests",
    "forewarn_inference_request_duration_seconds": "request latency",
    "forewarn_inference_time_to_first_token_seconds": "time to first token",
    "forewarn_inference_kv_cache_usage_ratio": "KV cache",
    "forewarn_canary_duration_seconds": "canary request",
    "forewarn_network_latency_seconds": "latency to {target}",
    "forewarn_imported_value": "{series}",
}
QUIET_LABELS = frozenset({"simulated", "uuid", "hostname", "server", "endpoint"})
"""Labels that do not help a reader to tell two targets apart."""
_EXPECTED: dict[Kind, tuple[str, str]] = {
    "fill": ("expected to be full", "is full"),
    "allocation": ("expected to be used up", "is used up"),
    "gauge": ("expected to reach its limit", "has reached its limit"),
    "saturated": ("expected to be saturated", "is saturated"),
}
UNITS = ("bytes", "ratio", "seconds", "celsius", "watts", "hertz", "joules", "total", "value")


def title_of(key: SeriesKey) -> str:
    """A series' name as people say it: ``GPU 3 memory``, ``filesystem /var``, ``inference queue (llama)``."""
    labels = dict(key.labels)
    template = TITLES.get(key.name)
    if template is None:
        template = _plain(key.name)
    used = {name for name in labels if f"{{{name}}}" in template}
    text = template.format_map(_Blank(labels)).strip()
    rest = [value for name, value in labels.items() if name not in used and name not in QUIET_LABELS]
    return f"{text} ({', '.join(rest)})" if rest else text


def expected(kind: Kind, limit: str, *, below: bool) -> str:
    """What a capacity of this kind is expected to do; ``limit`` in words, empty where a number would say nothing."""
    return f"expected to {'fall to' if below else 'reach'} {limit}" if limit else _EXPECTED[kind][0]


def reached(kind: Kind, limit: str, *, below: bool) -> str:
    """What such a capacity has done where its limit is crossed already."""
    return f"has {'fallen to' if below else 'reached'} {limit}" if limit else _EXPECTED[kind][1]


def duration(ms: int) -> str:
    """A span to the minute, in its two largest units: ``2 d 4 h``, ``5 h 20 min``, ``12 min``."""
    minutes = max(0, round(ms / 60_000))
    return words.duration(minutes * 60) if minutes else "0 min"


def clock_time(ms: int) -> str:
    """A moment within the coming days: ``Thu 14:00 UTC``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%a %H:%M UTC")


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 GPU``, ``8 GPUs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(name: str) -> str:
    parts = name.removeprefix("forewarn_").replace(":", " ").split("_")
    while len(parts) > 1 and parts[-1] in UNITS:
        parts.pop()
    return " ".join(parts)


class _Blank(dict[str, str]):
    """Labels for a template; one that is missing reads as nothing."""

    def __missing__(self, name: str) -> str:
        return ""
