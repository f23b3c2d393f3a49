"""How the metrics of inference servers become ``forewarn_inference_*``, as data.

Names and meanings: vLLM v1/metrics/loggers.py and docs/design/metrics.md, SGLang observability/metrics_collector.py,
TGI router/src/server.rs, Triton core src/metrics.cc and the reporter of its TensorRT-LLM backend, TensorRT-LLM
metrics/collector.py, TorchServe docs/metrics.md, OpenTelemetry gen-ai-metrics.md. Where a server renamed a metric, the
newest name comes first; of those on a page the first is taken.
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
        combine: what becomes of series that differ only in labels that we drop (engines, versions).
        keep: labels that stay as they are.
        only: labels and the value that a series must have to count; no value stands for none.
        outcome: the label ``outcome``, where the target has one.
        bound: the label ``le`` that the target gets where the source is a plain count.
        bounds: the bounds of a histogram that are kept, where it has far too many; empty for all.
        per: the server's name of what the value is divided by, where the target is a ratio and the source is not.
    """

    target: str
    sources: tuple[str, ...]
    type: Literal["gauge", "counter", "histogram"] = "gauge"
    factor: float = 1.0
    combine: Literal["sum", "max"] = "sum"
    keep: tuple[str, ...] = ()
    only: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome | None = None
    bound: str = ""
    bounds: frozenset[float] = frozenset()
    per: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """The rules of one kind of server.

    Attributes:
        model_labels: its labels that may name the model; the first that a series has does.
        replicas: labels of processes that all work on the same requests: of series that differ only in them one
            counts, the largest.
    """

    server: str
    model_labels: tuple[str, ...]
    rules: tuple[Rule, ...]
    replicas: frozenset[str] = frozenset()


def _gauge(target: str, *sources: str, only: Mapping[str, str] | None = None) -> Rule:
    return Rule(P + target, sources, only=only or {})


def _fullest(target: str, *sources: str, only: Mapping[str, str] | None = None) -> Rule:
    return Rule(P + target, sources, combine="max", only=only or {})


def _counter(target: str, *sources: str, factor: float = 1.0) -> Rule:
    return Rule(P + target, sources, "counter", factor)


def _histogram(target: str, *sources: str, factor: float = 1.0) -> Rule:
    return Rule(P + target, sources, "histogram", factor)


def _requests(source: str, outcome: Outcome) -> Rule:
    return Rule(P + "requests_total", (source,), "counter", outcome=outcome)


def _mean(target: str, total: str, count: str, factor: float = 1.0) -> tuple[Rule, ...]:
    """A histogram of which the server tells only sum and count: it has but its last bucket."""
    return (
        Rule(f"{P}{target}_sum", (total,), "counter", factor),
        Rule(f"{P}{target}_count", (count,), "counter"),
        Rule(f"{P}{target}_bucket", (count,), "counter", bound="+Inf"),
    )


_VLLM_OUTCOME = Outcome(
    "other", "finished_reason", {"stop": "ok", "length": "ok", "abort": "cancelled", "error": "error"}
)
_TRTLLM_OUTCOME = Outcome(
    "other", "finished_reason", {"stop": "ok", "length": "ok", "cancelled": "cancelled", "timeout": "timeout"}
)

