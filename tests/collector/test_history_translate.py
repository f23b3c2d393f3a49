"""One series of another exporter, and which of ours it is."""

from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from collector.catalogue import metric_of_sample
from collector.history.node import candidates, host_of, namesakes, recognise, same_host
from collector.history.plan import Node, make_plan
from collector.history.prometheus import Prometheus
from collector.history.rules import DERIVED, RULES
from collector.history.translate import Target, Translator, uuid_of
from collector.series import SeriesKey
from collector.settings import EndpointSettings, HostSettings
from forewarn.base.errors import UsageError
from tests.support.page_server import PageServer, page_server

UUID = "GPU-5c0e0d6d-0000-0000-0000-00000000000a"
BARE = UUID.removeprefix("GPU-")
ENDPOINTS = (
    EndpointSettings(url="http://127.0.0.1:8000/metrics", name="llama", model="llama-70b"),
    EndpointSettings(url="http://127.0.0.1:8001/metrics"),
)


@pytest.fixture
def httpd() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


def translator(gpus: dict[str, str] | None = None, found: dict[str, str] | None = None) -> Translator:
    return Translator({UUID: "3"} if gpus is None else gpus, found or {}, ENDPOINTS, HostSettings())


def one(text: str, use: Translator | None = None) -> Target:
    key = SeriesKey.parse(text)
    targets = (use or translator()).targets({"__name__": key.name, **dict(key.labels)})
    assert not isinstance(targets, str), targets
    (target,) = targets
    return target


def refused(text: str, use: Translator | None = None) -> str:
    key = SeriesKey.parse(text)
    reason = (use or translator()).targets({"__name__": key.name, **dict(key.labels)})
    assert isinstance(reason, str), reason
    return reason


@pytest.mark.parametrize(
    ("theirs", "ours", "value", "converted"),
    [
        ("DCGM_FI_DEV_GPU_UTIL{gpu='0',UUID='%s'}", "utilization_ratio{}", 94, 0.94),
        ("DCGM_FI_DEV_GPU_UTIL_RATIO{gpu='0',UUID='%s'}", "utilization_ratio{}", 94, 0.94),
        ("DCGM_FI_DEV_FB_USED{gpu='0',UUID='%s'}", "memory_used_bytes{}", 3, 3 * 2**20),
        ("DCGM_FI_DEV_MEM_CLOCK{UUID='%s'}", "clock_hertz{domain='memory'}", 2619, 2.619e9),
        ("DCGM_FI_DEV_BOARD_POWER_WATTS{UUID='%s'}", "power_watts{}", 69.85, 69.85),
        ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID='%s'}", "energy_joules_total{}", 1500, 1.5),
        ("DCGM_FI_DEV_POWER_VIOLATION{UUID='%s'}", "throttled_seconds_total{reason='sw_power_cap'}", 2e9, 2),
        ("DCGM_FI_PROF_TENSOR_UTIL_RATIO{UUID='%s'}", "tensor_activity_ratio{}", 0.25, 0.25),
        ("nvidia_smi_utilization_gpu_ratio{uuid='%s'}", "utilization_ratio{}", 0.5, 0.5),
        ("nvidia_smi_temperature_gpu{uuid='%s'}", "temperature_celsius{sensor='core'}", 40, 40),
        ("nvidia_smi_clocks_current_sm_clock_hz{uuid='%s'}", "clock_hertz{domain='sm'}", 1e9, 1e9),
        ("nvidia_smi_clocks_throttle_reasons_hw_slowdown{uuid='%s'}", "clock_event_active{reason='hw_slowdown'}", 1, 1),
        ("forewarn_gpu_power_watts{gpu='7',uuid='%s',hostname='h'}", "power_watts{}", 70, 70),
    ],
)
def test_gpu_series_get_our_names_labels_and_units(theirs: str, ours: str, value: float, converted: float) -> None:
    uuid = BARE if theirs.startswith("nvidia_smi") else UUID
    target = one((theirs % uuid).replace("'", '"'))
    key = SeriesKey.parse("forewarn_gpu_" + ours.replace("'", '"'))
    assert target.key == key.with_labels((("gpu", "3"), ("uuid", UUID)))
    assert value * target.times / target.over == converted


