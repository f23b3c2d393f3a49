import ctypes
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.catalogue import CATALOGUE, metric_of_sample
from collector.samplers.build import build_sources
from collector.samplers.devices.infiniband import _COUNTERS, Infiniband
from collector.samplers.devices.links import Links
from collector.samplers.devices.nvme import Nvme, log_page_command, smart_page
from collector.samplers.devices.pci import PciErrors
from collector.samplers.devices.raid import Raid
from collector.samplers.devices.rota import Look, Rota
from collector.samplers.devices.sensors import MemoryErrors, Temperatures, Throttling
from collector.samplers.host.source import Host
from collector.series import Sample
from collector.settings import CollectorSettings, HostSettings
from forewarn.base.clock import SystemClock
from tests.support.hand_clock import HandClock
from tests.support.kernel_tree import plant, read_recording

RECORDING = Path(__file__).parent.parent / "fixtures" / "host" / "proc_6_18.txt"

NET = "sys/class/net/"
IB = "sys/class/infiniband/mlx5_0/ports/1/"
HWMON = "sys/class/hwmon/"
LINKS = {
    f"{NET}eth0/device/vendor": "0x15b3\n",
    f"{NET}eth0/operstate": "up\n",
    f"{NET}eth0/speed": "100000\n",
    f"{NET}eth0/carrier_changes": "2\n",
    f"{NET}eth0/bonding_slave/mii_status": "up\n",
    f"{NET}eth1/device/vendor": "0x15b3\n",
    f"{NET}eth1/operstate": "down\n",
    f"{NET}eth1/speed": "-1\n",
    f"{NET}eth1/carrier_changes": "7\n",
    f"{NET}eth1/bonding_slave/mii_status": "down\n",
    f"{NET}bond0/operstate": "up\n",
    f"{NET}bond0/speed": "100000\n",
    f"{NET}bond0/carrier_changes": "4\n",
    f"{NET}bond0/bonding/slaves": "eth0 eth1\n",
    f"{NET}veth9/device/x": "",
    f"{NET}eth0v0/device/physfn/vendor": "0x15b3\n",
    f"{NET}eth0v0/operstate": "up\n",
    f"{NET}eth0v0/speed": "100000\n",
    f"{NET}tun0/operstate": "unknown\n",
    f"{NET}bonding_masters": "bond0\n",
}
INFINIBAND = {
    f"{IB}state": "4: ACTIVE\n",
    f"{IB}phys_state": "5: LinkUp\n",
    f"{IB}rate": "400 Gb/sec (4X NDR)\n",
    f"{IB}link_layer": "InfiniBand\n",
    "sys/class/infiniband/mlx5_0/fw_ver": "28.39.1002\n",
    "sys/class/infiniband/mlx5_0/board_id": "MT_838\n",
    f"{IB}counters/port_rcv_data": "1000\n",
    f"{IB}counters/port_xmit_data": "18446744073709551615\n",
    f"{IB}counters/symbol_error": "3\n",
    f"{IB}counters/link_downed": "1\n",
    f"{IB}counters/port_xmit_wait": "N/A (no PMA)\n",
    f"{IB}hw_counters/np_cnp_sent": "12\n",
    f"{IB}hw_counters/lifespan": "10\n",
    "sys/class/infiniband/mlx5_9/ports/1/state": "4: ACTIVE\n",
    "sys/class/infiniband/mlx5_9/ports/1/rate": "400 Gb/sec (4X NDR)\n",
    "sys/class/infiniband/mlx5_9/device/physfn/vendor": "0x15b3\n",
    "sys/class/infiniband/mlx5_1/ports/1/state": "1: DOWN\n",
    "sys/class/infiniband/mlx5_1/ports/1/phys_state": "3: Disabled\n",
    "sys/class/infiniband/mlx5_1/ports/1/rate": "10 Gb/sec (4X SDR)\n",
}
SENSORS = {
    f"{HWMON}hwmon0/name": "coretemp\n",
    f"{HWMON}hwmon0/device": "-> ../../../devices/platform/coretemp.0",
    f"{HWMON}hwmon0/temp1_input": "48000\n",
    f"{HWMON}hwmon0/temp1_label": "Package id 0\n",
    f"{HWMON}hwmon0/temp1_crit": "100000\n",
    f"{HWMON}hwmon0/temp2_input": "45000\n",
    f"{HWMON}hwmon0/temp2_label": "Core 0\n",
    f"{HWMON}hwmon1/name": "nvme\n",
    f"{HWMON}hwmon1/device": "-> ../../nvme/nvme0",
    f"{HWMON}hwmon1/temp1_input": "38850\n",
    f"{HWMON}hwmon1/temp1_label": "Composite\n",
    f"{HWMON}hwmon1/temp1_crit": "65261850\n",
    f"{HWMON}hwmon2/name": "mlx5\n",
    f"{HWMON}hwmon2/device": "-> ../../../devices/pci0000:00/0000:5e:00.0",
    f"{HWMON}hwmon2/temp1_input": "61000\n",
    f"{HWMON}hwmon2/temp2_input": "127000\n",
    f"{HWMON}hwmon2/temp3_input": "51000\n",
    f"{HWMON}hwmon2/temp3_label": "Module\n",
    f"{HWMON}hwmon2/temp4_input": "52000\n",
    f"{HWMON}hwmon2/temp4_label": "Module\n",
    f"{HWMON}hwmon2/fan1_input": "900\n",
}


