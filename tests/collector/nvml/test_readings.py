"""Every number that the driver tells, from its own unit to ours."""

from collections.abc import Iterator

import pytest

from collector.catalogue import CATALOGUE
from collector.nvml.readings.calls import FAST, MEDIUM, SLOW
from collector.nvml.readings.fields import FAST_FIELDS, GPM, GPM_LINKS, LINK_ERRORS, MEDIUM_FIELDS, SLOW_FIELDS
from tests.support.nvml import FakeNvml, shared_fake
from tests.support.nvml_child import NvmlChild, values

MIB = 2**20
GIB = 2**30
SECOND = 10**9
GOOD_FABRIC = 0x1AA  # every condition false (2 in two bits), configuration right (1 in bits 8 to 11)

# what the driver is told to answer, the series, the value in it
READINGS = [
    ("utilization", 94, "utilization_ratio", 0.94),
    ("memory_utilization", 7, "memory_bandwidth_utilization_ratio", 0.07),
    ("encoder_utilization", 3, "encoder_utilization_ratio", 0.03),
    ("decoder_utilization", 29, "decoder_utilization_ratio", 0.29),
    ("memory_used", 70 * GIB, "memory_used_bytes", 70 * GIB),
    ("memory_reserved", 479 * MIB, "memory_reserved_bytes", 479 * MIB),
    ("bar1_used", 130 * MIB, "bar1_used_bytes", 130 * MIB),
    ("temperature", 61, "temperature_celsius sensor=core", 61),
    ("field_82", 71, "temperature_celsius sensor=memory", 71),
    ("temperature_margin", -3, "temperature_margin_celsius", -3),
    ("temperature_shutdown", 96, "temperature_limit_celsius action=shutdown", 96),
    ("temperature_slowdown", 91, "temperature_limit_celsius action=slowdown", 91),
    ("temperature_memory_max", 95, "temperature_limit_celsius action=memory_max", 95),
    ("temperature_gpu_max", 87, "temperature_limit_celsius action=gpu_max", 87),
    ("field_193", -8, "temperature_margin_limit_celsius action=shutdown", -8),
    ("field_194", -2, "temperature_margin_limit_celsius action=slowdown", -2),
    ("field_195", 1, "temperature_margin_limit_celsius action=memory_max", 1),
    ("field_196", 2, "temperature_margin_limit_celsius action=gpu_max", 2),
    ("power_mw", 523_125, "power_watts", 523.125),
    ("field_186", 611_500, "power_instant_watts", 611.5),
    ("power_limit_mw", 650_000, "power_limit_watts", 650),
    ("energy_mj", 12_345_678, "energy_joules_total", 12345.678),
    ("fan_speed", 40, "fan_speed_ratio", 0.4),
    ("clock_graphics", 1755, "clock_hertz domain=graphics", 1.755e9),
    ("clock_sm", 1740, "clock_hertz domain=sm", 1.74e9),
    ("clock_memory", 2619, "clock_hertz domain=memory", 2.619e9),
    ("clock_video", 1545, "clock_hertz domain=video", 1.545e9),
    ("clock_max_sm", 1980, "clock_max_hertz domain=sm", 1.98e9),
    ("performance_state", 2, "performance_state", 2),
    ("field_74", 12.5 * SECOND, "throttled_seconds_total reason=sw_power_cap", 12.5),
    ("field_75", 1.5 * SECOND, "throttled_seconds_total reason=thermal", 1.5),
    ("field_76", 2.5 * SECOND, "throttled_seconds_total reason=sync_boost", 2.5),
    ("field_77", 3.5 * SECOND, "throttled_seconds_total reason=board_limit", 3.5),
    ("field_78", 4.5 * SECOND, "throttled_seconds_total reason=low_utilization", 4.5),
    ("field_79", 5.5 * SECOND, "throttled_seconds_total reason=reliability", 5.5),
    ("field_80", 6.5 * SECOND, "throttled_seconds_total reason=application_clocks", 6.5),
    ("field_81", 7.5 * SECOND, "throttled_seconds_total reason=base_clocks", 7.5),
    ("field_269", 8.5 * SECOND, "throttled_seconds_total reason=sw_thermal", 8.5),
    ("field_270", 9.5 * SECOND, "throttled_seconds_total reason=hw_thermal", 9.5),
    ("field_271", 10.5 * SECOND, "throttled_seconds_total reason=hw_power_brake", 10.5),
    ("field_197", 2**40 + 7, "pcie_transmit_bytes_total", 2**40 + 7),
    ("field_198", 2**41 + 9, "pcie_receive_bytes_total", 2**41 + 9),
    ("gpm_pcie_tx", 3, "pcie_transmit_bytes_per_second", 3 * MIB),
    ("gpm_pcie_rx", 5, "pcie_receive_bytes_per_second", 5 * MIB),
    ("pcie_replays", 4, "pcie_replays_total", 4),
    ("field_173", 11, "pcie_errors_total severity=correctable", 11),
    ("field_179", 12, "pcie_errors_total severity=non_fatal", 12),
    ("field_180", 13, "pcie_errors_total severity=fatal", 13),
    ("pcie_generation", 5, "pcie_link_generation", 5),
    ("pcie_width", 16, "pcie_link_width_max", 16),
    ("field_138", 7, "nvlink_transmit_bytes_total", 7 * 1024),
    ("field_139", 9, "nvlink_receive_bytes_total", 9 * 1024),
    ("gpm_nvlink_tx", 61, "nvlink_transmit_bytes_per_second", 61 * MIB),
    ("gpm_nvlink_rx", 60, "nvlink_receive_bytes_per_second", 60 * MIB),
    ("field_38", 21, "nvlink_errors_total kind=crc_flit", 21),
    ("field_45", 22, "nvlink_errors_total kind=crc_data", 22),
    ("field_52", 23, "nvlink_errors_total kind=replay", 23),
    ("field_59", 24, "nvlink_errors_total kind=recovery", 24),
    ("field_160", 25, "nvlink_errors_total kind=ecc_data", 25),
    ("nvlink_state.1", 0, "nvlink_up link=1", 0),
    ("nvlink_state.2", 1, "nvlink_up link=2", 1),
    ("ecc_corrected_volatile", 31, "ecc_errors_total scope=volatile type=corrected", 31),
    ("ecc_corrected_aggregate", 32, "ecc_errors_total scope=aggregate type=corrected", 32),
    ("ecc_uncorrected_volatile", 33, "ecc_errors_total scope=volatile type=uncorrected", 33),
    ("ecc_uncorrected_aggregate", 34, "ecc_errors_total scope=aggregate type=uncorrected", 34),
    ("sram_volatile_corrected", 41, "sram_ecc_errors_total scope=volatile type=corrected", 41),
    ("sram_volatile_parity", 42, "sram_ecc_errors_total scope=volatile type=uncorrected_parity", 42),
    ("sram_volatile_secded", 43, "sram_ecc_errors_total scope=volatile type=uncorrected_secded", 43),
    ("sram_aggregate_corrected", 44, "sram_ecc_errors_total scope=aggregate type=corrected", 44),
    ("sram_aggregate_parity", 45, "sram_ecc_errors_total scope=aggregate type=uncorrected_parity", 45),
    ("sram_aggregate_secded", 46, "sram_ecc_errors_total scope=aggregate type=uncorrected_secded", 46),
    ("sram_l2", 51, "sram_ecc_uncorrected_errors_total location=l2", 51),
    ("sram_sm", 52, "sram_ecc_uncorrected_errors_total location=sm", 52),
    ("sram_pcie", 53, "sram_ecc_uncorrected_errors_total location=pcie", 53),
    ("sram_mcu", 54, "sram_ecc_uncorrected_errors_total location=microcontroller", 54),
    ("sram_other", 55, "sram_ecc_uncorrected_errors_total location=other", 55),
    ("sram_threshold_exceeded", 1, "sram_ecc_threshold_exceeded", 1),
    ("remapped_corrected", 61, "remapped_rows kind=corrected", 61),
    ("remapped_uncorrected", 62, "remapped_rows kind=uncorrected", 62),
    ("remapped_pending", 1, "remapped_rows_pending", 1),
    ("remapped_failure", 1, "remapped_rows_failure", 1),
    ("remapper_max", 600, "remapped_rows_available_banks spare=max", 600),
    ("remapper_high", 30, "remapped_rows_available_banks spare=high", 30),
    ("remapper_partial", 7, "remapped_rows_available_banks spare=partial", 7),
    ("remapper_low", 2, "remapped_rows_available_banks spare=low", 2),
    ("remapper_none", 1, "remapped_rows_available_banks spare=none", 1),
    ("retired_single_bit", 11, "retired_pages cause=single_bit", 11),
    ("retired_double_bit", 2, "retired_pages cause=double_bit", 2),
    ("retired_pending", 1, "retired_pages_pending", 1),
    ("field_230", 4, "recovery_action", 4),
    ("fabric_state", 3, "fabric_state", 3),
    ("fabric_status", 17, "fabric_status", 17),
    ("fabric_health_summary", 3, "fabric_health", 3),
    ("persistence_mode", 0, "persistence_mode", 0),
    ("compute_mode", 3, "compute_mode", 3),
    ("vgpu_license", 2, "vgpu_licensed", 1),
    ("ecc_mode", 1, "ecc_mode", 1),
    ("ecc_mode_pending", 0, "mode_change_pending mode=ecc", 1),
    ("mig_mode_pending", 1, "mode_change_pending mode=mig", 1),
    ("gpm", 62.5, "tensor_activity_ratio", 0.625),
]


