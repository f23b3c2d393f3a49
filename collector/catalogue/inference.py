"""Metrics of the inference servers, and of the canary that asks them.

Bucket bounds are those of the server that the histogram comes from.
"""

from collector.catalogue.model import Limit, Metric

_SERVER = ("model_name", "server", "endpoint")
_ADAPTED = "collector.adapters"

INFERENCE_METRICS: tuple[Metric, ...] = (
    Metric("forewarn_inference_requests_running", "gauge", "", "Requests being answered.", _SERVER, _ADAPTED),
    Metric(
        "forewarn_inference_requests_waiting",
        "gauge",
        "",
        "Requests that wait for their turn.",
        _SERVER,
        _ADAPTED,
        core=12,
        kind="gauge",
        limit=Limit(value=64.0),  # one full batch of the bundled worker: whoever comes now waits for all of it
    ),
    Metric("forewarn_inference_batch_size", "histogram", "", "Requests answered together.", _SERVER, _ADAPTED),
    Metric(
        "forewarn_inference_time_to_first_token_seconds",
        "histogram",
        "seconds",
        "Time from a request's arrival to its first token.",
        _SERVER,
        _ADAPTED,
        core=12,
    ),
    Metric(
        "forewarn_inference_time_per_output_token_seconds",
        "histogram",
        "seconds",
        "Time between two tokens of an answer.",
        _SERVER,
        _ADAPTED,
    ),
    Metric(
        "forewarn_inference_request_duration_seconds",
        "histogram",
        "seconds",
        "Time from a request's arrival to the end of its answer.",
        _SERVER,
        _ADAPTED,
        core=12,
    ),
    Metric(
        "forewarn_inference_queue_duration_seconds",
        "histogram",
        "seconds",
        "Time that a request waited for its turn.",
        _SERVER,
        _ADAPTED,
    ),
    Metric(
        "forewarn_inference_kv_cache_usage_ratio",
        "gauge",
        "ratio",
        "Used part of the cache for keys and values; of several engines the fullest.",
        _SERVER,
        _ADAPTED,
        kind="saturated",
        limit=Limit(value=1.0, share=0.95),
    ),
    Metric("forewarn_inference_prompt_tokens_total", "counter", "", "Tokens read in prompts.", _SERVER, _ADAPTED),
    Metric("forewarn_inference_generation_tokens_total", "counter", "", "Tokens generated.", _SERVER, _ADAPTED),
    Metric(
        "forewarn_inference_requests_total",
        "counter",
        "",
        "Requests that ended, by outcome: ok, error, timeout, cancelled, rejected or other.",
        (*_SERVER, "outcome"),
        _ADAPTED,
    ),
    Metric(
        "forewarn_inference_model_load_duration_seconds",
        "gauge",
        "seconds",
        "Time that loading the model took.",
        _SERVER,
        _ADAPTED,
    ),
    Metric(
        "forewarn_inference_gpu_memory_allocated_bytes",
        "gauge",
        "bytes",
        "GPU memory in use by the server's tensors.",
        _SERVER,
        _ADAPTED,
    ),
    Metric(
        "forewarn_inference_gpu_memory_reserved_bytes",
        "gauge",
        "bytes",
        "GPU memory that the server holds, in use or not.",
        _SERVER,
        _ADAPTED,
    ),
    Metric(
        "forewarn_canary_up", "gauge", "", "Whether the last canary request was answered.", ("endpoint",), "completion"
    ),
    Metric(
        "forewarn_canary_duration_seconds",
        "gauge",
        "seconds",
        "Time that the last canary request took; absent when it failed.",
        ("endpoint",),
        "completion",
        kind="gauge",
        limit=Limit(value=2.0),  # a few words: whoever waits longer for them takes the service for hung
    ),
    Metric(
        "forewarn_canary_requests_total",
        "counter",
        "",
        "Canary requests, by outcome: ok, error or timeout.",
        ("endpoint", "outcome"),
        "completion",
    ),
)