CPU = "sys/devices/system/cpu/"
PCI = "sys/bus/pci/devices/"
THROTTLED = {
    f"{CPU}cpu{cpu}/{file}": f"{value}\n"
    for cpu, package in enumerate((0, 0, 1))
    for file, value in (
        ("topology/physical_package_id", package),
        ("thermal_throttle/package_throttle_count", 10 * package + 3),
    )
} | {f"{CPU}cpufreq/boost": "1\n"}
AER = {
    f"{PCI}0000:5e:00.0/class": "0x020700\n",
    f"{PCI}0000:5e:00.0/aer_dev_correctable": "RxErr 3\nBadTLP 1\nTOTAL_ERR_COR 4\n",
    f"{PCI}0000:5e:00.0/aer_dev_nonfatal": "Undefined 0\nTOTAL_ERR_NONFATAL 0\n",
    f"{PCI}0000:5e:00.0/aer_dev_fatal": "Undefined 0\nTOTAL_ERR_FATAL 1\n",
    f"{PCI}0000:00:01.0/class": "0x060400\n",
    f"{PCI}0000:00:01.0/aer_dev_correctable": "TOTAL_ERR_COR 4\n",
    f"{PCI}0000:00:02.0/class": "0x030000\n",
}


def found(look: Look) -> dict[str, float]:
    """What all devices tell, checked against the catalogue."""
    samples: list[Sample] = [sample for device in look.devices() for sample in look.read(device)]
    for sample in samples:
        metric = metric_of_sample(sample.key.name)
        assert metric is not None, sample.key
        assert sorted(metric.labels) == [name for name, _ in sample.key.labels] or "_info" in metric.name
        assert sample.counter == (metric.type == "counter"), sample.key
    values = {str(sample.key).removeprefix("forewarn_node_"): sample.value for sample in samples}
    assert len(values) == len(samples)
    return values


def test_links_of_cards_and_bonds(tmp_path: Path) -> None:
    assert found(Links(plant(tmp_path, LINKS), ("veth*",))) == {
        'network_up{device="eth0"}': 1,
        'network_speed_bytes{device="eth0"}': 12.5e9,
        'network_carrier_changes_total{device="eth0"}': 2,
        'network_up{device="eth1"}': 0,
        'network_carrier_changes_total{device="eth1"}': 7,
        'network_up{device="bond0"}': 1,
        'network_speed_bytes{device="bond0"}': 12.5e9,
        'network_carrier_changes_total{device="bond0"}': 4,
        'bonding_slaves{master="bond0"}': 2,
        'bonding_active{master="bond0"}': 1,
    }


def test_ports_count_octets_and_leave_out_what_their_driver_does_not_offer(tmp_path: Path) -> None:
    ports = Infiniband(plant(tmp_path, INFINIBAND))
    assert ports.devices() == ["mlx5_0/1", "mlx5_1/1", "mlx5_9/1"]
    one, two, virtual = (f'device="mlx5_{number}",port="1"' for number in (0, 1, 9))
    layer = 'link_layer="InfiniBand"'
    assert found(ports) == {
        f"infiniband_state_id{{{one}}}": 4,
        f"infiniband_physical_state_id{{{one}}}": 5,
        f"infiniband_speed_bytes{{{one}}}": 50e9,
        f"infiniband_receive_bytes_total{{{one}}}": 4000,
        f"infiniband_transmit_bytes_total{{{one}}}": (2**64 - 1) * 4.0,
        f"infiniband_symbol_errors_total{{{one}}}": 3,
        f"infiniband_link_downed_total{{{one}}}": 1,
        f"infiniband_np_cnp_sent_total{{{one}}}": 12,
        f'infiniband_info{{board_id="MT_838",device="mlx5_0",firmware="28.39.1002",{layer},port="1"}}': 1,
        f"infiniband_info{{{two}}}": 1,
        f"infiniband_info{{{virtual}}}": 1,
        f"infiniband_state_id{{{two}}}": 1,
        f"infiniband_physical_state_id{{{two}}}": 3,
        f"infiniband_state_id{{{virtual}}}": 4,
    }


