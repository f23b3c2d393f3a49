import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.adapters import ADAPTERS
from collector.catalogue import metric_of_sample
from collector.samplers.endpoints.mapping import _ADAPTED, Mapping
from collector.series import Sample, SeriesKey
from collector.textformat import FormatError, parse_page

PAGES = Path(__file__).parent.parent / "fixtures" / "endpoints"
P = "forewarn_inference_"


def mapped(page: str, **settings: object) -> tuple[dict[SeriesKey, Sample], dict[str, int]]:
    mapping = Mapping("ep", **settings)  # type: ignore[arg-type]
    samples, refused = mapping.apply(parse_page((PAGES / page).read_text() if page.endswith(".txt") else page))
    assert len({sample.key for sample in samples}) == len(samples)
    return {sample.key: sample for sample in samples}, refused


def values(found: dict[SeriesKey, Sample], name: str) -> dict[tuple[tuple[str, str], ...], float]:
    constant = {"endpoint", "server", "model_name"}
    return {
        tuple(pair for pair in key.labels if pair[0] not in constant): sample.value
        for key, sample in found.items()
        if key.name == P + name
    }


def test_every_rule_leads_into_the_catalogue_with_its_type() -> None:
    for entries in _ADAPTED.values():
        for entry in entries:
            metric = metric_of_sample(entry.target)
            assert metric is not None, entry.target
            assert (metric.type == "gauge") == (entry.rule.type == "gauge"), entry.target


LLAMA, QWEN = "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen2.5-7B-Instruct"


@pytest.mark.parametrize(
    ("page", "server", "models"),
    [
        ("vllm.txt", "vllm", {LLAMA}),
        ("vllm_old.txt", "vllm", {LLAMA}),
        ("sglang.txt", "sglang", {QWEN}),
        ("tgi.txt", "tgi", {""}),
        ("triton.txt", "triton", {"ensemble_llama", "tensorrt_llm"}),
        ("trtllm.txt", "trtllm", {"nemotron-nano-3"}),
        ("torchserve.txt", "torchserve", {"flan-t5-small", "noop", ""}),
        ("otel.txt", "otel", {"llama-3.1-8b"}),
    ],
)
def test_every_rule_finds_its_metric_on_the_page(page: str, server: str, models: set[str]) -> None:
    found, _ = mapped(page)
    assert {key.label("server") for key in found} == {server}
    assert {key.label("endpoint") for key in found} == {"ep"}
    assert {key.label("model_name") for key in found} == models
    (adapter,) = [adapter for adapter in ADAPTERS if adapter.server == server]
    wanted = {
        rule.target + (suffix if rule.type == "histogram" else "")
        for rule in adapter.rules
        for suffix in ("_bucket", "_sum", "_count")
    }
    assert {key.name for key in found} == wanted


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.txt")), ids=lambda path: path.stem)
def test_a_page_becomes_what_is_written_beside_it(path: Path) -> None:
    found, _ = mapped(path.name)
    lines = [
        f"{key} {float(f'{sample.value:.12g}')!r}{' counter' if sample.counter else ''}"
        for key, sample in found.items()
    ]
    assert sorted(lines) == path.with_suffix(".expected").read_text().splitlines()


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.txt")), ids=lambda path: path.stem)
def test_buckets_grow_with_their_bounds_and_the_last_is_the_count(path: Path) -> None:
    found, _ = mapped(path.name)
    histograms: dict[tuple[str, str], dict[float, float]] = {}
    for key, sample in found.items():
        if key.name.endswith("_bucket"):
            own = (key.name.removesuffix("_bucket"), key.label("model_name"))
            histograms.setdefault(own, {})[float(key.label("le"))] = sample.value
    assert histograms
    for (name, model), buckets in histograms.items():
        counts = [count for _, count in sorted(buckets.items())]
        assert counts == sorted(counts)
        (total,) = [
            each.value
            for key, each in found.items()
            if key.name == f"{name}_count" and key.label("model_name") == model
        ]
        assert buckets[math.inf] == total