def test_whose_gpu_it_is() -> None:
    assert "no GPU of this node" in refused('DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-ffff"}')
    assert "MIG" in refused(f'DCGM_FI_DEV_FB_USED{{gpu="0",UUID="{UUID}",GPU_I_ID="1",GPU_I_PROFILE="1g.10gb"}}')
    slice_ = one(f'DCGM_FI_PROF_DRAM_ACTIVE{{gpu="0",UUID="{UUID}",GPU_I_ID="1",GPU_I_PROFILE="1g.10gb"}}')
    assert str(slice_.key) == (
        f'forewarn_mig_dram_activity_ratio{{gpu="3",gpu_instance_id="1",mig_profile="1g.10gb",uuid="{UUID}"}}'
    )
    unknown = translator({}, {"GPU-ab": "5"})
    assert one('DCGM_FI_DEV_FB_USED{gpu="2",UUID="GPU-AB"}', unknown).key.label("gpu") == "2"
    assert one('nvidia_smi_memory_used_bytes{uuid="ab"}', unknown).key.label("gpu") == "5"
    assert "index" in refused('nvidia_smi_memory_used_bytes{uuid="cd"}', unknown)
    assert "UUID" in refused('DCGM_FI_DEV_FB_USED{gpu="2"}', unknown)
    assert uuid_of({"UUID": "MIG-AB"}) == "MIG-ab"


def test_labels_that_a_scrape_moved_away_are_found() -> None:
    target = one('node_disk_read_bytes_total{device="target",exported_device="nvme0n1",exported_instance="x",job="j"}')
    assert target.key == SeriesKey.of("forewarn_node_disk_read_bytes_total", device="nvme0n1")
    assert target.counter


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('node_network_receive_bytes_total{device="veth12"}', "device is left out"),
        ('node_disk_read_bytes_total{device="loop3"}', "device is left out"),
        ('node_filesystem_avail_bytes{mountpoint="/sys/x",fstype="ext4"}', "mountpoint is left out"),
        ('node_filesystem_avail_bytes{mountpoint="/x",fstype="tmpfs"}', "fstype is left out"),
        ("node_filesystem_avail_bytes", "no label mountpoint"),
        ("node_cooling_device_cur_state", "no such metric"),
        ("DCGM_FI_DEV_XID_ERRORS", "last code only"),
        ("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "a rate"),
    ],
)
def test_what_is_left_out_has_its_reason(text: str, reason: str) -> None:
    assert reason in refused(text)


def test_inference_servers_are_known_by_their_port() -> None:
    target = one('vllm:num_requests_waiting{instance="10.0.0.1:8000",model_name="m",engine="1"}')
    assert target.key == SeriesKey.of(
        "forewarn_inference_requests_waiting", endpoint="llama", model_name="m", server="vllm"
    )
    assert target.add
    target = one('sglang:token_usage{instance="10.0.0.1:30000",model_name="m"}')
    assert target.key.label("endpoint") == "10.0.0.1:30000"
    assert not target.add
    target = one('tgi_queue_size{instance="10.0.0.1:8000"}')
    assert target.key.label("model_name") == "llama-70b"
    old = one('vllm:gpu_cache_usage_perc{instance="10.0.0.1:8000",model_name="m"}')
    new = one('vllm:kv_cache_usage_perc{instance="10.0.0.1:8000",model_name="m"}')
    assert (old.key, old.scope) == (new.key, new.scope)
    assert new.rank < old.rank
    milliseconds = one('nv_inference_first_response_histogram_ms_bucket{model="m",le="250.0",instance="x:8002"}')
    assert milliseconds.key.label("le") == "0.25"
    assert (milliseconds.times, milliseconds.counter) == (1.0, True)


def test_what_we_recorded_elsewhere_is_taken_as_it_is() -> None:
    text = 'forewarn_inference_requests_waiting{endpoint="llama",model_name="m",server="vllm"}'
    assert str(one(text[:-1] + ',instance="i:7470",job="forewarn"}').key) == text
    assert refused(f'forewarn_gpu_info{{uuid="{UUID}",gpu="3"}}')


def test_every_rule_leads_to_a_metric_with_these_labels() -> None:
    for rule in RULES:
        metric = metric_of_sample(rule.target)
        assert metric is not None, rule
        given = {label for label, _ in rule.labels} | set(rule.keep) | ({"gpu", "uuid"} if rule.of_gpu else set())
        assert given - {"le"} == set(metric.labels), rule
    assert len({rule.source for rule in RULES}) == len(RULES)
    for derived in DERIVED:
        metric = metric_of_sample(derived.target)
        assert metric is not None, derived
        assert set(derived.keep) == set(metric.labels)