def test_every_counter_of_a_port_is_in_the_catalogue(tmp_path: Path) -> None:
    files = {f"{IB}{file}": "1\n" for file, _, _ in _COUNTERS}
    assert len(found(Infiniband(plant(tmp_path, files)))) == len(_COUNTERS) + 1


def test_temperatures_by_chip_and_sensor(tmp_path: Path) -> None:
    assert found(Temperatures(plant(tmp_path, SENSORS))) == {
        'hwmon_temp_celsius{chip="coretemp.0",sensor="Package id 0"}': 48,
        'hwmon_temp_crit_celsius{chip="coretemp.0",sensor="Package id 0"}': 100,
        'hwmon_temp_celsius{chip="nvme0",sensor="Composite"}': 38.85,
        'hwmon_temp_celsius{chip="mlx5_0000:5e:00.0",sensor="temp1"}': 61,
        'hwmon_temp_celsius{chip="mlx5_0000:5e:00.0",sensor="Module"}': 51,
        'hwmon_temp_celsius{chip="mlx5_0000:5e:00.0",sensor="Module 4"}': 52,
    }


def test_errors_of_the_hosts_memory(tmp_path: Path) -> None:
    folder = "sys/devices/system/edac/mc/"
    files = {f"{folder}mc0/ce_count": "5\n", f"{folder}mc0/ue_count": "0\n", f"{folder}power/control": "auto\n"}
    assert found(MemoryErrors(plant(tmp_path, files))) == {
        'edac_correctable_errors_total{controller="0"}': 5,
        'edac_uncorrectable_errors_total{controller="0"}': 0,
    }


def test_a_package_is_told_once_however_many_processors_it_has(tmp_path: Path) -> None:
    assert found(Throttling(plant(tmp_path, THROTTLED))) == {
        'cpu_package_throttles_total{package="0"}': 3,
        'cpu_package_throttles_total{package="1"}': 13,
    }


def test_errors_of_the_devices_that_a_node_depends_on(tmp_path: Path) -> None:
    assert found(PciErrors(plant(tmp_path, AER))) == {
        'pci_errors_total{device="0000:5e:00.0",severity="correctable"}': 4,
        'pci_errors_total{device="0000:5e:00.0",severity="nonfatal"}': 0,
        'pci_errors_total{device="0000:5e:00.0",severity="fatal"}': 1,
    }


def test_members_that_an_array_lacks(tmp_path: Path) -> None:
    md = "sys/block/md0/md/"
    files = {
        f"{md}raid_disks": "2\n",
        f"{md}degraded": "1\n",
        f"{md}sync_action": "recover\n",
        "sys/block/md1/md/raid_disks": "4\n",
        "sys/block/sda/size": "1\n",
    }
    assert found(Raid(plant(tmp_path, files))) == {
        'md_disks_required{device="md0"}': 2,
        'md_disks_missing{device="md0"}': 1,
        'md_rebuilding{device="md0"}': 1,
        'md_disks_required{device="md1"}': 4,
    }


def page() -> bytes:
    """A page of health: 3 % worn, 12 TB written, a media error, a warning of temperature."""
    raw = bytearray(512)
    raw[0], raw[3], raw[4], raw[5] = 2, 100, 10, 3
    raw[32:48] = (7).to_bytes(16, "little")
    raw[48:64] = (24_000_000).to_bytes(16, "little")
    raw[128:144] = (1000).to_bytes(16, "little")
    raw[144:160] = (9).to_bytes(16, "little")
    raw[160:176] = (1).to_bytes(16, "little")
    return bytes(raw)


def refuse(code: int) -> Callable[[str], bytes]:
    def ask(path: str) -> bytes:
        raise OSError(code, os.strerror(code))

    return ask


NVME = {
    "sys/class/nvme/nvme0/state": "live\n",
    "sys/class/nvme/nvme0/model": "SAMSUNG MZQL23T8HCLS-00A07              \n",
    "sys/class/nvme/nvme0/firmware_rev": "GDC5602Q\n",
}
SEEN = {
    'nvme_live{device="nvme0"}': 1,
    'nvme_info{device="nvme0",firmware="GDC5602Q",model="SAMSUNG MZQL23T8HCLS-00A07"}': 1,
}


