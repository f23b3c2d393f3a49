import math
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collector.catalogue import CATALOGUE, Metric
from collector.exposition import Exposition, render
from collector.rounds import Collector
from collector.samplers.build import build_sources
from collector.samplers.endpoints.mapping import Mapping
from collector.series import Sample, Scrape, SeriesKey, labels_of
from collector.settings import CollectorSettings
from collector.textformat import parse_page
from forewarn.base.clock import SystemClock
from tests.support.page_server import page_server
from tests.support.ports import free_port

PAGES = Path(__file__).parent.parent / "fixtures" / "endpoints"


def page(*samples: Sample) -> str:
    return render(Scrape(0, samples), "node-7").decode()


def promtool(text: str) -> str:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=120, check=False
    )
    return (done.stdout + done.stderr).strip() or ("" if done.returncode == 0 else f"exit {done.returncode}")


def samples_of(metric: Metric) -> list[Sample]:
    """A sample of every kind that the metric has, with two label sets, in an order that the page must mend."""
    found = []
    for turn in "ab":
        labels = {label: f"{label}-{turn}" for label in metric.labels}
        for name in reversed(metric.sample_names):
            for bound in ("+Inf", "10.0", "2.5") if name.endswith("_bucket") else ("",):
                key = SeriesKey(name, labels_of({**labels, "le": bound}))
                found.append(Sample(key, 3.0 if bound != "2.5" else 1.0, metric.type != "gauge"))
    return found


@pytest.mark.prometheus
def test_promtool_accepts_every_metric_of_the_catalogue() -> None:
    text = page(*(sample for metric in CATALOGUE.values() for sample in samples_of(metric)))
    families = {family.name for family in text_string_to_metric_families(text)}
    assert len(families) == len(CATALOGUE)
    assert promtool(text) == ""


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ["vllm", "vllm_old", "sglang", "tgi", "triton"])
def test_promtool_accepts_what_an_endpoint_becomes(name: str) -> None:
    samples, _ = Mapping("ep").apply(parse_page((PAGES / f"{name}.txt").read_text()))
    text = page(*samples)
    assert promtool(text) == ""
    assert "forewarn_inference_requests_waiting" in text


@pytest.mark.prometheus
def test_promtool_sees_a_wrong_page() -> None:
    assert promtool("# TYPE a_seconds_total gauge\na_seconds_total 1\n") != ""


def test_our_metrics_come_with_help_and_type_in_the_catalogues_order() -> None:
    text = page(
        Sample(SeriesKey("zoo"), 1.0),
        Sample(SeriesKey.of("forewarn_collector_success", collector="host"), 1.0),
        Sample(SeriesKey("forewarn_node_load1"), 0.25),
    )
    assert text == (
        "# HELP forewarn_node_load1 Load average of the last minute.\n"
        "# TYPE forewarn_node_load1 gauge\n"
        "forewarn_node_load1 0.25\n"
        "# HELP forewarn_collector_success Whether the collector's last round gave data.\n"
        "# TYPE forewarn_collector_success gauge\n"
        'forewarn_collector_success{collector="host"} 1.0\n'
        "# TYPE zoo untyped\n"
        "zoo 1.0\n"
    )


def test_gpu_series_alone_get_the_hostname() -> None:
    text = page(
        Sample(SeriesKey.of("forewarn_gpu_utilization_ratio", gpu="0", uuid="GPU-1"), 0.5),
        Sample(SeriesKey.of("forewarn_mig_sm_activity_ratio", gpu="0", gpu_instance_id="7"), 0.25),
        Sample(SeriesKey("forewarn_node_load1"), 1.0),
        Sample(SeriesKey.of("DCGM_FI_DEV_GPU_TEMP", gpu="0"), 40.0),
    )
    assert 'forewarn_gpu_utilization_ratio{gpu="0",hostname="node-7",uuid="GPU-1"} 0.5\n' in text
    assert 'forewarn_mig_sm_activity_ratio{gpu="0",gpu_instance_id="7",hostname="node-7"} 0.25\n' in text
    assert text.count("hostname=") == 2
    assert '# TYPE DCGM_FI_DEV_GPU_TEMP untyped\nDCGM_FI_DEV_GPU_TEMP{gpu="0"} 40.0\n' in text