def series(text: str) -> tuple[str, ...]:
    name, *labels = text.split()
    return (f"forewarn_gpu_{name}", *labels)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], float]]:
    fake = FakeNvml(tmp_path_factory.mktemp("readings") / "state", shared_fake(tmp_path_factory))
    fake.set("retired_pages_offered", 1)
    fake.set("field_type_197", 3)
    fake.set("field_type_198", 3)
    for key, value, *_ in READINGS:
        fake.set(key, value)
    with NvmlChild(fake.environ()) as child:
        yield values(child.settled_round(), 0)


@pytest.mark.parametrize(("key", "raw", "name", "expected"), READINGS, ids=[name for _, _, name, _ in READINGS])
def test_a_number_arrives_in_its_base_unit(
    found: dict[tuple[str, ...], float], key: str, raw: float, name: str, expected: float
) -> None:
    assert found[series(name)] == pytest.approx(expected, rel=1e-15), (key, raw)


def first_round(fake: FakeNvml) -> dict[tuple[str, ...], float]:
    with NvmlChild(fake.environ()) as child:
        return values(child.settled_round(), 0)


def of(found: dict[tuple[str, ...], float], name: str) -> dict[str, float]:
    """The values of one metric by its one label."""
    return {key[1].split("=")[1]: value for key, value in found.items() if key[0] == f"forewarn_gpu_{name}"}