def test_hosts_and_names() -> None:
    assert [host_of(text) for text in ("A.b:9100", "[2001:db8::1]:9100", "2001:db8::1", "plain")] == [
        *("a.b", "2001:db8::1", "2001:db8::1", "plain")
    ]
    assert same_host("gpu-a", "GPU-A.example.org")
    assert not same_host("10.0.0.1", "10.0.0.2")
    assert not same_host("gpu-a.one", "gpu-a.two")


def series(name: str, **labels: str) -> dict[str, str]:
    return {"__name__": name, **labels}


def test_an_address_found_once_is_known_for_all_but_never_that_of_two_nodes() -> None:
    scouts = [
        series("DCGM_FI_DEV_FB_USED", instance="10.0.0.1:9400", UUID=UUID),
        series("node_load1", instance="10.0.0.1:9100"),
        series("node_load1", instance="10.0.0.2:9100"),
        series("node_uname_info", instance="localhost:9100", nodename="gpu-a"),
        series("node_uname_info", instance="10.0.0.3:9100", nodename="gpu-a"),
        series("node_memory_numa_MemFree", instance="10.0.0.1:9100", node="0"),
        series("vllm:num_requests_running", instance="shared:8000", hostname="gpu-a"),
        series("vllm:num_requests_running", instance="shared:8000", hostname="gpu-b"),
    ]
    chosen = recognise(scouts, names=["gpu-a"], instances=[], gpus=[UUID])
    assert [chosen.mine(one) for one in scouts] == [True, True, False, True, True, True, True, False]
    assert chosen.mine(series("x", instance="10.0.0.3:8000"))
    assert not chosen.mine(series("x", instance="shared:9000"))
    assert not chosen.mine(series("DCGM_FI_DEV_FB_USED", instance="10.0.0.1:9400", UUID="GPU-other"))


TWO_SITES = [
    series("node_uname_info", instance="10.0.0.7:9100", nodename="gpu7.east.example.com"),
    series("DCGM_FI_DEV_FB_USED", instance="10.0.0.7:9400", Hostname="gpu7"),
    series("node_uname_info", instance="10.9.0.7:9100", nodename="gpu7.west.example.com"),
    series("node_uname_info", instance="10.0.0.8:9100", nodename="gpu8.east.example.com"),
    series("DCGM_FI_DEV_FB_USED", instance="10.0.0.8:9400", Hostname="gpu8"),
]


def test_a_name_without_its_domain_is_not_taken_for_two_nodes(httpd: PageServer) -> None:
    httpd.page("/api/v1/series", orjson.dumps({"status": "success", "data": TWO_SITES}))
    node = Node(("gpu7",), (), {}, (), HostSettings())
    with pytest.raises(UsageError, match=r"several nodes .*: gpu7\.east\.example\.com, gpu7\.west\.example\.com"):
        make_plan(Prometheus(httpd.url), node, [], 0, 1000)
    whole = make_plan(Prometheus(httpd.url), replace(node, names=("gpu7.west.example.com",)), [], 0, 1000)
    assert whole.instances == ("10.9.0.7:9100",)  # what DCGM calls gpu7 is at the address of the other
    at = recognise(TWO_SITES, names=["gpu7"], instances=["10.0.0.7", "10.9.0.7"], gpus=[])
    assert namesakes(TWO_SITES, at) == []


def test_a_node_is_listed_once_under_its_full_name() -> None:
    chosen = recognise(TWO_SITES, names=["elsewhere"], instances=[], gpus=[])
    found = {one.name: one.instances for one in candidates(TWO_SITES, chosen)}
    assert found == {
        "gpu7.east.example.com": ("10.0.0.7:9100", "10.0.0.7:9400"),
        "gpu7.west.example.com": ("10.9.0.7:9100",),
        "gpu8.east.example.com": ("10.0.0.8:9100", "10.0.0.8:9400"),
    }


def test_a_large_fleet_is_not_listed_whole(httpd: PageServer) -> None:
    fleet = [series("node_load1", instance=f"10.0.1.{number}:9100") for number in range(50)]
    httpd.page("/api/v1/series", orjson.dumps({"status": "success", "data": fleet}))
    with pytest.raises(UsageError) as caught:
        make_plan(Prometheus(httpd.url), Node(("elsewhere",), (), {}, (), HostSettings()), [], 0, 1000)
    assert caught.value.message.splitlines()[-1] == "  and 30 more"
    assert len(caught.value.message.splitlines()) == 22
