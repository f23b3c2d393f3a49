"""The kernel's log: its lines, /dev/kmsg with a pipe in its place, journald with a journalctl of our own."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.nvml.xid.kernel_log import KernelLog, KernelXid, parse_xid, pci_slot
from collector.nvml.xid.kmsg import KmsgFollower, LogLine
from forewarn.base.clock import SystemClock
from tests.support.hand_clock import HandClock

LOST = "NVRM: Xid (PCI:0000:3b:00): 79, pid=4211, name=python3, GPU has fallen off the bus."


def parsed(message: str) -> KernelXid | None:
    return parse_xid(LogLine(message, 7, live=True))


@pytest.mark.parametrize(
    ("message", "slot", "xid", "text"),
    [
        (LOST, "0000:3b:00", "79", "pid=4211, name=python3, GPU has fallen off the bus."),
        ("NVRM: Xid (PCI:0000:18:00 GPU-I:05): 94, pid=1, Contained", "0000:18:00", "94", "pid=1, Contained"),
        ("NVRM: Xid (0000:03:00): 14, Channel 00000001", "0000:03:00", "14", "Channel 00000001"),
        ("NVRM: Xid (PCI:0001:C1:00): 45", "0001:c1:00", "45", ""),
        (
            "NVRM: Xid (PCI:0000:cb:00): 13, pid='<unknown>', name=<unknown>, Graphics Exception: ESR 0x5=0xc",
            "0000:cb:00",
            "13",
            "pid='<unknown>', name=<unknown>, Graphics Exception: ESR 0x5=0xc",
        ),
    ],
)
def test_lines_of_the_driver(message: str, slot: str, xid: str, text: str) -> None:
    assert parsed(message) == KernelXid(slot, xid, text, 7, live=True)


@pytest.mark.parametrize(
    "message",
    [
        "NVRM: GPU at PCI:0000:2b:00: GPU-0b11d014-1685-04bd-26ed-5fc0bc1c44ae",
        "NVRM: GPU 0000:2b:00.0: GPU has fallen off the bus.",
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46",
        "EXT4-fs (vda): mounted filesystem",
        "",
    ],
)
def test_other_lines_are_none(message: str) -> None:
    assert parsed(message) is None


@pytest.mark.parametrize(
    ("address", "slot"),
    [
        ("00000000:3B:00.0", "0000:3b:00"),
        ("0000:3b:00", "0000:3b:00"),
        ("00010000:c1:00.0", "10000:c1:00"),
        ("", ""),
        ("GPU", ""),
    ],
)
def test_one_spelling_of_a_slot(address: str, slot: str) -> None:
    assert pci_slot(address) == slot


class Pipe:
    """A pipe in the place of /dev/kmsg, and what a log made of it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._sequence = 100
        self.found: list[KernelXid] = []

    def write(self, message: str, *, micros: int = 0, sequence: int | None = None) -> None:
        self._sequence += 1
        number = self._sequence if sequence is None else sequence
        os.write(self._handle, f"6,{number},{micros},-;{message}\n SUBSYSTEM=pci\n".encode())

    def log(self, clock: HandClock | SystemClock, *, since_boot: bool = False) -> KernelLog:
        made = KernelLog(str(self.path), clock, since_boot=since_boot)
        made.take = self.found.append
        return made

    def close(self) -> None:
        os.close(self._handle)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    made = Pipe(tmp_path / "kmsg")
    yield made
    made.close()


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  pipes and processes set no event of ours
            await asyncio.sleep(0.01)


async def test_a_line_is_seen_when_it_is_written(pipe: Pipe) -> None:
    clock = HandClock()
    kernel_log = pipe.log(clock)
    kernel_log.start()
    assert kernel_log.followed
    pipe.write("usb 1-1: new device")
    pipe.write(LOST, micros=5)  # the stamps' clock may be off by minutes: what comes live is of now
    await until(lambda: pipe.found)
    await kernel_log.close()
    (found,) = pipe.found
    assert (found.slot, found.xid, found.time_ms, found.live) == ("0000:3b:00", "79", clock.now_ms(), True)
    assert not kernel_log.followed


async def test_what_came_while_nobody_read_is_not_lost_and_not_seen_twice(pipe: Pipe) -> None:
    kernel_log = pipe.log(HandClock())
    kernel_log.start()
    pipe.write(LOST, sequence=200)
    await until(lambda: pipe.found)
    await kernel_log.close()
    pipe.write(LOST, sequence=200)  # the device begins with its oldest record again
    pipe.write("NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed", sequence=201)
    kernel_log.start()
    await until(lambda: len(pipe.found) == 2)
    await kernel_log.close()
    assert [found.xid for found in pipe.found] == ["79", "154"]


