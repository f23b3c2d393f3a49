"""One error, two witnesses, one count."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.nvml.health.expected import KnownGpu
from collector.nvml.xid.kernel_log import KernelXid
from collector.nvml.xid.ledger import LAST_SEEN, XidLedger
from collector.series import SeriesKey
from tests.support.hand_clock import HandClock

SLOT = "0000:3b:00"
GPU = KnownGpu("GPU-a", "0", "00000000:3B:00.0", "H100")
SERIES = '{gpu="0",uuid="GPU-a",xid="%s"}'


class Rig:
    def __init__(self, *, kernel: bool = True) -> None:
        self.clock = HandClock()
        self.ledger = XidLedger(self.clock, {SLOT: GPU}.get)
        self.ledger.second_witness = lambda: kernel

    def event(self, xid: str = "79", uuid: str = "GPU-a") -> None:
        frame: dict[str, Any] = {"kind": "xid", "gpu": "0", "uuid": uuid, "xid": xid, "time_ms": self.clock.now_ms()}
        self.ledger.take_event(frame)

    def line(self, xid: str = "79", *, slot: str = SLOT, ago_ms: int = 0, live: bool = True, text: str = "") -> None:
        self.ledger.take_line(KernelXid(slot, xid, text, self.clock.now_ms() - ago_ms, live))

    def counts(self) -> dict[str, float]:
        name = "forewarn_gpu_xid_errors_total"
        found = {str(each.key): each.value for each in self.ledger.samples() if each.key.name == name}
        return {text.partition('xid="')[2][:-2] if "GPU-a" in text else text: value for text, value in found.items()}


@pytest.mark.parametrize("order", [("event", "line"), ("line", "event")])
async def test_what_both_saw_counts_once(order: tuple[str, str]) -> None:
    rig = Rig()
    for name in order:
        getattr(rig, name)()
        await rig.clock.advance(2)
    assert rig.counts() == {"79": 1}
    getattr(rig, order[0])()
    assert rig.counts() == {"79": 2}


async def test_what_is_far_apart_is_not_one_error() -> None:
    rig = Rig()
    rig.event()
    await rig.clock.advance(6)
    rig.line()
    assert rig.counts() == {"79": 2}


async def test_other_codes_and_other_gpus_are_other_errors() -> None:
    rig = Rig()
    rig.event("79")
    rig.line("154")
    rig.line("79", slot="0000:5e:00")
    assert rig.counts() == {"79": 1, "154": 1, 'forewarn_gpu_xid_errors_total{gpu="0000:5e:00",xid="79"}': 1}


async def test_several_lines_of_one_error_count_as_the_more_talkative_witness_says() -> None:
    rig = Rig()
    for _ in range(3):
        rig.line("13")
    rig.event("13")
    assert rig.counts() == {"13": 3}


@given(st.lists(st.tuples(st.sampled_from(["event", "line"]), st.sampled_from(["13", "79"])), max_size=40))
def test_in_whatever_order_they_come_the_more_talkative_witness_counts(sightings: list[tuple[str, str]]) -> None:
    rig = Rig()
    for witness, xid in sightings:
        getattr(rig, witness)(xid)
    seen = {xid: max(sightings.count(("event", xid)), sightings.count(("line", xid))) for _, xid in sightings}
    assert rig.counts() == seen


@pytest.mark.parametrize("order", [("event", "line"), ("line", "event")])
async def test_a_code_that_the_driver_does_not_tell_is_taken_from_the_kernel(order: tuple[str, str]) -> None:
    rig = Rig()
    for name in order:
        getattr(rig, name)("unknown" if name == "event" else "119")
        await rig.clock.advance(1)
    await rig.clock.advance(10)
    assert rig.counts() == {"119": 1}


async def test_a_code_that_nobody_tells_is_unknown() -> None:
    rig = Rig()
    rig.event("unknown")
    assert rig.counts() == {}
    await rig.clock.advance(5.1)
    assert rig.counts() == {"unknown": 1}
    alone = Rig(kernel=False)
    alone.event("unknown")
    assert alone.counts() == {"unknown": 1}


async def test_lines_of_before_the_start_count_with_their_own_time() -> None:
    rig = Rig()
    rig.line(ago_ms=600_000, live=False)
    rig.event()
    found = {str(each.key): each.value for each in rig.ledger.samples()}
    assert rig.counts() == {"79": 2}
    assert found[f"{LAST_SEEN}{SERIES % 79}"] == rig.clock.now_ms() / 1000
    rig.line("48", ago_ms=600_000, live=False)
    found = {str(each.key): each.value for each in rig.ledger.samples()}
    assert found[f"{LAST_SEEN}{SERIES % 48}"] == rig.clock.now_ms() / 1000 - 600


def test_the_time_of_the_last_one_outlives_the_daemon_the_count_does_not() -> None:
    rig = Rig()
    rig.ledger.restore([(SeriesKey.of(LAST_SEEN, gpu="0", uuid="GPU-a", xid="79"), 1_700_000_000.0)])
    assert {str(each.key): each.value for each in rig.ledger.samples()} == {f"{LAST_SEEN}{SERIES % 79}": 1.7e9}
    rig.event()
    assert rig.counts() == {"79": 1}


async def test_a_storm_is_told_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rig = Rig()
    for _ in range(300):
        rig.event("45")
        rig.event("79")
        await rig.clock.advance(0.25)
    assert rig.counts() == {"45": 300, "79": 300}
    told = [(record.levelname, record.getMessage().partition(":")[0]) for record in caplog.records]
    assert told == [("INFO", "GPU 0 reported XID 45"), ("ERROR", "GPU 0 reported XID 79")] * 2
    assert [vars(record)["times"] for record in caplog.records] == [1, 1, 240, 240]


def test_the_log_says_what_it_means_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    Rig().line(text="pid=4211, name=python3")
    (record,) = caplog.records
    assert record.getMessage().startswith("GPU 0 reported XID 79: the GPU has fallen off the bus")
    facts = vars(record)
    assert facts["text"] == "pid=4211, name=python3"
    assert facts["blame"] == "hardware"
    assert "power-cycle" in facts["next_step"]
