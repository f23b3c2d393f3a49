"""forewarn logs anomalies, and logs templates --live, on what a shipper has left."""

import json
from pathlib import Path

import orjson
import pytest

from forewarn.base.clock import HOUR, SystemClock, rfc3339
from logship.anomalies.events import REST_MS, EventBook, Key, LogAnomaly
from logship.anomalies.reading import TEMPLATES
from tests.support.daemon import forewarn


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """Two anomalies, one of which was over a day ago, and a template."""
    now_ms = SystemClock().now_ms()
    book = EventBook(tmp_path, now_ms)
    for template, moment in ((4, now_ms - 30 * HOUR), (17, now_ms)):
        key = Key("vllm", "more", template)
        reason = f"90 lines of template {template} in 1 min, where 12 are usual at this hour of the week"
        said = ("CUDA error <*>", ("CUDA error 7",))
        book.show(LogAnomaly(key, "rate_jump", 0.9991, reason, *said, 90, 12, 60, moment, moment))
        book.end(now_ms if template == 4 else now_ms - REST_MS)
    row = {
        "id": 17,
        "template": "CUDA error <*>",
        "level": "error",
        "lines": 1_234,
        "datasets": ["vllm"],
        "first_seen": rfc3339(now_ms),
        "last_seen": rfc3339(now_ms),
        "example": "CUDA error 7",
    }
    (tmp_path / TEMPLATES).write_bytes(orjson.dumps({"time": rfc3339(now_ms), "templates": [row]}))
    return tmp_path


def test_anomalies_are_listed_the_newest_first_and_by_age(left: Path) -> None:
    found = json.loads(forewarn("logs", "anomalies", "--json", "--data-dir", str(left)).stdout)
    assert [(one["template"], one["ended"] is None) for one in found] == [(17, True), (4, False)]
    table = forewarn("logs", "anomalies", "--since", "1d", "--data-dir", str(left)).stdout
    assert "90 lines of template 17 in 1 min" in table
    assert "goes on" in table
    assert "CUDA error <*>" in table
    assert "such as: CUDA error 7" in table
    assert "template 4 " not in table


def test_templates_of_the_running_shipper_are_shown(left: Path) -> None:
    table = forewarn("logs", "templates", "--live", "--data-dir", str(left)).stdout
    assert "1,234" in table
    assert "CUDA error <*>" in table
    found = json.loads(forewarn("logs", "templates", "--live", "--json", "--data-dir", str(left)).stdout)
    assert found["templates"][0]["example"] == "CUDA error 7"


def test_where_nothing_was_left_it_says_so(tmp_path: Path) -> None:
    assert forewarn("logs", "anomalies", "--data-dir", str(tmp_path)).stdout == "nothing unusual\n"
    nothing = forewarn("logs", "templates", "--live", "--data-dir", str(tmp_path))
    assert nothing.returncode == 1
    assert "no log templates are known yet" in nothing.stderr
    assert forewarn("logs", "templates").returncode == 2
    assert forewarn("logs", "templates", "--live", "some.log").returncode == 2


@pytest.mark.parametrize(
    "command",
    ["anomalies", "anomalies --json", "dead", "replay", "replay --dry-run", "spool status", "templates --live"],
)
def test_nothing_is_said_of_a_data_directory_that_is_not_there(command: str, tmp_path: Path) -> None:
    done = forewarn("logs", *command.split(), "--data-dir", str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert str(tmp_path / "none") in done.stderr
    assert "--data-dir" in done.stderr
    assert not (tmp_path / "none").exists()
