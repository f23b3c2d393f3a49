"""``forewarn store rescue``: beside a running daemon, and without one."""

from pathlib import Path

import orjson

from collector.series import SeriesKey
from collector.store import StoreReader
from forewarn.base.clock import DAY, SystemClock
from tests.support.daemon import forewarn, running
from tests.support.filled_store import fill


def rescued(file: Path, data: Path) -> dict[str, int]:
    done = forewarn("store", "rescue", str(file), "--data-dir", str(data), "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, int] = orjson.loads(done.stdout)
    return report


def test_a_file_that_was_set_aside_comes_back(tmp_path: Path) -> None:
    now_ms = SystemClock().now_ms()
    aside, data = tmp_path / "metrics.db.damaged-1", tmp_path / "data"
    fill(aside, now_ms, hours=9)
    with running(data) as daemon:
        first = rescued(aside, data)
        assert first["samples"] > 1000
        assert first["unreadable"] == 0
        assert daemon.get("/v1/status")["store"]["damaged_entries"] == 0
    again = rescued(aside, data)
    assert (again["samples"], again["windows"]) == (0, 0)
    whole, kept = StoreReader(aside), StoreReader(data / "metrics.db")
    ids: dict[SeriesKey, int] = {one.key: one.id for one in kept.series()}
    for one in whole.series():
        times, values = whole.samples(one.id, now_ms - DAY, now_ms + DAY)
        assert len(times)
        found = kept.samples(ids[one.key], now_ms - DAY, now_ms + DAY)
        assert (found[0].tolist(), found[1].tolist()) == (times.tolist(), values.tolist())
    whole.close()
    kept.close()
