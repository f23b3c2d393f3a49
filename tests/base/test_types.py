from pathlib import Path

import pytest

from forewarn.base.clock import parse_time, rfc3339
from forewarn.base.errors import ConfigError
from forewarn.base.types import parse_duration, parse_size, read_secret


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("90m", 5400), ("72h", 259200), ("7d", 604800), ("250ms", 0.25), ("4", 4), (3, 3)]
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["s", "5 parsecs", "-1s", ""])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("2GiB", 2**31), ("500 MB", 5 * 10**8), ("17", 17), (9, 9)])
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T01:00:01+01:00", 1000),
        ("1970-01-01 00:00:01", 1000),
        ("1.5", 1500),
    ],
)
def test_times_are_read(text: str, time_ms: int) -> None:
    assert parse_time(text) == time_ms


def test_times_are_written() -> None:
    assert rfc3339(1000) == "1970-01-01T00:00:01Z"
    assert rfc3339(1001) == "1970-01-01T00:00:01.001Z"


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=str(file)):
        read_secret(file)
