"""The time of lines in the forms that programs write."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from logship.patterns.compiled import AVAILABLE
from tests.support.engine_chunks import NOW, stamps
from tests.support.times import read

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
READ_AT = "2026-02-02T02:40:00Z"
FILE = b"nova-api.log.1.2017-05-16_13:53:08 "

CASES = {
    "iso": (
        [b"2026-01-05T10:11:12Z a", b"2026-01-05T10:11:13.123456789Z b"],
        ["2026-01-05T10:11:12Z", "2026-01-05T10:11:13.123456789Z"],
    ),
    "zones": (
        [b"2026-01-05 23:11:12,5+05:30 a", b"2026-01-05 23:11:12.25 -0800 b", b"2026-01-05 23:11:12+00:00 c"],
        ["2026-01-05T17:41:12.5Z", "2026-01-06T07:11:12.25Z", "2026-01-05T23:11:12Z"],
    ),
    "openstack": (
        [FILE + b"2017-05-16 00:00:04.500 25746 INFO", FILE + b"2017-05-16 00:00:05.1 25746 INFO", b"x 13:53:08 y"],
        ["2017-05-16T00:00:04.500Z", "2017-05-16T00:00:05.1Z", "2017-05-16T00:00:05.1Z"],
    ),
    "spark": (
        [b"17/06/09 20:10:40 INFO a", b"17/06/09 20:10:41 INFO at 11:11:11", b"\tat 12:12:12 x"],
        ["2017-06-09T20:10:40Z", "2017-06-09T20:10:41Z", "2017-06-09T20:10:41Z"],
    ),
    "epoch": (
        [b"1117838570 2005.06.03 x", b"- 1117838573 2005.06.03 Nov 9 12:01:01 x", b"1117838574.25 x", b"1117838575x"],
        ["2005-06-03T22:42:50Z", "2005-06-03T22:42:53Z", "2005-06-03T22:42:54.25Z", "2005-06-03T22:42:54.25Z"],
    ),
    "proxifier": (
        [b"[10.30 16:49:06] chrome.exe - a:5070 close, lifetime 00:01", b"[10.30 16:49:07] x lifetime 00:01:02"],
        ["2025-10-30T16:49:06Z", "2025-10-30T16:49:07Z"],
    ),
    "syslog": (
        [b"Dec 31 23:59:59 n a", b"Jan  1 00:00:00 n b", b"Jan 1 00:00:01 n c", b"Foo 11 00:00:02 n d"],
        ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:01Z"],
    ),
    "vllm": (
        [b"INFO 11-23 10:32:21 [a.py:1] x", b"WARNING 11-23 10:32:22 x", b"(API pid=1) ERROR 11-23 10:32:23 x"],
        ["2025-11-23T10:32:21Z", "2025-11-23T10:32:22Z", "2025-11-23T10:32:23Z"],
    ),
    "klog": ([b"I0102 10:11:12.000001 1 x.go:1] y"], ["2026-01-02T10:11:12.000001Z"]),
    "access": (
        [b'10.0.0.%d - - [05/Jan/2026:10:11:%02d +0200] "GET / HTTP/1.1" 200' % (n, n) for n in (9, 10, 111 % 60)],
        ["2026-01-05T08:11:09Z", "2026-01-05T08:11:10Z", "2026-01-05T08:11:51Z"],
    ),
    "ctime": (
        [b"[Sun Dec 04 04:47:44 2005] [notice] x", b"[Sun Dec 04 04:47:45.123456 2005] y", b"[Sun Dec 04 04:47:46] z"],
        ["2005-12-04T04:47:44Z", "2005-12-04T04:47:45.123456Z", "2005-12-04T04:47:45.123456Z"],
    ),
    "hdfs": (
        [b"081109 203615 148 INFO a", b"081109 203659 149 INFO b"],
        ["2008-11-09T20:36:15Z", "2008-11-09T20:36:59Z"],
    ),
    "impossible": (
        [b"2026-13-05 10:11:12 a", b"2026-02-30 10:11:12 b", b"2026-02-01 24:11:12 c", b"2026-02-01 10:11:61 d"],
        [READ_AT] * 4,
    ),
    "impossible after one": (
        [b"2026-02-01 10:11:12 a", b"2026-02-30 10:11:12 b", b"2026-02-01 10:11:61 c", b"2026-02-01 10:11:1"],
        ["2026-02-01T10:11:12Z"] * 4,
    ),
    "two forms": (
        [b"2026-02-01 10:11:12 a", b"Feb  1 10:11:13 b", b"2026-02-01 10:11:14 c", b"10.0.0.12:51234 - GET 10:11:15"],
        ["2026-02-01T10:11:12Z", "2026-02-01T10:11:13Z", "2026-02-01T10:11:14Z", "2026-02-01T10:11:14Z"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize("case", CASES)
def test_times_are_read(case: str, *, fast: bool) -> None:
    lines, times = CASES[case]
    assert stamps(lines, fast=fast) == times


@pytest.mark.parametrize("fast", FAST)
def test_a_zone_with_summer_time(*, fast: bool) -> None:
    lines = [b"2025-03-30 01:59:59 a", b"2025-03-30 03:00:00 b"]
    assert stamps(lines, fast=fast, zone=ZoneInfo("Europe/Berlin")) == ["2025-03-30T00:59:59Z", "2025-03-30T01:00:00Z"]
    assert stamps(lines[:1], fast=fast, zone=timezone(timedelta(hours=-3))) == ["2025-03-30T04:59:59Z"]


AUTUMN = [
    ("01:59:59", "2025-10-25T23:59:59Z"),
    ("02:10:00", "2025-10-26T00:10:00Z"),
    ("02:59:59", "2025-10-26T00:59:59Z"),
    ("02:58:59", "2025-10-26T00:58:59Z"),  # another writer's, a little late
    ("02:59:59", "2025-10-26T00:59:59Z"),
    ("02:00:00", "2025-10-26T01:00:00Z"),
    ("02:30:00", "2025-10-26T01:30:00Z"),
    ("02:29:58", "2025-10-26T01:29:58Z"),
    ("03:00:00", "2025-10-26T02:00:00Z"),
]


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize("form", ["2025-10-26 {} a", "Oct 26 {} a", '{{"time": "2025-10-26 {}"}}'])
def test_the_hour_that_comes_twice_goes_on(form: str, *, fast: bool) -> None:
    lines = [form.format(clock).encode() for clock, _ in AUTUMN]
    found = read(lines, [NOW] * len(lines), fast=fast, zone=ZoneInfo("Europe/Berlin"), objects=True)
    assert [stamp for stamp, _ in found] == [stamp for _, stamp in AUTUMN]


ZONES = [
    (b"Z", 0), (b" Z", 0), (b" UTC", 0), (b"UTC", 0), (b" GMT", 0), (b" +00", 0), (b"-03", -3), (b" -03", -3),
    (b" +02", 2), (b"+0200", 2), (b" +02:00", 2), (b" -1130", -11.5), (b"+14:00", 14), (b" UTC+x", 0), (b" -03:x", -3),
    (b" UTCX", None), (b" Zx", None), (b" -3", None), (b" -034", None), (b" +0260", None), (b" +15", None),
    (b" -99", None), (b" +02:00a", None), (b" GM", None), (b" -", None), (b"", None), (b" [Z", None),
]  # fmt: skip


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize(("zone", "hours"), ZONES)
@pytest.mark.parametrize("form", [b"2026-01-05 10:11:%02d", b"2026-01-05T10:11:%02d.123", b"05-Jan-2026 10:11:%02d"])
def test_zones_that_are_named(form: bytes, zone: bytes, hours: float | None, *, fast: bool) -> None:
    offset = timedelta(hours=1 if hours is None else hours)
    fraction = ".123" if b"." in form else ""
    minute = (datetime(2026, 1, 5, 10, 11) - offset).isoformat()[:-2]  # noqa: DTZ001  it is UTC
    lines = [form % second + zone + end for second, end in enumerate([b" [123] LOG:", b"", b"]", b" x"] * 10)]
    assert stamps(lines, fast=fast, zone=ZoneInfo("Europe/Berlin")) == [
        f"{minute}{second:02d}{fraction}Z" for second in range(len(lines))
    ]


@pytest.mark.parametrize("fast", FAST)
def test_zones_that_change_in_a_minute(*, fast: bool) -> None:
    ends = [zone + end for zone, _ in ZONES for end in (b"", b" x")]
    lines = [
        b"2026-01-05 10:11:12" + end for pair in zip(ends, ends[::-1], strict=True) for end in pair for _ in (0, 1)
    ]
    alone = [stamps([line], fast=False)[0] for line in lines]
    assert stamps(lines, fast=fast) == alone
    assert stamps([line for line in lines for _ in range(20)], fast=fast) == [one for one in alone for _ in range(20)]