def test_engines_of_vllm_are_added_up_and_the_fullest_cache_counts() -> None:
    found, _ = mapped("vllm.txt")
    assert values(found, "requests_running") == {(): 12.0}
    assert values(found, "requests_waiting") == {(): 3.0}
    assert values(found, "kv_cache_usage_ratio") == {(): 0.8125}
    assert values(found, "generation_tokens_total") == {(): 100_000.0}
    assert values(found, "requests_total") == {
        (("outcome", "ok"),): 3 * 540.0,
        (("outcome", "cancelled"),): 18.0,
        (("outcome", "error"),): 3.0,
        (("outcome", "rejected"),): 7.0,
    }
    assert values(found, "request_duration_seconds_count") == {(): 3 * 547.0}


def test_the_newest_of_several_names_counts_once() -> None:
    found, _ = mapped("vllm.txt")
    # 547 and 1094 samples with a mean of 0.03 * 1.3; request_time_per_output_token_seconds has 0.05 * 1.3
    assert values(found, "time_per_output_token_seconds_sum")[()] == pytest.approx(0.039 * 3 * 547)


def test_ranks_that_tell_the_same_count_once_and_those_that_do_not_are_added_up() -> None:
    found, _ = mapped("sglang.txt")  # two data-parallel ranks, two tensor-parallel ranks each, two priorities
    assert values(found, "requests_running") == {(): 6 + 3}
    assert values(found, "requests_waiting") == {(): 2 + 1}
    assert values(found, "kv_cache_usage_ratio") == {(): 0.3125}
    assert values(found, "queue_duration_seconds_count") == {(): 123 + 124}
    assert values(found, "prefix_cache_hits_total") == {(): 12_000 + 4_000}
    assert values(found, "model_load_duration_seconds") == {(): 41.5}


def test_a_server_without_ranks_or_priorities_is_understood_too() -> None:
    page = 'sglang:num_queue_reqs{model_name="m"} 3\nsglang:num_running_reqs{model_name="m",tp_rank="0"} 2\n'
    found, _ = mapped(page)
    assert values(found, "requests_waiting") == {(): 3.0}
    assert values(found, "requests_running") == {(): 2.0}


def test_models_on_one_server_stay_apart() -> None:
    page = "".join(
        f'vllm:num_requests_waiting{{model_name="{model}",engine="0"}} {n}\n' for n, model in enumerate("abc")
    )
    found, _ = mapped(page)
    assert {key.label("model_name"): sample.value for key, sample in found.items()} == {"a": 0, "b": 1, "c": 2}


def test_vllm_inside_triton_names_its_model_by_another_label() -> None:
    found, _ = mapped('vllm:prompt_tokens_total{model="llama",version="1"} 3\n')
    assert {key.label("model_name") for key in found} == {"llama"}


def test_a_ratio_of_two_gauges_needs_both() -> None:
    found, _ = mapped("tgi.txt")
    assert values(found, "kv_cache_usage_ratio") == {(): 16384 / 65536}
    for page in (
        "tgi_batch_current_max_tokens 5\n",
        "tgi_batch_max_total_tokens 5\n",
        "tgi_batch_current_max_tokens 5\ntgi_batch_max_total_tokens 0\n",
    ):
        found, refused = mapped(page)
        assert (found, refused) == ({}, {})


def test_a_thousand_buckets_become_a_few() -> None:
    found, _ = mapped("tgi.txt")
    bounds = {dict(labels)["le"] for labels in values(found, "batch_size_bucket")}
    assert bounds == {*(f"{2.0**power!r}" for power in range(11)), "+Inf"}
    assert values(found, "batch_size_bucket")[(("le", "8.0"),)] == 500


def test_waiting_inside_tensorrt_llm_is_told_apart_from_its_capacity() -> None:
    found, _ = mapped("triton.txt")
    by_model = {key.label("model_name"): s.value for key, s in found.items() if key.name == P + "requests_waiting"}
    assert by_model == {"ensemble_llama": 7.0, "tensorrt_llm": 2.0}
    assert values(found, "kv_cache_usage_ratio") == {(): 0.4375}


def test_old_names_of_vllm_are_understood() -> None:
    found, _ = mapped("vllm_old.txt")
    assert values(found, "kv_cache_usage_ratio") == {(): 0.4375}
    assert values(found, "time_per_output_token_seconds_count") == {(): 547.0}
    assert values(found, "prefix_cache_hits_total") == {(): 60_000.0}
    found, _ = mapped('vllm:time_in_queue_requests_sum{model_name="m"} 1.5\n')
    assert values(found, "queue_duration_seconds_sum") == {(): 1.5}