VLLM = Adapter(
    "vllm",
    ("model_name", "model"),  # model: vLLM as a backend of Triton
    (
        _gauge("requests_running", "vllm:num_requests_running"),
        _gauge("requests_waiting", "vllm:num_requests_waiting"),
        _histogram("iteration_tokens", "vllm:iteration_tokens_total"),
        _histogram("time_to_first_token_seconds", "vllm:time_to_first_token_seconds"),
        _histogram(
            "time_per_output_token_seconds",
            "vllm:inter_token_latency_seconds",
            "vllm:time_per_output_token_seconds",
            "vllm:request_time_per_output_token_seconds",
        ),
        _histogram("request_duration_seconds", "vllm:e2e_request_latency_seconds"),
        _histogram("queue_duration_seconds", "vllm:request_queue_time_seconds", "vllm:time_in_queue_requests"),
        _fullest("kv_cache_usage_ratio", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        _counter("prompt_tokens_total", "vllm:prompt_tokens_total"),
        _counter("generation_tokens_total", "vllm:generation_tokens_total"),
        _counter("preemptions_total", "vllm:num_preemptions_total"),
        _counter(
            "prefix_cache_queries_total", "vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"
        ),
        _counter("prefix_cache_hits_total", "vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
        _counter("speculative_draft_tokens_total", "vllm:spec_decode_num_draft_tokens_total"),
        _counter("speculative_accepted_tokens_total", "vllm:spec_decode_num_accepted_tokens_total"),
        _requests("vllm:request_success_total", _VLLM_OUTCOME),
        _requests("vllm:admission_rejections_total", Outcome("rejected")),
    ),
)

# With priorities a queue is told in all and again for each of them; in all the label is empty.
_ALL_PRIORITIES = {"priority": ""}

SGLANG = Adapter(
    "sglang",
    ("model_name",),
    (
        _gauge("requests_running", "sglang:num_running_reqs", only=_ALL_PRIORITIES),
        _gauge("requests_waiting", "sglang:num_queue_reqs", only=_ALL_PRIORITIES),
        _histogram("time_to_first_token_seconds", "sglang:time_to_first_token_seconds"),
        _histogram(
            "time_per_output_token_seconds",
            "sglang:inter_token_latency_seconds",
            "sglang:time_per_output_token_seconds",
        ),
        _histogram("request_duration_seconds", "sglang:e2e_request_latency_seconds"),
        _histogram("queue_duration_seconds", "sglang:queue_time_seconds"),
        _fullest("kv_cache_usage_ratio", "sglang:token_usage"),
        _counter("prompt_tokens_total", "sglang:prompt_tokens_total"),
        _counter("generation_tokens_total", "sglang:generation_tokens_total"),
        _counter("preemptions_total", "sglang:num_retracted_requests_total"),
        _counter("prefix_cache_queries_total", "sglang:prompt_tokens_total"),
        _counter("prefix_cache_hits_total", "sglang:cached_tokens_total"),
        _fullest("speculative_acceptance_ratio", "sglang:spec_accept_rate"),
        _fullest("model_load_duration_seconds", "sglang:startup_time_seconds", only={"phase": "load_weight"}),
        _requests("sglang:num_requests_total", Outcome("ok")),
        _requests("sglang:num_aborted_requests_total", Outcome("cancelled")),
    ),
    replicas=frozenset({"tp_rank", "pp_rank", "moe_ep_rank"}),
)

_POWERS_OF_TWO = frozenset(2.0**power for power in range(11))
_TGI_OUTCOME = Outcome("error", "err", {"overloaded": "rejected", "dropped": "cancelled"})

# TGI names no model, counts tokens in histograms (the sum of the lengths is the number of tokens), and has a bucket for
# every size of a batch from 1 to 1024.
TGI = Adapter(
    "tgi",
    ("model_name",),
    (
        _gauge("requests_running", "tgi_batch_current_size"),
        _gauge("requests_waiting", "tgi_queue_size"),
        Rule(P + "batch_size", ("tgi_batch_next_size",), "histogram", bounds=_POWERS_OF_TWO),
        _histogram("time_per_output_token_seconds", "tgi_request_mean_time_per_token_duration"),
        _histogram("request_duration_seconds", "tgi_request_duration"),
        _histogram("queue_duration_seconds", "tgi_request_queue_duration"),
        Rule(P + "kv_cache_usage_ratio", ("tgi_batch_current_max_tokens",), per="tgi_batch_max_total_tokens"),
        _counter("prompt_tokens_total", "tgi_request_input_length_sum"),
        _counter("generation_tokens_total", "tgi_request_generated_tokens_sum"),
        _counter("speculative_accepted_tokens_total", "tgi_request_skipped_tokens_sum"),
        _requests("tgi_request_success", Outcome("ok")),
        _requests("tgi_request_failure", _TGI_OUTCOME),
    ),
)

_TRITON_OUTCOME = Outcome("error", "reason", {"REJECTED": "rejected", "CANCELED": "cancelled"})
_TRT_REQUESTS = "nv_trt_llm_request_metrics"

# Triton counts durations in microseconds. A request waits in Triton's own queue or in that of TensorRT-LLM.
TRITON = Adapter(
    "triton",
    ("model",),
    (
        _gauge("requests_running", _TRT_REQUESTS, only={"request_type": "scheduled"}),
        _gauge("requests_waiting", "nv_inference_pending_request_count"),
        _gauge("requests_waiting", _TRT_REQUESTS, only={"request_type": "waiting"}),
        *_mean("batch_size", "nv_inference_count", "nv_inference_exec_count"),
        _histogram("time_to_first_token_seconds", "nv_inference_first_response_histogram_ms", factor=1e-3),
        *_mean("request_duration_seconds", "nv_inference_request_duration_us", "nv_inference_request_success", 1e-6),
        *_mean("queue_duration_seconds", "nv_inference_queue_duration_us", "nv_inference_request_success", 1e-6),
        _fullest("kv_cache_usage_ratio", "nv_trt_llm_kv_cache_block_metrics", only={"kv_cache_block_type": "fraction"}),
        _counter("prompt_tokens_total", "nv_llm_input_token_len_sum"),
        _counter("generation_tokens_total", "nv_llm_output_token_len_sum"),
        _counter("response_cache_hits_total", "nv_cache_num_hits_per_model"),
        _counter("response_cache_misses_total", "nv_cache_num_misses_per_model"),
        _requests("nv_inference_request_success", Outcome("ok")),
        _requests("nv_inference_request_failure", _TRITON_OUTCOME),
    ),
)

TRTLLM = Adapter(
    "trtllm",
    ("model_name",),
    (
        _gauge("requests_running", "trtllm_num_requests_running"),
        _gauge("requests_waiting", "trtllm_num_requests_waiting"),
        _histogram("time_to_first_token_seconds", "trtllm_time_to_first_token_seconds"),
        _histogram("time_per_output_token_seconds", "trtllm_time_per_output_token_seconds"),
        _histogram("request_duration_seconds", "trtllm_e2e_request_latency_seconds"),
        _histogram("queue_duration_seconds", "trtllm_request_queue_time_seconds"),
        _fullest("kv_cache_usage_ratio", "trtllm_kv_cache_utilization"),
        _counter("prompt_tokens_total", "trtllm_prompt_tokens_total"),
        _counter("prefix_cache_queries_total", "trtllm_prompt_tokens_total"),
        _counter("prefix_cache_hits_total", "trtllm_prompt_cached_tokens_total"),
        _counter("speculative_draft_tokens_total", "trtllm_spec_decode_drafted_tokens_total"),
        _counter("speculative_accepted_tokens_total", "trtllm_spec_decode_accepted_tokens_total"),
        _requests("trtllm_request_success_total", _TRTLLM_OUTCOME),
    ),
)

_TS_COUNT = "ts_inference_requests_total"

# TorchServe answers by status for the host in all, and by model without it.
TORCHSERVE = Adapter(
    "torchserve",
    ("model_name",),
    (
        *_mean("request_duration_seconds", "ts_inference_latency_microseconds", _TS_COUNT, 1e-6),
        *_mean("queue_duration_seconds", "ts_queue_latency_microseconds", _TS_COUNT, 1e-6),
        _requests("Requests2XX", Outcome("ok")),
        _requests("Requests4XX", Outcome("error")),
        _requests("Requests5XX", Outcome("error")),
    ),
)

OTEL = Adapter(
    "otel",
    ("gen_ai_response_model", "gen_ai_request_model"),
    (
        _histogram("time_to_first_token_seconds", "gen_ai_server_time_to_first_token_seconds"),
        _histogram("time_per_output_token_seconds", "gen_ai_server_time_per_output_token_seconds"),
        _histogram("request_duration_seconds", "gen_ai_server_request_duration_seconds"),
        _requests(
            "gen_ai_server_request_duration_seconds_count",
            Outcome("error", "error_type", {"": "ok", "timeout": "timeout"}),
        ),
    ),
)

# The bundled worker speaks our names already.
FOREWARN = Adapter(
    "forewarn",
    ("model_name",),
    tuple(
        Rule(metric.name, (metric.name,), metric.type, keep=("outcome",) if "outcome" in metric.labels else ())
        for metric in INFERENCE_METRICS
        if metric.name.startswith(P)
    ),
)

ADAPTERS = (VLLM, SGLANG, TGI, TRITON, TRTLLM, TORCHSERVE, OTEL, FOREWARN)