def test_each_bit_of_the_clock_events_is_a_reason(fake: FakeNvml) -> None:
    fake.set("event_reasons", 4 | 64 | 256)
    active = of(first_round(fake), "clock_event_active")
    assert {reason for reason, value in active.items() if value} == {"sw_power_cap", "hw_thermal", "display_clocks"}
    assert len(active) == 9


@pytest.mark.parametrize(
    ("mask", "degraded", "misconfigured"),
    [
        (GOOD_FABRIC, {}, 0),
        (GOOD_FABRIC ^ 0b11, {"degraded_bandwidth"}, 0),
        (GOOD_FABRIC ^ 0b1100, {"route_recovery"}, 0),
        (GOOD_FABRIC ^ 0b110000, {"route_unhealthy"}, 0),
        (GOOD_FABRIC ^ 0b11000000, {"access_timeout_recovery"}, 0),
        (0x4AA, {}, 3),  # 4: no partition
    ],
)
def test_the_bits_of_the_fabrics_health(fake: FakeNvml, mask: int, degraded: set[str], misconfigured: int) -> None:
    fake.set("fabric_health_mask", mask)
    found = first_round(fake)
    conditions = of(found, "fabric_degraded")
    assert {name for name, value in conditions.items() if value} == set(degraded)
    assert len(conditions) == 4
    assert found[series("fabric_misconfigured")] == misconfigured


