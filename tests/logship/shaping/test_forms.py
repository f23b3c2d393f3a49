"""Forms of times that programs have, read by both ways alike."""

from datetime import UTC

import pytest

from logship.patterns.compiled import AVAILABLE
from tests.support.engine_chunks import stamps

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
LINES = [
    (b"20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579", "2017-12-23T22:15:29Z"),
    (b"134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component", "2004-02-26T14:12:22Z"),
    (b"<34>1 2026-02-02T02:40:00.003Z host su - ID47 - failed", "2026-02-02T02:40:00.003Z"),
    (b"<11>Feb  2 02:40:01 host app: x", "2026-02-02T02:40:01Z"),
    (b'time="2026-02-02T02:40:02+01:00" level=warning msg="x"', "2026-02-02T01:40:02Z"),
    (b"ts=2026-02-02T02:40:03.5Z level=error caller=x", "2026-02-02T02:40:03.5Z"),
    (b"02-Feb-2026 02:40:04.123 INFO [main] started", "2026-02-02T02:40:04.123Z"),
    (b"2026/02/02 02:40:05 [error] 123#0: *1 open() failed", "2026-02-02T02:40:05Z"),
    (b"[Mon Feb 02 02:40:06.123456 2026] [core:error] [pid 1] x", "2026-02-02T02:40:06.123456Z"),
    (b"(EngineCore pid=4) ERROR 02-02 02:40:07 [core.py:390] x", "2026-02-02T02:40:07Z"),
    (b"[12345.678901] NVRM: Xid", "2026-02-02T02:40:07Z"),
]


@pytest.mark.parametrize("fast", FAST)
def test_times_of_programs(*, fast: bool) -> None:
    assert stamps([line for line, _ in LINES], fast=fast, zone=UTC) == [stamp for _, stamp in LINES]
    for line, stamp in LINES[:-1]:
        assert stamps([line, line, b"none"], fast=fast, zone=UTC) == [stamp] * 3
