import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import metric_of_sample
from collector.rounds import MAX_SERIES_A_SOURCE
from collector.samplers.host.diskstats import Disks
from collector.samplers.host.kernel import Limits, TimeSync, Timex, ask_kernel
from collector.samplers.host.memory import Memory, Numa, Paging, read_meminfo
from collector.samplers.host.processors import Processors
from collector.samplers.host.source import Host
from collector.samplers.host.traffic import Interfaces, paired_lines
from collector.series import Sample
from collector.settings import HostSettings
from collector.source import CollectError
from forewarn.base.clock import SystemClock
from forewarn.base.lane import StuckError
from tests.support.hand_clock import HandClock
from tests.support.kernel_tree import plant, read_recording

RECORDING = Path(__file__).parent.parent / "fixtures" / "host" / "proc_6_18.txt"
STAT = "cpu  {user} 10 40 {idle} 50 0 5 0 20 0\ncpu0 0 0 0 0\nintr 99 1 2\nctxt 7\nbtime 1700000000\nprocesses 8\n"


def values(samples: list[Sample]) -> dict[str, float]:
    """By the series as written, without the common beginning."""
    found = {str(sample.key).removeprefix("forewarn_node_"): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


async def look(source: Host) -> dict[str, float]:
    return values(list(await source.collect()))


async def test_the_recording_of_a_host(tmp_path: Path) -> None:
    roots = plant(tmp_path, {**read_recording(RECORDING), "sys/block/vda/size": "1", "sys/block/loop0/size": "0"})
    source = Host(HostSettings(), 60, SystemClock(), roots)
    samples = list(await source.collect())
    await source.close()
    for sample in samples:
        metric = metric_of_sample(sample.key.name)
        assert metric is not None, sample.key
        assert [name for name, _ in sample.key.labels] == sorted(metric.labels)
        assert sample.counter == (metric.type == "counter")
    found = values(samples)
    expected = {
        "cpus": 2,
        'cpu_seconds_total{mode="user"}': 6475.29,
        'cpu_seconds_total{mode="steal"}': 49.17,
        "load15": 0.86,
        "threads": 121,
        'pressure_waiting_seconds_total{resource="cpu"}': 1907.008617,
        'pressure_waiting_ratio{resource="cpu"}': 0.0704,
        'pressure_stalled_seconds_total{resource="io"}': 612.504229,
        "memory_total_bytes": 24684084 * 1024,
        "memory_free_bytes": 22643624 * 1024,
        "filefd_allocated": 815,
        "filefd_maximum": 1048576,
        "threads_limit": 32768,
        "nf_conntrack_entries": 0,
        "nf_conntrack_entries_limit": 262144,
        "sockets_used": 29,
        "tcp_time_wait_sockets": 8,
        "tcp_listen_overflows_total": 248,
        "tcp_syn_retransmits_total": 7,
        "softnet_times_squeezed_total": 17,
        f'uname_info{{machine="{os.uname().machine}",release="6.18.44",version="#1 SMP PREEMPT_DYNAMIC @0"}}': 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert 'pressure_stalled_ratio{resource="cpu"}' not in found
    assert "memory_swap_total_bytes" not in found  # this host has none
    assert {name for name in found if "loop0" in name} == set()
    assert 'disk_read_bytes_total{device="vda"}' in found


@pytest.mark.timed
async def test_this_host_as_psutil_sees_it() -> None:
    source = Host(HostSettings(ignore_interfaces=()), 5, SystemClock())
    await source.collect()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass
    found = await look(source)
    await source.close()
    assert found["memory_total_bytes"] == psutil.virtual_memory().total
    assert found["memory_available_bytes"] == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert found["cpus"] == psutil.cpu_count()
    assert 0.5 / found["cpus"] < found["cpu_utilization_ratio"] <= 1
    assert found['cpu_seconds_total{mode="idle"}'] == pytest.approx(psutil.cpu_times().idle, rel=0.05)
    devices = {name.partition('"')[2][:-2] for name in found if name.startswith("network_receive_bytes_total")}
    assert devices == set(psutil.net_io_counters(pernic=True))
    assert found["boot_time_seconds"] == pytest.approx(psutil.boot_time(), abs=2)


def test_neither_idling_nor_waiting_for_a_disk_is_work_and_guests_count_once(tmp_path: Path) -> None:
    roots = plant(tmp_path, {"proc/stat": STAT.format(user=100, idle=800)})
    read = Processors(roots)
    assert "cpu_utilization_ratio" not in values(list(read()))
    plant(tmp_path, {"proc/stat": STAT.format(user=150, idle=950)})
    assert values(list(read()))["cpu_utilization_ratio"] == pytest.approx(50 / 200)
    assert "cpu_utilization_ratio" not in values(list(read()))  # no time has passed


def test_what_the_kernel_takes_back_of_idle_time_is_no_new_begin(tmp_path: Path) -> None:
    roots = plant(tmp_path, {"proc/stat": STAT.format(user=100, idle=80_000)})
    read = Processors(roots)

    def idle(ticks: int) -> float:
        plant(tmp_path, {"proc/stat": STAT.format(user=100, idle=ticks)})
        return values(list(read()))['cpu_seconds_total{mode="idle"}']

    assert [idle(ticks) for ticks in (80_000, 79_990, 79_999, 80_003)] == [800, 800, 800, 800.03]
    assert idle(40_000) == 400  # more than that is a processor that came or went


async def test_parts_can_be_switched_off(tmp_path: Path) -> None:
    roots = plant(tmp_path, read_recording(RECORDING))
    off = HostSettings(cpu=False, disks=False, network=False)
    source = Host(off, 60, SystemClock(), roots)
    names = {name.partition("{")[0] for name in await look(source)}
    await source.close()
    assert "memory_available_bytes" in names
    assert names.isdisjoint({"load1", "sockets_used", "disk_read_bytes_total", "filefd_allocated"})


async def test_one_part_that_cannot_be_read_is_named_once_and_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "collector.samplers.host.source")
    roots = plant(tmp_path, read_recording(RECORDING))
    plant(tmp_path, {"proc/loadavg": "nonsense\n"})
    source = Host(HostSettings(), 60, SystemClock(), roots)
    for _ in range(2):
        found = await look(source)
        assert "load1" not in found
        assert "memory_total_bytes" in found
    plant(tmp_path, {"proc/loadavg": "1 2 3 1/9 7\n"})
    assert (await look(source))["load5"] == 2
    await source.close()
    assert sum(record.part == "loadavg" for record in caplog.records) == 2  # type: ignore[attr-defined]


async def test_what_may_not_be_asked_is_absent_and_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refused(state: Timex) -> int:
        raise PermissionError(1, "Operation not permitted")

    caplog.set_level(logging.INFO, "collector.samplers.host.source")
    source = Host(HostSettings(), 60, SystemClock(), plant(tmp_path, read_recording(RECORDING)), adjtimex=refused)
    assert not any(name.startswith("timex") for name in await look(source))
    await source.close()
    assert [record.levelname for record in caplog.records if record.part == "timex"] == ["INFO"]  # type: ignore[attr-defined]


@pytest.mark.timed
async def test_a_kernel_that_does_not_answer_meets_the_deadline_and_is_not_asked_again(tmp_path: Path) -> None:
    roots = plant(tmp_path, {name: text for name, text in read_recording(RECORDING).items() if name != "proc/loadavg"})
    stuck = tmp_path / "proc" / "loadavg"
    os.mkfifo(stuck)  # whoever opens it to read waits for somebody who writes
    source = Host(HostSettings(), 0.2, SystemClock(), roots)
    for limit in (1.0, 0.1):
        started = time.monotonic()
        with pytest.raises(StuckError):
            await source.collect()
        assert time.monotonic() - started < limit
    stuck.write_text("1 2 3 1/9 7\n")
    await source.close()


async def test_nothing_to_read_is_a_failure(tmp_path: Path) -> None:
    source = Host(HostSettings(cpu=False), 60, SystemClock(), plant(tmp_path, {}))
    with pytest.raises(CollectError, match="proc"):
        await source.collect()
    await source.close()


async def test_what_changes_slowly_is_read_now_and_then(tmp_path: Path) -> None:
    clock = HandClock()
    roots = plant(tmp_path, read_recording(RECORDING))
    source = Host(HostSettings(), 60, clock, roots)
    await source.collect()
    plant(tmp_path, {"proc/sys/fs/file-nr": "9\t0\t100\n", "proc/loadavg": "9 9 9 1/9 7\n"})
    found = await look(source)
    assert (found["filefd_allocated"], found["load1"]) == (815, 9)
    await clock.advance(15)
    assert (await look(source))["filefd_allocated"] == 9
    await source.close()


def test_a_limit_that_is_none_is_not_told(tmp_path: Path) -> None:
    roots = plant(tmp_path, {"proc/sys/fs/file-nr": "815\t0\t9223372036854775807\n"})
    assert values(list(Limits(roots)())) == {"filefd_allocated": 815}


def test_an_oom_kill_has_a_time_from_the_first_that_is_seen(tmp_path: Path) -> None:
    roots = plant(tmp_path, {"proc/vmstat": "pgmajfault 5\npswpin 2\noom_kill 3\n"})
    read = Paging(roots, lambda: 1234.5)
    page = os.sysconf("SC_PAGE_SIZE")
    assert values(list(read())) == {"major_page_faults_total": 5, "oom_kills_total": 3, "swap_in_bytes_total": 2 * page}
    plant(tmp_path, {"proc/vmstat": "pgmajfault 5\noom_kill 4\n"})
    assert values(list(read()))["oom_kill_last_timestamp_seconds"] == 1234.5


def test_swap_and_huge_pages_are_told_where_there_are_any(tmp_path: Path) -> None:
    text = "SwapTotal: 4 kB\nSwapFree: 1 kB\nHugePages_Total: 3\nHugePages_Free: 2\nHugepagesize: 2048 kB\n"
    found = values(list(Memory(plant(tmp_path, {"proc/meminfo": text}))()))
    assert found["memory_swap_free_bytes"] == 1024
    assert found["memory_hugepages_total_bytes"] == 3 * 2**21
    assert found["memory_hugepages_free_bytes"] == 2 * 2**21


def numa(nodes: int) -> Mapping[str, str]:
    folder = "sys/devices/system/node/"
    files = {f"{folder}has_memory": "0-1\n"}
    for node in range(nodes):
        files[f"{folder}node{node}/meminfo"] = f"Node {node} MemTotal:  8 kB\nNode {node} MemFree:  {node} kB\n"
        files[f"{folder}node{node}/numastat"] = f"numa_hit 9\nnuma_miss {node}\nother_node 5\n"
    return files


def test_numa_nodes_where_there_are_several(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert list(Numa(plant(tmp_path / "one", numa(1)))()) == []
    found = values(list(Numa(plant(tmp_path, numa(2)))()))
    assert found['numa_memory_free_bytes{node="1"}'] == 1024
    assert found['numa_misses_total{node="1"}'] == 1
    assert len(found) == 8


def disk(name: str, busy_ms: int) -> str:
    return f" 259 0 {name} 10 1 16 20 30 2 32 40 0 {busy_ms} 60 0 0 0 0\n"


async def test_whole_disks_only_in_seconds_and_bytes_and_how_busy(tmp_path: Path) -> None:
    clock = HandClock()
    rows = disk("nvme0n1", 1000) + disk("nvme0n1p1", 1) + disk("cciss/c0d0", 5) + disk("loop3", 5)
    folders = {f"sys/block/{name}/size": "1" for name in ("nvme0n1", "cciss!c0d0", "loop3")}
    roots = plant(tmp_path, {"proc/diskstats": rows, **folders})
    read = Disks(roots, ("loop*",), clock.monotonic)
    first = values(list(read()))
    assert {name.partition('"')[2][:-2] for name in first} == {"nvme0n1", "cciss/c0d0"}
    assert first['disk_read_bytes_total{device="nvme0n1"}'] == 16 * 512
    assert first['disk_write_time_seconds_total{device="nvme0n1"}'] == 0.04
    assert first['disk_io_time_weighted_seconds_total{device="nvme0n1"}'] == 0.06
    assert not any("utilization" in name for name in first)
    await clock.advance(2)
    plant(tmp_path, {"proc/diskstats": disk("nvme0n1", 1500) + disk("cciss/c0d0", 4)})
    second = values(list(read()))
    assert second['disk_utilization_ratio{device="nvme0n1"}'] == pytest.approx(0.25)
    assert 'disk_utilization_ratio{device="cciss/c0d0"}' not in second  # its counter began anew


@pytest.mark.parametrize(
    ("answer", "status", "error", "synchronised"),
    [
        (0, 0x2000, 250_000, 1),
        (5, 0x2040, 250_000, 1),  # chrony without rtcsync: told the time, and flagged as if not
        (5, 0x2040, 16_000_000, 0),
    ],
)
def test_the_clock_is_synchronised_while_its_error_is_known(
    answer: int, status: int, error: int, synchronised: int
) -> None:
    def adjtimex(state: Timex) -> int:
        state.offset, state.status, state.maxerror = -1500, status, error
        return answer

    found = values(list(TimeSync(adjtimex)()))
    assert found == pytest.approx(
        {
            "timex_sync_status": synchronised,
            "timex_offset_seconds": -1.5e-6,
            "timex_maxerror_seconds": error / 1e6,
        }
    )


def test_the_offset_is_in_microseconds_without_the_nanosecond_flag() -> None:
    def adjtimex(state: Timex) -> int:
        state.offset = 1500
        return 0

    assert values(list(TimeSync(adjtimex)()))["timex_offset_seconds"] == pytest.approx(1.5e-3)


def test_the_kernel_is_asked_for_its_clock() -> None:
    state = Timex()
    try:
        answer = ask_kernel(state)
    except PermissionError:
        pytest.skip("this process may not ask")
    assert 0 <= answer <= 5
    assert 900_000 <= state.tick <= 1_100_000 or 9_000 <= state.tick <= 11_000
    assert abs(state.time[0] - time.time()) < 5


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Za-z_()]{1,20}", fullmatch=True), st.integers(0, 2**63), max_size=20))
def test_meminfo_is_read_line_by_line(rows: dict[str, int]) -> None:
    text = "".join(f"{name}:{value:>12} kB\n" for name, value in rows.items())
    assert read_meminfo(text) == {name: value * 1024 for name, value in rows.items()}


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Za-z0-9]{1,20}", fullmatch=True), st.integers(-1, 2**63), min_size=1))
def test_lines_of_names_and_numbers_are_paired(rows: dict[str, int]) -> None:
    text = f"Tcp: {' '.join(rows)}\nTcp: {' '.join(map(str, rows.values()))}\n"
    assert paired_lines(text) == {f"Tcp {name}": value for name, value in rows.items()}