def test_what_the_fabric_does_not_tell_is_absent(fake: FakeNvml) -> None:
    fake.set("fabric_health_mask", 0b10)
    fake.set("fabric_health_summary", 0)
    fake.set("fabric_state", 2)
    found = first_round(fake)
    assert of(found, "fabric_degraded") == {"degraded_bandwidth": 0}
    names = {name for name, *_ in found if "fabric" in name}
    assert names == {"forewarn_gpu_fabric_state", "forewarn_gpu_fabric_degraded"}


def test_a_gpu_without_a_fabric_has_no_fabric_series(fake: FakeNvml) -> None:
    fake.set("fabric_state", 0)
    fake.set("fabric_health_mask", 0)
    fake.set("fabric_health_summary", 0)
    assert not [name for name, *_ in first_round(fake) if "fabric" in name]


def test_a_driver_with_version_2_of_the_fabric_is_asked_for_that(fake: FakeNvml) -> None:
    fake.set("fabric_version", 2)
    found = first_round(fake)
    assert found[series("fabric_state")] == 3
    assert series("fabric_health") not in found


@pytest.mark.parametrize("kind", sorted(set(LINK_ERRORS.values())))
def test_every_kind_of_link_error_is_summed_over_the_links(link_errors: dict[str, float], kind: str) -> None:
    (number,) = [number for number, name in LINK_ERRORS.items() if name == kind]
    assert link_errors[kind] == 3 * number + 2


@pytest.fixture(scope="module")
def link_errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    fake = FakeNvml(tmp_path_factory.mktemp("links") / "state", shared_fake(tmp_path_factory))
    fake.set("nvlink_count", 4)
    for number in LINK_ERRORS:
        fake.set(f"field_{number}", number)
        fake.set(f"field_{number}.1", 2)
    return of(first_round(fake), "nvlink_errors_total")


def test_the_worst_link_gives_the_bit_error_ratio(fake: FakeNvml) -> None:
    fake.set("nvlink_count", 3)
    fake.set("field_222", 15 | 2 << 8)  # 2e-15
    fake.set("field_222.1", 12 | 7 << 8)  # 7e-12
    fake.set("field_220", 0)
    assert of(first_round(fake), "nvlink_bit_error_ratio") == {"symbol": pytest.approx(7e-12), "effective": 0}


def test_without_a_count_over_all_links_those_of_the_links_are_summed(fake: FakeNvml) -> None:
    fake.set("nvlink_count", 3)
    fake.fail_field(138, 3)
    fake.set("field_139", 5)
    fake.set("field_202", 1_000)
    fake.set("field_202.2", 7)
    fake.set("field_204", 9_999)
    found = first_round(fake)
    assert found[series("nvlink_transmit_bytes_total")] == 2_007
    assert found[series("nvlink_receive_bytes_total")] == 5 * 1024


def test_a_gpu_without_nvlinks_has_none(fake: FakeNvml) -> None:
    fake.set("nvlink_count", 0)
    fake.fail_field(138, 3)
    fake.fail_field(139, 3)
    with NvmlChild(fake.environ()) as child:
        found = values(child.settled_round(), 0)
        named = child.not_offered()
    assert {name for name, *_ in found if "nvlink" in name} == {
        "forewarn_gpu_nvlink_transmit_bytes_per_second",
        "forewarn_gpu_nvlink_receive_bytes_per_second",
    }
    assert named["nvmlDeviceGetNvLinkState"] == "not_supported 0"


def test_links_that_are_many_are_all_seen(fake: FakeNvml) -> None:
    fake.set("nvlink_count", 36)
    assert len(of(first_round(fake), "nvlink_up")) == 36


