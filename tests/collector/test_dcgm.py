"""The page under dcgm-exporter's names: its lines are what the exporter writes, and nothing is invented."""

import re
import subprocess

import pytest

from collector.catalogue import CATALOGUE
from collector.dcgm import FIELDS, DcgmPage
from collector.series import Sample, Scrape, SeriesKey, labels_of
from collector.textformat import parse_page, parse_series

DEFAULT_COUNTERS = (
    "DEV_SM_CLOCK",
    "DEV_MEM_CLOCK",
    "DEV_MEMORY_TEMP",
    "DEV_GPU_TEMP",
    "DEV_POWER_USAGE",
    "DEV_TOTAL_ENERGY_CONSUMPTION",
    "DEV_PCIE_REPLAY_COUNTER",
    "DEV_GPU_UTIL",
    "DEV_MEM_COPY_UTIL",
    "DEV_ENC_UTIL",
    "DEV_DEC_UTIL",
    "DEV_XID_ERRORS",
    "DEV_FB_FREE",
    "DEV_FB_USED",
    "DEV_FB_RESERVED",
    "DEV_NVLINK_BANDWIDTH_TOTAL",
    "DEV_VGPU_LICENSE_STATUS",
    "DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DEV_CORRECTABLE_REMAPPED_ROWS",
    "DEV_ROW_REMAP_FAILURE",
    "PROF_GR_ENGINE_ACTIVE",
    "PROF_PIPE_TENSOR_ACTIVE",
    "PROF_DRAM_ACTIVE",
    "PROF_PCIE_TX_BYTES",
    "PROF_PCIE_RX_BYTES",
)
"""etc/default-counters.csv of dcgm-exporter 4.5.3-4.8.2, the label DCGM_FI_DRIVER_VERSION left out."""

UUID = "GPU-5c0e0d6d-0000-0000-0000-000000000003"
GPU = {"gpu": "3", "uuid": UUID}
INFO = {"name": 'NVIDIA "H100"', "pci_bus_id": "00000000:3B:00.0", "driver_version": "580.65.06", "serial": "1"}
LABELS = (
    f'gpu="3",UUID="{UUID}",pci_bus_id="00000000:3B:00.0",device="nvidia3",modelName="NVIDIA \\"H100\\"",'
    'Hostname="node1",hostname="node1",DCGM_FI_DRIVER_VERSION="580.65.06"'
)
MIB = 1048576


def gpu(name: str, value: float, /, **labels: str) -> Sample:
    return Sample(SeriesKey(f"forewarn_gpu_{name}", labels_of({**GPU, **labels})), value)


def scrape(*samples: Sample, time_ms: int = 0) -> Scrape:
    return Scrape(time_ms, [gpu("info", 1.0, **INFO), *samples])


def rendered(*samples: Sample) -> dict[str, str]:
    text = DcgmPage("node1").render(scrape(*samples)).decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: value for series, _, value in lines}


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        (gpu("utilization_ratio", 0.29), ("DEV_GPU_UTIL", "29")),
        (gpu("memory_used_bytes", 479 * MIB + 1_000_000), ("DEV_FB_USED", "479")),
        (gpu("memory_free_bytes", 81_081 * MIB), ("DEV_FB_FREE", "81081")),
        (gpu("power_watts", 69.85), ("DEV_POWER_USAGE", "69.850000")),
        (gpu("energy_joules_total", 1_234_567.891), ("DEV_TOTAL_ENERGY_CONSUMPTION", "1234567891")),
        (gpu("clock_hertz", 1.98e9, domain="sm"), ("DEV_SM_CLOCK", "1980")),
        (gpu("clock_hertz", 2.619e9, domain="memory"), ("DEV_MEM_CLOCK", "2619")),
        (gpu("temperature_celsius", 41.0, sensor="core"), ("DEV_GPU_TEMP", "41")),
        (gpu("temperature_celsius", 48.0, sensor="memory"), ("DEV_MEMORY_TEMP", "48")),
        (gpu("tensor_activity_ratio", 0.4321), ("PROF_PIPE_TENSOR_ACTIVE", "0.432100")),
        (gpu("remapped_rows", 2.0, kind="uncorrected"), ("DEV_UNCORRECTABLE_REMAPPED_ROWS", "2")),
        (gpu("remapped_rows", 1.0, kind="corrected"), ("DEV_CORRECTABLE_REMAPPED_ROWS", "1")),
    ],
)
def test_units_and_forms_are_those_of_the_exporter(sample: Sample, line: tuple[str, str]) -> None:
    field, value = line
    assert rendered(sample) == {
        f"DCGM_FI_{field}{{{LABELS}}}": value,
        f'DCGM_FI_DEV_XID_ERRORS{{{LABELS},err_code="0",err_msg="No Error"}}': "0",
    }