def test_the_new_name_wins_where_a_page_has_both() -> None:
    page = 'vllm:gpu_cache_usage_perc{model_name="m"} 0.9\nvllm:kv_cache_usage_perc{model_name="m"} 0.5\n'
    assert values(mapped(page)[0], "kv_cache_usage_ratio") == {(): 0.5}
    page = 'vllm:gpu_prefix_cache_hits_total{model_name="m"} 9\nvllm:prefix_cache_hits_total{model_name="m"} 9\n'
    assert values(mapped(page)[0], "prefix_cache_hits_total") == {(): 9.0}


def test_triton_durations_become_seconds() -> None:
    found, _ = mapped("triton.txt")
    assert values(found, "request_duration_seconds_sum")[()] == pytest.approx(750.0)
    assert values(found, "request_duration_seconds_bucket") == {(("le", "+Inf"),): 5000.0}
    assert values(found, "time_to_first_token_seconds_sum")[()] == pytest.approx(2080.0)
    assert values(found, "time_to_first_token_seconds_bucket") == {
        (("le", "0.1"),): 0.0,
        (("le", "0.5"),): 2800.0,
        (("le", "2.0"),): 4000.0,
        (("le", "5.0"),): 4000.0,
        (("le", "+Inf"),): 4000.0,
    }
    assert values(found, "batch_size_sum")[()] / values(found, "batch_size_count")[()] == pytest.approx(5400 / 1600)
    assert values(found, "requests_total") == {
        (("outcome", "ok"),): 5000.0,
        (("outcome", "error"),): 3.0,
        (("outcome", "cancelled"),): 5.0,
        (("outcome", "rejected"),): 8.0,
    }


def test_tgi_tokens_are_the_sums_of_its_lengths_and_its_model_is_told_by_the_settings() -> None:
    found, _ = mapped("tgi.txt", model="mistral-7b")
    assert values(found, "prompt_tokens_total") == {(): 347_100.0}
    assert {key.label("model_name") for key in found} == {"mistral-7b"}
    assert values(found, "requests_total")[("outcome", "rejected"),] == 9.0


def test_counters_and_gauges_keep_their_type() -> None:
    found, _ = mapped("vllm.txt")
    kinds = {key.name.removeprefix(P): sample.counter for key, sample in found.items()}
    assert kinds["requests_running"] is False
    assert kinds["prompt_tokens_total"] is True
    assert kinds["request_duration_seconds_bucket"] is True


def test_what_nobody_asked_for_is_counted_and_named() -> None:
    _, refused = mapped("vllm.txt")
    assert refused == {
        "python_gc_objects_collected_total": 3,
        "python_info": 1,
        "process_resident_memory_bytes": 1,
        "http_requests_total": 2,
        "vllm:num_requests_waiting_by_reason": 4,
        "vllm:engine_sleep_state": 2,
        "vllm:external_prefix_cache_queries_total": 2,
        "vllm:prompt_tokens_by_source_total": 2,
        "vllm:prompt_tokens_cached_total": 2,
        "vllm:spec_decode_num_drafts_total": 2,
        "vllm:spec_decode_num_accepted_tokens_per_pos_total": 3,
        "vllm:lora_requests_info": 1,
        "vllm:cache_config_info": 2,
    }


def test_allowed_metrics_keep_their_name_and_get_the_endpoint() -> None:
    found, refused = mapped("vllm.txt", allow=("vllm:spec_decode_num_drafts*", "http_*"))
    key = SeriesKey.of("vllm:spec_decode_num_drafts_total", engine="0", model_name=LLAMA, endpoint="ep")
    assert found[key] == Sample(key, 1000.0, counter=True)
    assert sum(key.name == "http_requests_total" for key in found) == 2
    assert "vllm:spec_decode_num_drafts_total" not in refused
    assert not any(key.name.endswith("_created") for key in found)


def test_a_page_cannot_take_our_names() -> None:
    page = 'forewarn_gpu_utilization_ratio{gpu="0"} 1\nforewarn_inference_requests_waiting{model_name="m"} 3\n'
    found, refused = mapped(page, allow=("*",))
    assert refused == {"forewarn_gpu_utilization_ratio": 1}
    assert list(found) == [
        SeriesKey.of("forewarn_inference_requests_waiting", model_name="m", server="forewarn", endpoint="ep")
    ]