def test_the_wear_of_a_drive_that_may_be_asked(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(path: str) -> bytes:
        asked.append(path)
        return page()

    roots = plant(tmp_path, NVME)
    device = '{device="nvme0"}'
    assert found(Nvme(roots, ask)) == {
        **SEEN,
        f"nvme_critical_warning{device}": 2,
        f"nvme_available_spare_ratio{device}": 1,
        f"nvme_available_spare_threshold_ratio{device}": 0.1,
        f"nvme_wear_ratio{device}": 0.03,
        f"nvme_read_bytes_total{device}": 7 * 512_000,
        f"nvme_written_bytes_total{device}": 12.288e12,
        f"nvme_power_on_seconds_total{device}": 3_600_000,
        f"nvme_unsafe_shutdowns_total{device}": 9,
        f"nvme_media_errors_total{device}": 1,
    }
    assert asked == [f"{roots.dev}/nvme0"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.ENOENT])
def test_what_only_the_page_tells_is_absent_where_the_drive_may_not_be_asked(tmp_path: Path, code: int) -> None:
    assert found(Nvme(plant(tmp_path, NVME), refuse(code))) == SEEN


def test_a_drive_that_fails_its_page_is_still_told_of(tmp_path: Path) -> None:
    roots = plant(tmp_path, NVME)
    assert found(Nvme(roots, refuse(errno.EIO))) == SEEN
    plant(tmp_path, {"sys/class/nvme/nvme0/state": "dead\n"})
    assert found(Nvme(roots, refuse(errno.EIO)))['nvme_live{device="nvme0"}'] == 0