async def test_since_boot_keeps_the_time_of_each_line(pipe: Pipe) -> None:
    clock = HandClock()
    await clock.advance(1000)  # seconds since the boot
    pipe.write(LOST, micros=400 * 1_000_000)
    kernel_log = pipe.log(clock, since_boot=True)
    kernel_log.start()
    await until(lambda: pipe.found)
    pipe.write(LOST, micros=999 * 1_000_000)
    await until(lambda: len(pipe.found) == 2)
    await kernel_log.close()
    assert [(clock.now_ms() - found.time_ms, found.live) for found in pipe.found] == [(600_000, False), (0, True)]


async def test_the_real_device_is_skipped_to_its_end() -> None:
    path = Path("/dev/kmsg")
    if not os.access(path, os.R_OK):
        pytest.skip("/dev/kmsg may not be read here")
    lines: dict[bool, list[LogLine]] = {False: [], True: []}
    for since_boot, found in lines.items():
        follower = KmsgFollower(path, found.append, SystemClock(), since_boot=since_boot)
        follower.open()
        for _ in range(20):
            follower.read()
        follower.close()
    assert len(lines[True]) > len(lines[False])
    boot = lines[True][0]
    assert not boot.live
    assert boot.time_ms <= SystemClock().now_ms()


def test_records_that_were_overwritten_or_too_large_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[bytes | OSError] = [
        OSError(errno.EPIPE, "overrun"),
        b"4,9,1000,-;first\n",
        OSError(errno.EINVAL, "too large"),
        OSError(errno.EPIPE, "overrun"),
        b"garbage",
        b"4,12,1000,-;second \xff\n KEY=value\n",
        BlockingIOError(),
    ]

    def read(_handle: int, _size: int) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def follow() -> list[str]:
        lines: list[LogLine] = []
        follower = KmsgFollower(Path(os.devnull), lines.append, HandClock(), since_boot=True, read=read)
        with contextlib.suppress(PermissionError):  # epoll refuses /dev/null; what counts is the handle
            follower.open()
        follower.read()
        return [line.message for line in lines]

    assert asyncio.run(follow()) == ["first", "second \ufffd"]
    assert caplog.text.count("overwritten") == 1
    assert answers == []


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journalctl that shows the file ``lines``, and follows it where it is asked to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "journalctl"
    tool.write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
case "$*" in
  *--after-cursor=*) exec sleep 60 ;;
  *--follow*) cat {tmp_path}/lines; exit 1 ;;
  *) tail -n 1 {tmp_path}/lines ;;
esac
"""
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return tmp_path


def entry(cursor: str, message: object, time_ms: int) -> str:
    fields = {"__CURSOR": cursor, "__REALTIME_TIMESTAMP": str(time_ms * 1000), "MESSAGE": message}
    return json.dumps({**fields, "_TRANSPORT": "kernel"}) + "\n"


async def test_journald_where_the_device_is_not_to_be_had(journalctl: Path) -> None:
    clock = HandClock()
    old = clock.now_ms() - 3_600_000
    (journalctl / "lines").write_text(
        entry("a", LOST, old)
        + entry("b", [78, 86, 255, 88, 105, 100], old)  # text that is no UTF-8
        + "not json Xid\n"
        + entry("c", LOST.replace("79", "119"), clock.now_ms())
    )
    found: list[KernelXid] = []
    kernel_log = KernelLog("journald", clock, since_boot=True)
    kernel_log.take = found.append
    kernel_log.start()
    assert kernel_log.followed
    await until(lambda: len(found) == 2)
    assert [(each.xid, each.time_ms, each.live) for each in found] == [
        ("79", old, False),
        ("119", clock.now_ms(), True),
    ]
    asked = journalctl / "asked"
    while "after-cursor" not in asked.read_text():  # it ended, and is started again where it stopped
        await clock.advance(2)
        await asyncio.sleep(0.05)
    await kernel_log.close()
    probe, first, again = asked.read_text().splitlines()
    assert "--lines=1" in probe
    assert "--follow --lines=all" in first
    assert "--after-cursor=c" in again


async def test_a_journal_that_shows_nothing_is_said_once(journalctl: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (journalctl / "lines").touch()
    kernel_log = KernelLog(str(journalctl / "no-such-device"), HandClock())
    kernel_log.start()
    assert not kernel_log.followed  # a path that was named is not replaced by something else
    kernel_log = KernelLog("journald", HandClock())
    kernel_log.start()
    await until(lambda: not kernel_log.followed)
    await kernel_log.close()
    kernel_log.start()  # as after a reload
    await until(lambda: not kernel_log.followed)
    await kernel_log.close()
    assert caplog.text.count("cannot be read: XID errors are known from the driver's events only") == 2


async def test_off_reads_nothing(pipe: Pipe) -> None:
    kernel_log = KernelLog("off", HandClock())
    kernel_log.start()
    assert not kernel_log.followed
    await kernel_log.close()