async def test_hundreds_of_interfaces_push_nothing_else_over_a_limit(tmp_path: Path) -> None:
    files = read_recording(RECORDING)
    files["proc/net/dev"] += "".join(f"  ens{number}: {' '.join(['1'] * 16)}\n" for number in range(300))
    files["proc/diskstats"] = f"259 0 nvme0n1 {' '.join(['1'] * 17)}\n"
    files["sys/block/nvme0n1/size"] = "1\n"
    source = Host(HostSettings(), 60, SystemClock(), plant(tmp_path, files))
    names = [sample.key.name for sample in await source.collect()]
    await source.close()
    assert len(names) > MAX_SERIES_A_SOURCE
    kept, refused = names[:MAX_SERIES_A_SOURCE], names[MAX_SERIES_A_SOURCE:]
    assert {"forewarn_node_sockets_used", "forewarn_node_disk_read_bytes_total"} <= set(kept)
    assert all("_network_" in name for name in refused)


def test_interfaces_of_pods_and_virtual_machines_are_left_out(tmp_path: Path) -> None:
    pods = ("veth1a2b", "cali12ab", "eni09f3c1a2b3c", "gke5e6f7a8b9c0", "azv1234567", "vnet3", "lxc_health")
    lines = "".join(f"{name}: {' '.join(['1'] * 16)}\n" for name in (*pods, "ens5", "enp3s0f0np0", "bond0", "ib0"))
    read = Interfaces(plant(tmp_path, {"proc/net/dev": f"head\nhead\n{lines}"}), HostSettings().ignore_interfaces)
    assert {sample.key.label("device") for sample in read()} == {"ens5", "enp3s0f0np0", "bond0", "ib0"}