def test_without_byte_counters_the_20_ms_measurement_stands_in(fake: FakeNvml) -> None:
    fake.fail_field(197, 3)
    fake.fail_field(198, 3)
    fake.set("gpm_supported", 0)
    fake.set("pcie_throughput_tx", 2_000)
    fake.set("pcie_throughput_rx", 3_000)
    found = first_round(fake)
    assert found[series("pcie_transmit_bytes_per_second")] == 2_000_000
    assert found[series("pcie_receive_bytes_per_second")] == 3_000_000
    assert series("pcie_transmit_bytes_total") not in found


def test_a_byte_counter_of_32_bits_goes_on_where_it_wraps(fake: FakeNvml) -> None:
    sent = series("pcie_transmit_bytes_total")
    fake.set("gpm_pcie_tx", 0)
    fake.set("field_197", 2**32 - 100)
    with NvmlChild(fake.environ()) as child:
        assert values(child.settled_round(), 0)[sent] == 2**32 - 100
        fake.set("field_197", 2**32 + 50)
        frame = child.wait_for("round", lambda frame: values(frame, 0)[sent] != 2**32 - 100)
        assert values(frame, 0)[sent] == 2**32 + 50
        assert child.not_offered().keys().isdisjoint({"field 197", "nvmlDeviceGetPcieThroughput(0)"})


def test_a_counter_that_wraps_at_a_rate_that_nobody_tells_has_the_rate_measured(fake: FakeNvml) -> None:
    fake.set("gpm_supported", 0)
    fake.set("pcie_throughput_tx", 2_000)
    fake.set("field_197", 7)
    with NvmlChild(fake.environ()) as child:
        rate = series("pcie_transmit_bytes_per_second")
        found = values(child.wait_for("round", lambda frame: rate in values(frame, 0)), 0)
    assert found[rate] == 2_000_000
    assert found[series("pcie_transmit_bytes_total")] == 7


@pytest.mark.parametrize(("value_type", "raw"), [(0, 71.5), (1, 71), (2, 71), (3, 71), (4, -71), (5, -71), (6, 71)])
def test_a_field_is_read_by_the_type_that_it_says(fake: FakeNvml, value_type: int, raw: float) -> None:
    fake.set("field_type_82", value_type)
    fake.set("field_82", raw)
    assert first_round(fake)[series("temperature_celsius sensor=memory")] == raw


@pytest.mark.parametrize(
    ("key", "raw", "name"),
    [
        ("field_82", 0xFFFFFFFF, "temperature_celsius sensor=memory"),
        ("field_138", 2**64, "nvlink_transmit_bytes_total"),
        ("power_mw", 0xFFFFFFFF, "power_watts"),
    ],
)
def test_all_bits_set_is_no_number(fake: FakeNvml, key: str, raw: int, name: str) -> None:
    fake.set(key, raw)
    assert series(name) not in first_round(fake)


def test_the_catalogue_says_how_often_each_is_asked_for() -> None:
    asked = {
        "fast": ({one.metric for one in (*FAST_FIELDS, *GPM, *GPM_LINKS)}, FAST),
        "medium": ({one.metric for one in MEDIUM_FIELDS}, MEDIUM),
        "slow": ({one.metric for one in SLOW_FIELDS}, SLOW),
    }
    often: dict[str, str] = {}
    for cadence in ("slow", "medium", "fast"):
        fields, readings = asked[cadence]
        metrics = fields | {output.metric for reading in readings for output in reading.outputs}
        often |= dict.fromkeys(metrics, cadence)
    assert often == {metric: CATALOGUE[f"forewarn_gpu_{metric}"].cadence for metric in often}


@pytest.mark.parametrize("version", ["575.51.03", "580.65.06", "580.82.07", "580.126.09", "590.48.01", "unknown"])
def test_throttling_has_other_numbers_with_some_drivers(fake: FakeNvml, version: str) -> None:
    fake.add(f"driver_version {version}")
    fake.set("field_264", 50)  # what the numbers of today mean to drivers of 575 and of 580 before .82
    for number, seconds in ((269, 8.5), (270, 9.5), (271, 10.5)):
        fake.set(f"field_{number}", seconds * SECOND)
    found = of(first_round(fake), "throttled_seconds_total")
    assert [found[reason] for reason in ("sw_thermal", "hw_thermal", "hw_power_brake")] == [8.5, 9.5, 10.5]