def test_buckets_go_upwards_within_their_series() -> None:
    text = page(*samples_of(CATALOGUE["forewarn_inference_batch_size"]))
    names = [line.split("{")[0] for line in text.splitlines() if not line.startswith("#")]
    family = "forewarn_inference_batch_size"
    assert names == [f"{family}{part}" for part in ("_bucket", "_bucket", "_bucket", "_sum", "_count")] * 2
    (histogram,) = text_string_to_metric_families(text)
    assert [sample.labels.get("le") for sample in histogram.samples] == ["2.5", "10.0", "+Inf", None, None] * 2


def test_labels_and_values_survive_the_way_there_and_back() -> None:
    odd = 'C:\\dir "quoted"\nnext line, {ünïcode}'
    numbers = (1e-9, 123456789012.0, 1.8e12, float("inf"), float("-inf"), -0.5)
    text = page(*(Sample(SeriesKey.of("odd", label=odd, n=str(n)), n) for n in numbers))
    (family,) = text_string_to_metric_families(text)
    assert {sample.labels["label"] for sample in family.samples} == {odd}
    assert tuple(sample.value for sample in family.samples) == numbers


def test_an_empty_scrape_is_an_empty_page() -> None:
    assert page() == ""


@pytest.mark.timed
@pytest.mark.prometheus
async def test_a_node_as_it_is_gives_a_page_that_promtool_accepts() -> None:
    with page_server() as server:
        server.page("/metrics", (PAGES / "vllm.txt").read_bytes())
        settings = CollectorSettings.model_validate(
            {
                "network": {"targets": [f"127.0.0.1:{free_port()}"], "timeout": 1},
                "endpoint": [
                    {"url": f"{server.url}/metrics", "name": "chat", "canary": {"model": "m"}},
                    {"url": f"{server.url}/nothing", "name": "gone"},
                ],
            }
        )
        collector = Collector(build_sources(settings, SystemClock()), SystemClock(), settings.interval)
        await collector.round()
        scrape = await collector.round()
        await collector.close()
    text = render(scrape, "node-7").decode()
    assert promtool(text) == ""
    assert 'forewarn_collector_errors_total{code="http_404",collector="endpoint:gone"} 2.0' in text
    for metric in ("node_cpu_utilization_ratio", "node_filesystem_avail_bytes", "inference_requests_waiting"):
        assert f"\nforewarn_{metric}" in text


def wide_node() -> list[Sample]:
    return [
        Sample(SeriesKey.of(metric.name, gpu=str(gpu), uuid=f"GPU-{gpu}", part=str(part)), gpu + part / 7)
        for metric in CATALOGUE.values()
        if metric.type != "histogram"
        for gpu in range(8)
        for part in range(6)
    ][:2_500]


@pytest.mark.timed
def test_a_wide_node_is_rendered_in_little_time() -> None:
    samples, best = wide_node(), 1.0
    assert len(samples) == 2_500
    exposition = Exposition("node-7")
    for turn in range(10):
        scrape = Scrape(turn, [Sample(sample.key, sample.value + turn) for sample in samples])
        started = time.process_time()
        exposition.render(scrape)
        best = min(best, time.process_time() - started)
    assert best < 0.015


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["forewarn_gpu_up", "forewarn_node_load1", "forewarn_node_cpus", "vllm:x", "forewarn_gpu_info"]
            ),
            st.sampled_from([0.0, 1.0, 2.5, math.inf, -math.inf, math.nan]),
        ),
        min_size=2,
        max_size=6,
    )
)
def test_pages_that_follow_each_other_are_those_of_single_scrapes(rounds: list[dict[str, float]]) -> None:
    exposition = Exposition("node-7")
    for values in rounds:
        samples = [Sample(SeriesKey.of(name, gpu=gpu), value) for name, value in values.items() for gpu in ("0", "1")]
        assert exposition.render(Scrape(0, samples)) == render(Scrape(0, samples), "node-7")


def test_a_series_that_changes_places_keeps_its_value() -> None:
    exposition = Exposition("node-7")
    first = [Sample(SeriesKey.of("a", b="1"), 1.0), Sample(SeriesKey.of("a", b="2"), 2.0)]
    exposition.render(Scrape(0, first))
    assert exposition.render(Scrape(1, first[::-1])) == b'# TYPE a untyped\na{b="2"} 2.0\na{b="1"} 1.0\n'
