"""How the metrics of inference servers become ``forewarn_inference_*``, as data.

Names and meanings: vLLM docs/design/metrics.md, SGLang observability/metrics_collector.py, TGI
docs/source/reference/metrics.md, Triton docs/user_guide/metrics.md. Where a server renamed a metric, the newest name
comes first; of those on a page the first is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from collector.catalogue.inference import INFERENCE_METRICS

P = "forewarn_inference_"
SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the label ``outcome`` comes from: a label's value translated, or always the default."""

    default: str
    label: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One metric of ours and where it comes from.

    Attributes:
        target: our name.
        sources: the server's names, newest first.
        type: gauge, counter, or histogram (then names are families, ``_bucket``, ``_sum`` and ``_count`` follow).
        factor: their unit in ours; of a histogram its bounds and its sum are multiplied.
        combine: what becomes of series that differ only in labels that we drop (engines, ranks, versions).
        keep: labels that stay as they are.
        outcome: the label ``outcome``, where the target has one.
        bound: the label ``le`` that the target gets where the source is a plain count.
    """

    target: str
    sources: tuple[str, ...]
    type: Literal["gauge", "counter", "histogram"] = "gauge"
    factor: float = 1.0
    combine: Literal["sum", "max"] = "sum"
    keep: tuple[str, ...] = ()
    outcome: Outcome | None = None
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """The rules of one kind of server, and its label that names the model."""

    server: str
    model_label: str
    rules: tuple[Rule, ...]


_VLLM_OUTCOME = Outcome(
    "other", "finished_reason", {"stop": "ok", "length": "ok", "abort": "cancelled", "error": "error"}
)
_TRITON_OUTCOME = Outcome("error", "reason", {"REJECTED": "rejected", "CANCELED": "cancelled"})

VLLM = Adapter(
    "vllm",
    "model_name",
    (
        Rule(P + "requests_running", ("vllm:num_requests_running",)),
        Rule(P + "requests_waiting", ("vllm:num_requests_waiting",)),
        Rule(P + "time_to_first_token_seconds", ("vllm:time_to_first_token_seconds",), "histogram"),
        Rule(
            P + "time_per_output_token_seconds",
            (
                "vllm:inter_token_latency_seconds",
                "vllm:time_per_output_token_seconds",
                "vllm:request_time_per_output_token_seconds",
            ),
            "histogram",
        ),
        Rule(P + "request_duration_seconds", ("vllm:e2e_request_latency_seconds",), "histogram"),
        Rule(P + "queue_duration_seconds", ("vllm:request_queue_time_seconds",), "histogram"),
        Rule(P + "kv_cache_usage_ratio", ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"), combine="max"),
        Rule(P + "prompt_tokens_total", ("vllm:prompt_tokens_total",), "counter"),
        Rule(P + "generation_tokens_total", ("vllm:generation_tokens_total",), "counter"),
        Rule(P + "requests_total", ("vllm:request_success_total",), "counter", outcome=_VLLM_OUTCOME),
    ),
)

SGLANG = Adapter(
    "sglang",
    "model_name",
    (
        Rule(P + "requests_running", ("sglang:num_running_reqs",)),
        Rule(P + "requests_waiting", ("sglang:num_queue_reqs",)),
        Rule(P + "time_to_first_token_seconds", ("sglang:time_to_first_token_seconds",), "histogram"),
        Rule(
            P + "time_per_output_token_seconds",
            ("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"),
            "histogram",
        ),
        Rule(P + "request_duration_seconds", ("sglang:e2e_request_latency_seconds",), "histogram"),
        Rule(P + "queue_duration_seconds", ("sglang:queue_time_seconds",), "histogram"),
        Rule(P + "kv_cache_usage_ratio", ("sglang:token_usage",), combine="max"),
        Rule(P + "prompt_tokens_total", ("sglang:prompt_tokens_total",), "counter"),
        Rule(P + "generation_tokens_total", ("sglang:generation_tokens_total",), "counter"),
        Rule(P + "requests_total", ("sglang:num_requests_total",), "counter", outcome=Outcome("ok")),
        Rule(P + "requests_total", ("sglang:num_aborted_requests_total",), "counter", outcome=Outcome("cancelled")),
    ),
)

# TGI names no model, and counts tokens in histograms: the sum of the lengths is the number of tokens.
TGI = Adapter(
    "tgi",
    "model_name",
    (
        Rule(P + "requests_running", ("tgi_batch_current_size",)),
        Rule(P + "requests_waiting", ("tgi_queue_size",)),
        Rule(P + "batch_size", ("tgi_batch_next_size",), "histogram"),
        Rule(P + "time_per_output_token_seconds", ("tgi_request_mean_time_per_token_duration",), "histogram"),
        Rule(P + "request_duration_seconds", ("tgi_request_duration",), "histogram"),
        Rule(P + "queue_duration_seconds", ("tgi_request_queue_duration",), "histogram"),
        Rule(P + "prompt_tokens_total", ("tgi_request_input_length_sum",), "counter"),
        Rule(P + "generation_tokens_total", ("tgi_request_generated_tokens_sum",), "counter"),
        Rule(P + "requests_total", ("tgi_request_success",), "counter", outcome=Outcome("ok")),
        Rule(
            P + "requests_total",
            ("tgi_request_failure",),
            "counter",
            outcome=Outcome("error", "err", {"overloaded": "rejected"}),
        ),
    ),
)

# Triton counts durations in microseconds without buckets: such a histogram has a sum, a count and its last bucket.
TRITON = Adapter(
    "triton",
    "model",
    (
        Rule(P + "requests_waiting", ("nv_inference_pending_request_count",)),
        Rule(P + "batch_size_sum", ("nv_inference_count",), "counter"),
        Rule(P + "batch_size_count", ("nv_inference_exec_count",), "counter"),
        Rule(P + "batch_size_bucket", ("nv_inference_exec_count",), "counter", bound="+Inf"),
        Rule(
            P + "time_to_first_token_seconds", ("nv_inference_first_response_histogram_ms",), "histogram", factor=1e-3
        ),
        Rule(P + "request_duration_seconds_sum", ("nv_inference_request_duration_us",), "counter", factor=1e-6),
        Rule(P + "request_duration_seconds_count", ("nv_inference_request_success",), "counter"),
        Rule(P + "request_duration_seconds_bucket", ("nv_inference_request_success",), "counter", bound="+Inf"),
        Rule(P + "queue_duration_seconds_sum", ("nv_inference_queue_duration_us",), "counter", factor=1e-6),
        Rule(P + "queue_duration_seconds_count", ("nv_inference_request_success",), "counter"),
        Rule(P + "queue_duration_seconds_bucket", ("nv_inference_request_success",), "counter", bound="+Inf"),
        Rule(P + "requests_total", ("nv_inference_request_success",), "counter", outcome=Outcome("ok")),
        Rule(P + "requests_total", ("nv_inference_request_failure",), "counter", outcome=_TRITON_OUTCOME),
    ),
)

# The bundled worker speaks our names already.
FOREWARN = Adapter(
    "forewarn",
    "model_name",
    tuple(
        Rule(metric.name, (metric.name,), metric.type, keep=("outcome",) if "outcome" in metric.labels else ())
        for metric in INFERENCE_METRICS
        if metric.name.startswith(P)
    ),
)

ADAPTERS = (VLLM, SGLANG, TGI, TRITON, FOREWARN)