def test_what_has_no_value_is_absent() -> None:
    assert rendered(gpu("clock_hertz", 1e9, domain="graphics"), gpu("up", 1.0)).keys() == rendered().keys()
    assert DcgmPage("node1").render(Scrape(0, [gpu("utilization_ratio", 0.5)])) == b""


def test_the_last_xid_is_shown_by_its_code() -> None:
    lines = rendered(
        gpu("xid_last_timestamp_seconds", 1000.0, xid="79"),
        gpu("xid_last_timestamp_seconds", 2000.0, xid="31"),
        gpu("xid_last_timestamp_seconds", 1500.0, xid="48"),
    )
    ((series, value),) = lines.items()
    _, labels = parse_series(series)
    assert value == labels["err_code"] == "31"
    assert "memory" in labels["err_msg"]


def test_the_xid_of_a_gpu_that_fell_off_the_bus_is_still_shown() -> None:
    page = DcgmPage("node1")
    page.render(scrape(gpu("utilization_ratio", 0.5)))
    text = page.render(Scrape(5000, [gpu("xid_last_timestamp_seconds", 1000.0, xid="79"), gpu("up", 0.0)])).decode()
    (series, value), *more = parse_page(text).values
    assert (parse_series(series)[0], value, more) == ("DCGM_FI_DEV_XID_ERRORS", 79.0, [])
    assert f'UUID="{UUID}"' in series


def test_an_xid_whose_number_is_not_known_is_what_nvml_calls_it() -> None:
    ((series, value),) = rendered(gpu("xid_last_timestamp_seconds", 1000.0, xid="unknown")).items()
    assert value == "999"
    assert 'err_code="999"' in series


def test_rates_are_growth_a_second_over_thirty_seconds() -> None:
    page = DcgmPage("node1")

    def values(second: int, sent: float, nvlink: float) -> dict[str, float]:
        samples = (
            gpu("pcie_transmit_bytes_total", sent),
            gpu("nvlink_transmit_bytes_total", nvlink),
            gpu("nvlink_receive_bytes_total", 2 * nvlink),
        )
        found = parse_page(page.render(scrape(*samples, time_ms=second * 1000)).decode()).values
        return {parse_series(series)[0].removeprefix("DCGM_FI_"): value for series, value in found}

    assert values(0, 5e9, 0.0).keys() == {"DEV_XID_ERRORS"}  # of the first round nobody knows how fast it went
    seen = [values(second, 5e9 + 100 * second, 1_024_000 * second) for second in range(5, 125, 5)]
    assert {found["PROF_PCIE_TX_BYTES"] for found in seen} == {100}
    assert {found["DEV_NVLINK_BANDWIDTH_TOTAL"] for found in seen} == {3}
    assert "PROF_PCIE_TX_BYTES" not in values(125, 7.0, 1_024_000 * 125)  # it began again
    assert values(130, 57.0, 1_024_000 * 130)["PROF_PCIE_TX_BYTES"] == 10
    for second in range(135, 200, 5):
        last = values(second, 57.0, 1_024_000 * 130)
    assert last["PROF_PCIE_TX_BYTES"] == last["DEV_NVLINK_BANDWIDTH_TOTAL"] == 0


