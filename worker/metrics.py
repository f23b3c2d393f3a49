"""The worker's own measurements, in Prometheus' text format.

Names and buckets: those on which vLLM (v1/metrics) and OpenTelemetry's semantic conventions for generative AI agree.
All times are differences of one monotonic clock in this process, counted from the arrival of the request, before its
prompt is turned into tokens.
"""

from collections.abc import Callable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from worker.sequence import Outcome, Sequence

_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_EACH_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_DURATION = tuple(0.01 * 2**power for power in range(14))
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meters:
    """Counters, gauges and histograms of one served model."""

    def __init__(self, model_name: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        self._model = model_name
        self._running = self._gauge("requests_running", "Sequences that are decoding.")
        self._waiting = self._gauge("requests_waiting", "Sequences that wait for a place in the batch.")
        self._usage = self._gauge("kv_cache_usage_ratio", "Share of the key-value cache that sequences hold, 0 to 1.")
        self._load = self._gauge("model_load_duration_seconds", "Time that loading the model took.")
        self._batch = self._histogram("batch_size", "Sequences in a model step.", _BATCH)
        self._first = self._histogram(
            "time_to_first_token_seconds", "From a request's arrival to its first token.", _FIRST_TOKEN
        )
        self._each = self._histogram(
            "time_per_output_token_seconds", "Mean time per token of an answer after its first.", _EACH_TOKEN
        )
        self._duration = self._histogram(
            "request_duration_seconds",
            "From a request's arrival to its end, those that were cancelled left out.",
            _DURATION,
        )
        self._queue = self._histogram(
            "queue_duration_seconds", "From a request's arrival to its place in a batch.", _DURATION
        )
        self._prompt = self._counter("prompt_tokens", "Prompt tokens taken in.")
        self._generated = self._counter("generation_tokens", "Tokens generated.")
        outcomes = Counter(
            "forewarn_inference_requests",
            "Prompts by how they ended: ok, error (refused as wrong, or failed), timeout, cancelled by the client,"
            " rejected because the queue was full.",
            ("model_name", "outcome"),
            registry=self._registry,
        )
        self._outcomes = {outcome: outcomes.labels(model_name, outcome) for outcome in get_args(Outcome)}

    def watch_gpu(self, allocated: Callable[[], int], reserved: Callable[[], int]) -> None:
        """Publish the memory that torch holds on the GPU; without this call the series are absent."""
        self._gauge("gpu_memory_allocated_bytes", "GPU memory that tensors take.").set_function(allocated)
        self._gauge("gpu_memory_reserved_bytes", "GPU memory that torch holds for tensors.").set_function(reserved)

    def loaded(self, seconds: float) -> None:
        """The model is loaded."""
        self._load.set(seconds)

    def levels(self, *, running: int, waiting: int, usage: float) -> None:
        """How full the worker is now."""
        self._running.set(running)
        self._waiting.set(waiting)
        self._usage.set(usage)

    def admitted(self, sequence: Sequence, now: float) -> None:
        """A sequence got its place in the batch."""
        self._queue.observe(now - sequence.arrived)
        self._prompt.inc(len(sequence.prompt))

    def step(self, batch: int) -> None:
        """A model step over that many sequences gave each a token."""
        self._batch.observe(batch)
        self._generated.inc(batch)

    def first_token(self, sequence: Sequence) -> None:
        """A sequence has its first token."""
        self._first.observe(sequence.first_token - sequence.arrived)

    def ended(self, sequence: Sequence, outcome: Outcome, now: float) -> None:
        """A sequence left the worker."""
        self.count(outcome)
        if outcome != "cancelled":
            self._duration.observe(now - sequence.arrived)
        if outcome == "ok" and len(sequence.answer) > 1:
            self._each.observe((now - sequence.first_token) / (len(sequence.answer) - 1))

    def count(self, outcome: Outcome, prompts: int = 1) -> None:
        """Prompts that ended so."""
        self._outcomes[outcome].inc(prompts)

    def render(self) -> bytes:
        """The text of /metrics."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        gauge = Gauge(f"forewarn_inference_{name}", text, ("model_name",), registry=self._registry)
        return gauge.labels(self._model)

    def _counter(self, name: str, text: str) -> Counter:
        counter = Counter(f"forewarn_inference_{name}", text, ("model_name",), registry=self._registry)
        return counter.labels(self._model)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        histogram = Histogram(
            f"forewarn_inference_{name}", text, ("model_name",), registry=self._registry, buckets=buckets
        )
        return histogram.labels(self._model)