def test_a_label_endpoint_of_the_page_is_moved_aside() -> None:
    found, _ = mapped('queue{endpoint="theirs"} 1\n', allow=("queue",))
    assert list(found) == [SeriesKey.of("queue", endpoint="ep", exported_endpoint="theirs")]


LINES = (
    'vllm:num_requests_waiting{{engine="0",model_name="m"}} {}',
    'vllm:num_requests_waiting{{engine="1",model_name="m"}} {}',
    'vllm:kv_cache_usage_perc{{engine="0",model_name="m"}} {}',
    'vllm:gpu_cache_usage_perc{{engine="0",model_name="m"}} {}',
    'sglang:num_running_reqs{{dp_rank="0",model_name="m",tp_rank="0"}} {}',
    'sglang:num_running_reqs{{dp_rank="0",model_name="m",tp_rank="1"}} {}',
    'sglang:num_running_reqs{{dp_rank="1",model_name="m",tp_rank="2"}} {}',
    "tgi_batch_current_max_tokens {}",
    "tgi_batch_max_total_tokens {}",
    "# TYPE kept counter",
    "kept {}",
    "refused {}",
)
VALUES = st.sampled_from(["0", "1", "2.5", "NaN", "+Inf"])


@given(st.lists(st.lists(st.tuples(st.sampled_from(LINES), VALUES), unique_by=lambda row: row[0]), max_size=6))
def test_what_was_learnt_from_earlier_pages_changes_nothing(pages: list[list[tuple[str, str]]]) -> None:
    mapping = Mapping("ep", allow=("kept",))
    for rows in pages:
        page = parse_page("\n".join(line.format(value) for line, value in rows))
        fresh = Mapping("ep", allow=("kept",)).apply(page)
        assert mapping.apply(page) == fresh
        names = {sample.key.name for sample in fresh[0]}
        assert all(math.isfinite(sample.value) for sample in fresh[0])
        told = {line.partition("{")[0] for line, value in rows if value not in {"NaN", "+Inf"}}
        assert (P + "requests_waiting" in names) == ("vllm:num_requests_waiting" in told)


def test_values_that_are_no_numbers_are_left_out() -> None:
    found, _ = mapped("a NaN\nb +Inf\nc 1\n", allow=("*",))
    assert [key.name for key in found] == ["c"]
    assert all(math.isfinite(sample.value) for sample in mapped("triton.txt", allow=("*",))[0].values())


def test_a_metric_that_changes_its_type_is_looked_at_again() -> None:
    mapping = Mapping("ep", allow=("a",))
    assert [sample.counter for sample in mapping.apply(parse_page("# TYPE a gauge\na 1\n"))[0]] == [False]
    assert [sample.counter for sample in mapping.apply(parse_page("# TYPE a counter\na 2\n"))[0]] == [True]


def test_a_malformed_page_leaves_nothing_behind() -> None:
    mapping = Mapping("ep", allow=("a",))
    assert len(mapping.apply(parse_page("a 1\n"))[0]) == 1
    with pytest.raises(FormatError):
        mapping.apply(parse_page("a 1\n{x} 2\n"))
    assert mapping.apply(parse_page("")) == ([], {})
    assert len(mapping.apply(parse_page("a 1\n"))[0]) == 1


def test_series_that_are_gone_are_forgotten() -> None:
    mapping = Mapping("ep", allow=("a",))
    for turn in range(50):
        mapping.apply(parse_page("".join(f'a{{id="{turn}-{n}"}} 1\n' for n in range(100))))
    assert len(mapping._routes) == 100


def test_all_that_the_bundled_worker_tells_is_kept() -> None:
    from worker.metrics import Meters

    meters = Meters("tiny")
    meters.watch_gpu(lambda: 10, lambda: 20)
    meters.levels(running=1, waiting=2, usage=0.5)
    meters.count("rejected", 3)
    found, refused = mapped(meters.render().decode())
    assert refused == {}
    assert {key.label("model_name") for key in found} == {"tiny"}
    assert values(found, "requests_waiting") == {(): 2.0}
    assert values(found, "requests_total")[("outcome", "rejected"),] == 3.0
    assert values(found, "gpu_memory_reserved_bytes") == {(): 20.0}
    assert all(metric_of_sample(key.name) is not None for key in found)