def test_a_rate_that_is_measured_wins_over_one_that_is_reckoned() -> None:
    lines = rendered(gpu("pcie_receive_bytes_per_second", 12_345.6), gpu("pcie_receive_bytes_total", 7.0))
    assert lines[f"DCGM_FI_PROF_PCIE_RX_BYTES{{{LABELS}}}"] == "12345"


def test_slices_stand_in_for_their_gpu_where_they_have_the_field() -> None:
    def of(name: str, value: float, instance: str, **more: str) -> Sample:
        labels = {**GPU, "gpu_instance_id": instance, "mig_profile": f"{instance}g.10gb", **more}
        return Sample(SeriesKey(f"forewarn_mig_{name}", labels_of(labels)), value)

    lines = rendered(
        gpu("memory_used_bytes", 900 * MIB),
        gpu("power_watts", 100.0),
        of("memory_used_bytes", 300 * MIB, "1", compute_instance_id="0"),
        of("memory_used_bytes", 300 * MIB, "1", compute_instance_id="1"),
        of("memory_used_bytes", 500 * MIB, "2", compute_instance_id="0"),
        of("tensor_activity_ratio", 0.5, "2"),
    )
    del lines[f'DCGM_FI_DEV_XID_ERRORS{{{LABELS},err_code="0",err_msg="No Error"}}']
    assert lines == {
        f"DCGM_FI_DEV_POWER_USAGE{{{LABELS}}}": "100.000000",
        f'DCGM_FI_DEV_FB_USED{{{LABELS},GPU_I_PROFILE="1g.10gb",GPU_I_ID="1"}}': "300",
        f'DCGM_FI_DEV_FB_USED{{{LABELS},GPU_I_PROFILE="2g.10gb",GPU_I_ID="2"}}': "500",
        f'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{LABELS},GPU_I_PROFILE="2g.10gb",GPU_I_ID="2"}}': "0.500000",
    }


def test_a_gpu_that_changes_its_driver_gets_new_labels() -> None:
    page = DcgmPage("node1", (("simulated", "true"),))
    page.render(scrape(gpu("utilization_ratio", 0.5)))
    text = page.render(Scrape(1, [gpu("info", 1.0, **{**INFO, "driver_version": "610.1"})])).decode()
    assert 'DCGM_FI_DRIVER_VERSION="610.1",simulated="true"' in text


def test_the_defaults_are_those_of_the_exporter() -> None:
    ours = {field.name.removeprefix("DCGM_FI_") for field in FIELDS if field.default}
    assert ours | {"DEV_XID_ERRORS"} == set(DEFAULT_COUNTERS)
    assert len(DEFAULT_COUNTERS) == 25


def test_every_field_is_made_of_metrics_and_labels_that_there_are() -> None:
    for field in FIELDS:
        for name in (*([field.metric] if field.metric else []), *field.growth_of):
            assert {label for label, _ in field.labels} | {"gpu", "uuid"} == set(CATALOGUE[name].labels), field.name
        assert all(CATALOGUE[name].type == "counter" for name in field.growth_of), field.name
        assert field.metric or field.growth_of, field.name
    names = [name for field in FIELDS for name in field.names]
    assert len(names) == len(set(names))


@pytest.mark.prometheus
def test_promtool_reads_it_and_minds_the_exporters_spelling_only() -> None:
    samples = [
        gpu(name.removeprefix("forewarn_gpu_"), 0.5, **dict(field.labels))
        for field in FIELDS
        for name in (field.metric, *field.growth_of)
        if name
    ]
    page = DcgmPage("node1")
    page.render(scrape(*samples))
    text = page.render(scrape(*samples, time_ms=5000))
    names = re.findall(rb"^# TYPE (\S+) untyped$", text, re.MULTILINE)
    assert len(names) == len(set(names)) == len(DEFAULT_COUNTERS)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    complaints = {line.partition(" ")[2] for line in checked.stderr.decode().splitlines()}
    assert complaints == {
        "label names should be written in 'snake_case' not 'camelCase'",
        "metric name should not include type 'counter'",
    }, checked