class PassthruCommand(ctypes.Structure):
    """struct nvme_passthru_cmd, field by field."""

    _fields_ = (
        ("opcode", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("rsvd1", ctypes.c_uint16),
        ("nsid", ctypes.c_uint32),
        ("cdw2", ctypes.c_uint32),
        ("cdw3", ctypes.c_uint32),
        ("metadata", ctypes.c_uint64),
        ("addr", ctypes.c_uint64),
        ("metadata_len", ctypes.c_uint32),
        ("data_len", ctypes.c_uint32),
        ("cdw10", ctypes.c_uint32),
        ("cdw11", ctypes.c_uint32),
        ("cdw12", ctypes.c_uint32),
        ("cdw13", ctypes.c_uint32),
        ("cdw14", ctypes.c_uint32),
        ("cdw15", ctypes.c_uint32),
        ("timeout_ms", ctypes.c_uint32),
        ("result", ctypes.c_uint32),
    )


def test_the_command_asks_for_the_page_of_health_and_nothing_else() -> None:
    command = PassthruCommand.from_buffer(log_page_command(0x7F00_0000_1000))
    told = {name: getattr(command, name) for name, _ in PassthruCommand._fields_}
    assert {name: value for name, value in told.items() if value} == {
        "opcode": 0x02,
        "nsid": 0xFFFFFFFF,
        "addr": 0x7F00_0000_1000,
        "data_len": 512,
        "cdw10": 127 << 16 | 2,
        "timeout_ms": 2000,
    }


def test_a_file_that_is_no_drive_refuses_the_command(tmp_path: Path) -> None:
    (tmp_path / "nvme0").write_bytes(b"")
    with pytest.raises(OSError, match=r"ioctl") as caught:
        smart_page(str(tmp_path / "nvme0"))
    assert caught.value.errno == errno.ENOTTY


def names(tmp_path: Path, **settings: object) -> set[str]:
    roots = plant(tmp_path, {})
    wanted = CollectorSettings.model_validate({"host": settings})
    return {source.name for source in build_sources(wanted, SystemClock(), roots)}


COMING = {"links", "infiniband", "nvme", "raid"}


def test_sensors_that_the_host_has_and_devices_that_may_come_become_sources(tmp_path: Path) -> None:
    both = {"host", "filesystems"}
    assert names(tmp_path) == both | COMING
    plant(tmp_path, {name: text for name, text in SENSORS.items() if not text.startswith("-> ")})
    plant(tmp_path, {**THROTTLED, **AER})
    assert names(tmp_path) == both | COMING | {"temperatures", "throttling", "pci_errors"}
    off = {"network": False, "infiniband": False, "disk_health": False, "sensors": False}
    assert names(tmp_path, **off) == both


async def test_a_port_whose_driver_is_loaded_later_is_seen(tmp_path: Path) -> None:
    clock = HandClock()
    settings = CollectorSettings.model_validate({"host": {"infiniband": True}})
    (source,) = [one for one in build_sources(settings, clock, plant(tmp_path, {})) if one.name == "infiniband"]
    assert await source.collect() == []
    plant(tmp_path, INFINIBAND)
    await clock.advance(15)
    assert any(sample.key.name == "forewarn_node_infiniband_state_id" for sample in await source.collect())
    await source.close()


async def test_whatever_the_catalogue_says_of_the_host_is_told_by_somebody(tmp_path: Path) -> None:
    numa = "sys/devices/system/node/node"
    files = {
        **read_recording(RECORDING),
        **LINKS,
        **INFINIBAND,
        **{f"{IB}{file}": "1\n" for file, _, _ in _COUNTERS},
        **SENSORS,
        **NVME,
        **THROTTLED,
        **AER,
        "proc/sys/kernel/hung_task_detect_count": "2\n",
        "sys/block/vda/size": "1\n",
        "sys/block/md0/md/raid_disks": "2\n",
        "sys/block/md0/md/degraded": "0\n",
        "sys/block/md0/md/sync_action": "idle\n",
        "sys/devices/system/edac/mc/mc0/ce_count": "0\n",
        "sys/devices/system/edac/mc/mc0/ue_count": "0\n",
        **{f"{numa}{node}/meminfo": f"Node {node} MemTotal: 8 kB\nNode {node} MemFree: 1 kB\n" for node in (0, 1)},
        **{f"{numa}{node}/numastat": "numa_miss 1\nother_node 1\n" for node in (0, 1)},
    }
    files["proc/meminfo"] += "HardwareCorrupted: 0 kB\nSwapTotal: 4 kB\nSwapFree: 2 kB\nHugePages_Total: 2\n"
    files["proc/meminfo"] += "HugePages_Free: 1\nHugepagesize: 2048 kB\n"
    roots = plant(tmp_path, files)
    looks: list[Look] = [Links(roots, ()), Infiniband(roots), Temperatures(roots), MemoryErrors(roots), Raid(roots)]
    looks += [Nvme(roots, lambda _: page()), Throttling(roots), PciErrors(roots)]
    samples = [sample for look in looks for device in look.devices() for sample in look.read(device)]
    clock = HandClock()
    host = Host(HostSettings(ignore_interfaces=()), 5, clock, roots)
    await host.collect()
    await clock.advance(15)
    busy = files["proc/stat"].replace("cpu  ", "cpu  9", 1)
    plant(tmp_path, {"proc/stat": busy, "proc/vmstat": "oom_kill 9\n"})
    samples += await host.collect()
    await host.close()
    told = {sample.key.name for sample in samples}
    rows = {name for name in CATALOGUE if name.startswith("forewarn_node_") and "_filesystem_" not in name}
    assert told <= CATALOGUE.keys()
    once = {"major_page_faults_total", "swap_in_bytes_total", "swap_out_bytes_total"}  # gone from the second vmstat
    unasked = {"timex_sync_status", "timex_offset_seconds", "timex_maxerror_seconds"}  # the kernel may refuse
    elsewhere = {f"forewarn_node_{name}" for name in {*once, *unasked, "device_stuck"}}
    assert rows - told <= elsewhere


@pytest.mark.timed
async def test_a_port_whose_files_hang_stops_no_other(tmp_path: Path) -> None:
    roots = plant(tmp_path, {name: text for name, text in INFINIBAND.items() if name != f"{IB}rate"})
    sick = tmp_path / IB / "rate"
    os.mkfifo(sick)  # whoever opens it to read waits for somebody who writes
    rota = Rota("infiniband", Infiniband(roots), SystemClock(), every=15, patience=60, deadline=0.2)
    told = {str(sample.key): sample.value for sample in await rota.collect()}
    end = time.monotonic() + 60
    while not any("mlx5_9" in series for series in told):
        assert time.monotonic() < end
        told = {str(sample.key): sample.value for sample in await rota.collect()}
    assert told['forewarn_node_device_stuck{collector="infiniband",device="mlx5_0/1"}'] == 1
    assert told['forewarn_node_infiniband_state_id{device="mlx5_1",port="1"}'] == 1
    assert not any("mlx5_0" in series and "device_stuck" not in series for series in told)
    sick.write_text("400 Gb/sec (4X NDR)\n")
    await rota.close()
