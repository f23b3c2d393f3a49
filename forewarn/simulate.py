"""A simulated node: eight GPUs serving a language model, as functions of time.

Every series is a sum of a line and sine waves (a day, a week, and faster ones), so that its value and its integral are
known at any moment: four weeks of history and the samples of the running demo come from the same curves. One GPU's
memory leaks and one disk fills, both so that they reach their limits within three days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.series import Labels, Sample, SeriesKey, labels_of
from forewarn.base.clock import DAY, HOUR, MINUTE, SECOND

Times = NDArray[np.int64]
Values = NDArray[np.float64]

GPUS = 8
GIB = 2.0**30
GPU_MEMORY = 80 * GIB
HISTORY_DAYS = 28
STEP_MS = 5 * MINUTE
LEAKING_GPU, LEAK_REACHES_LIMIT_MS = 3, 62 * HOUR
DISK_SIZE, DISK_FULL_IN_MS = 3.5e12, 58 * HOUR
GPU_QUIET_COUNTERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("gpu_throttled_seconds_total", {"reason": "sw_power_cap"}),
    ("gpu_throttled_seconds_total", {"reason": "hw_thermal"}),
    ("gpu_ecc_errors_total", {"type": "uncorrected", "scope": "volatile"}),
)
GRAINS: dict[str, float] = {
    "forewarn_gpu_utilization_ratio": 0.01,
    "forewarn_gpu_sm_activity_ratio": 1e-4,
    "forewarn_gpu_tensor_activity_ratio": 1e-4,
    "forewarn_gpu_dram_activity_ratio": 1e-4,
    "forewarn_gpu_memory_used_bytes": 2 * 2.0**20,
    "forewarn_gpu_temperature_celsius": 1.0,
    "forewarn_gpu_power_watts": 1e-3,
    "forewarn_gpu_energy_joules_total": 1e-3,
}
"""Steps in which the hardware tells what it measures: percents, pages of 2 MiB, degrees, milliwatts, millijoules."""
SIMULATED: Labels = (("simulated", "true"),)


@dataclass(frozen=True)
class Wave:
    """``amplitude * sin(2 pi t / period + phase)``, periods in milliseconds."""

    amplitude: float
    period: float
    phase: float


@dataclass(frozen=True)
class Curve:
    """A line through ``level`` at ``origin`` with ``slope`` a day, waves and noise on it, clipped to [low, high]."""

    level: float
    waves: tuple[Wave, ...] = ()
    slope: float = 0.0
    origin: int = 0
    low: float = 0.0
    high: float = np.inf
    noise: float = 0.0

    def at(self, times: Times) -> Values:
        """Values at times in milliseconds."""
        days = (times - self.origin) / DAY
        total = self.level + self.slope * days
        for wave in self.waves:
            total = total + wave.amplitude * np.sin(2 * np.pi * (times / wave.period) + wave.phase)
        if self.noise:
            total = total + self.noise * _noise(times, self.level)
        return np.clip(total, self.low, self.high)

    def integral(self, times: Times) -> Values:
        """The integral over seconds since ``origin``, of the curve before clipping: a counter that grows."""
        elapsed = (times - self.origin) / SECOND
        total = self.level * elapsed + self.slope / 2 * (elapsed * SECOND / DAY) * elapsed
        for wave in self.waves:
            angular = 2 * np.pi / (wave.period / SECOND)
            start = np.cos(2 * np.pi * (self.origin / wave.period) + wave.phase)
            now = np.cos(2 * np.pi * (times / wave.period) + wave.phase)
            total = total + wave.amplitude / angular * (start - now)
        return total


def _noise(times: Times, salt: float) -> Values:
    """Numbers in (-1, 1) that look random and are the same at every call: the fraction of a steep sine."""
    steep = np.sin((times / SECOND % DAY) * 12.9898 + salt * 78.233) * 43758.5453
    return 2 * (steep - np.floor(steep)) - 1


@dataclass(frozen=True)
class Simulated:
    """One simulated series; a counter is the integral of its curve."""

    key: SeriesKey
    curve: Curve
    counter: bool = False

    def at(self, times: Times) -> Values:
        """Its values at times in milliseconds."""
        values = self.curve.integral(times) if self.counter else self.curve.at(times)
        grain = GRAINS.get(self.key.name)
        return values if grain is None else np.rint(values / grain) * grain


class Node:
    """The simulated node.

    Args:
        now_ms: the moment around which the leaks are laid out.
        seed: decides phases and levels.
    """

    def __init__(self, now_ms: int, seed: int = 7) -> None:
        self._now = now_ms
        self._origin = now_ms - HISTORY_DAYS * DAY
        self._random = np.random.default_rng(seed)
        self.series: tuple[Simulated, ...] = tuple(self._build())

    def history(self) -> tuple[Times, Iterator[tuple[Simulated, Values]]]:
        """Four weeks at five-minute steps up to now: the time stamps, and each series with its values."""
        last = self._now - self._now % STEP_MS
        times = np.arange(last - HISTORY_DAYS * DAY, last, STEP_MS, dtype=np.int64)
        return times, ((series, series.at(times)) for series in self.series)

    def samples(self, time_ms: int) -> Sequence[Sample]:
        """What the node shows at one moment."""
        moment = np.array([time_ms], dtype=np.int64)
        return [Sample(series.key, float(series.at(moment)[0]), series.counter) for series in self.series]

    def _build(self) -> Iterator[Simulated]:
        for gpu in range(GPUS):
            yield from self._gpu(gpu)
        yield from self._host()
        yield from self._inference()

    def _load(self, level: float, swing: float, *, high: float = 1.0) -> Curve:
        """A load with a working day (peak at 14:00 UTC), a week, and faster movements."""
        noon = -2 * np.pi * (14 * HOUR % DAY) / DAY + np.pi / 2
        monday = float(self._random.uniform(0, 0.5))
        waves = [Wave(swing, DAY, noon), Wave(swing / 4, DAY / 2, noon * 2), Wave(swing / 3, 7 * DAY, monday)]
        slow = ((83 * 60, 0.15), (53 * 60, 0.15), (31 * 60, 0.15))  # no calendar explains these: forecasts have bands
        for minutes, share in (*slow, (191, 0.12), (67, 0.10), (23, 0.10), (7.3, 0.06)):
            waves.append(Wave(swing * share, minutes * MINUTE, float(self._random.uniform(0, 2 * np.pi))))
        return Curve(level, tuple(waves), origin=self._origin, low=0.0, high=high, noise=swing * 0.3)

    def _scaled(self, curve: Curve, factor: float, offset: float, **limits: float) -> Curve:
        waves = tuple(Wave(wave.amplitude * factor, wave.period, wave.phase) for wave in curve.waves)
        limits.setdefault("noise", curve.noise * abs(factor))
        return Curve(curve.level * factor + offset, waves, curve.slope * factor, curve.origin, **limits)

    def _gpu(self, gpu: int) -> Iterator[Simulated]:
        labels = labels_of(
            {"gpu": str(gpu), "uuid": f"GPU-51000000-0000-4000-8000-00000000000{gpu}", **dict(SIMULATED)}
        )
        load = self._load(0.52 + float(self._random.uniform(-0.05, 0.05)), 0.24)
        memory = self._gpu_memory(gpu)
        info = {"name": "Simulated H100 80GB", "driver_version": "simulated"}
        rows: list[tuple[str, Curve, dict[str, str]]] = [
            ("gpu_info", Curve(1.0), info),
            ("gpu_up", Curve(1.0), {}),
            ("gpu_utilization_ratio", load, {}),
            ("gpu_sm_activity_ratio", self._scaled(load, 0.8, 0.0, high=1.0), {}),
            ("gpu_tensor_activity_ratio", self._scaled(load, 0.45, 0.0, high=1.0), {}),
            ("gpu_dram_activity_ratio", self._scaled(load, 0.6, 0.0, high=1.0), {}),
            ("gpu_memory_used_bytes", memory, {}),
            ("gpu_memory_reserved_bytes", Curve(0.5 * GIB), {}),
            ("gpu_memory_total_bytes", Curve(GPU_MEMORY), {}),
            ("gpu_temperature_celsius", self._scaled(load, 32.0, 36.0), {"sensor": "core"}),
            ("gpu_temperature_celsius", self._scaled(load, 36.0, 42.0), {"sensor": "memory"}),
            ("gpu_power_watts", self._scaled(load, 560.0, 95.0, high=700.0), {}),
            ("gpu_power_limit_watts", Curve(700.0), {}),
        ]
        for name, curve, extra in rows:
            key = SeriesKey(f"forewarn_{name}", labels)
            yield Simulated(key.with_labels(labels_of(extra)), curve)
        yield Simulated(SeriesKey("forewarn_gpu_energy_joules_total", labels), self._scaled(load, 560.0, 95.0), True)
        for name, extra in GPU_QUIET_COUNTERS:
            yield Simulated(SeriesKey(f"forewarn_{name}", labels).with_labels(labels_of(extra)), Curve(0.0), True)

    def _gpu_memory(self, gpu: int) -> Curve:
        shape = self._load(0.62 + float(self._random.uniform(-0.04, 0.04)), 0.03)
        curve = self._scaled(shape, GPU_MEMORY, 0.0, high=GPU_MEMORY)
        if gpu != LEAKING_GPU:
            return curve
        full_at = HISTORY_DAYS + LEAK_REACHES_LIMIT_MS / DAY
        return Curve(0.45 * GPU_MEMORY, curve.waves, 0.5 * GPU_MEMORY / full_at, self._origin, low=0.0, high=GPU_MEMORY)

    def _host(self) -> Iterator[Simulated]:
        load = self._load(0.30, 0.12)
        total = 1024 * GIB
        disk_days = DISK_FULL_IN_MS / DAY
        filling = -0.018 * DISK_SIZE  # bytes a day; at 5 % free it counts as full
        disk = Curve(0.05 * DISK_SIZE - filling * disk_days, (), filling, self._now, high=DISK_SIZE)
        rows: list[tuple[str, Curve, dict[str, str]]] = [
            ("node_cpu_utilization_ratio", load, {}),
            ("node_load1", self._scaled(load, 96.0, 1.0), {}),
            ("node_memory_available_bytes", self._scaled(load, -0.3 * total, 0.75 * total, high=total), {}),
            ("node_memory_total_bytes", Curve(total), {}),
            ("node_filesystem_avail_bytes", Curve(0.61e12), {"mountpoint": "/"}),
            ("node_filesystem_size_bytes", Curve(0.96e12), {"mountpoint": "/"}),
            ("node_filesystem_avail_bytes", disk, {"mountpoint": "/var/lib/models"}),
            ("node_filesystem_size_bytes", Curve(DISK_SIZE), {"mountpoint": "/var/lib/models"}),
            ("network_latency_seconds", self._scaled(load, 0.0006, 0.0003), {"target": "gateway:443"}),
        ]
        for name, curve, labels in rows:
            yield Simulated(SeriesKey(f"forewarn_{name}", labels_of({**labels, **dict(SIMULATED)})), curve)
        for direction, factor in (("receive", 6e7), ("transmit", 9e7)):
            key = SeriesKey.of(f"forewarn_node_network_{direction}_bytes_total", device="eth0", simulated="true")
            yield Simulated(key, self._scaled(load, factor, 1e5), True)

    def _inference(self) -> Iterator[Simulated]:
        load = self._load(0.5, 0.2)
        labels = {"model_name": "simulated-70b", "server": "simulated", **dict(SIMULATED)}
        gauges = {
            "requests_running": self._scaled(load, 60.0, 0.0),
            "requests_waiting": self._scaled(load, 22.0, -8.0),
            "kv_cache_usage_ratio": self._scaled(load, 0.7, 0.05, high=1.0),
        }
        for name, curve in gauges.items():
            yield Simulated(SeriesKey(f"forewarn_inference_{name}", labels_of(labels)), curve)
        counters: dict[str, tuple[float, dict[str, str]]] = {
            "prompt_tokens_total": (9000.0, {}),
            "generation_tokens_total": (2600.0, {}),
            "requests_total": (11.0, {"outcome": "ok"}),
        }
        for name, (factor, extra) in counters.items():
            key = SeriesKey(f"forewarn_inference_{name}", labels_of({**labels, **extra}))
            yield Simulated(key, self._scaled(load, factor, 0.02 * factor), True)
        yield from self._request_durations(load, labels)

    def _request_durations(self, load: Curve, labels: dict[str, str]) -> Iterator[Simulated]:
        family = "forewarn_inference_request_duration_seconds"
        shares = {"0.5": 0.22, "1": 0.48, "2.5": 0.83, "5": 0.95, "10": 0.99, "+Inf": 1.0}
        for bound, share in shares.items():
            key = SeriesKey(f"{family}_bucket", labels_of({**labels, "le": bound}))
            yield Simulated(key, self._scaled(load, 11.0 * share, 0.2 * share), True)
        yield Simulated(SeriesKey(f"{family}_count", labels_of(labels)), self._scaled(load, 11.0, 0.2), True)
        yield Simulated(SeriesKey(f"{family}_sum", labels_of(labels)), self._scaled(load, 16.0, 0.3), True)
