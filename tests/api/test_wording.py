import pytest

from api.wording import clock_time, count, duration, expected, reached, title_of
from collector.series import SeriesKey
from forewarn.base.clock import DAY, HOUR, MINUTE, parse_time


@pytest.mark.parametrize(
    ("series", "title"),
    [
        ('forewarn_gpu_memory_used_bytes{gpu="3",uuid="GPU-1",simulated="true"}', "GPU 3 memory"),
        ('forewarn_node_filesystem_avail_bytes{mountpoint="/var"}', "filesystem /var"),
        ('forewarn_inference_requests_waiting{model_name="llama",server="vllm"}', "inference queue (llama)"),
        ('forewarn_imported_value{series="art_daily"}', "art_daily"),
        ('forewarn_disk_busy_ratio{device="sda"}', "disk busy (sda)"),
        ("node_load1", "node load1"),
        ("bytes", "bytes"),
        ('forewarn_imported_value{series="{gpu}"}', "{gpu}"),
    ],
)
def test_a_series_is_named_as_people_say_it(series: str, title: str) -> None:
    assert title_of(SeriesKey.parse(series)) == title


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (2 * DAY + 4 * HOUR, "2 d 4 h"),
        (2 * DAY + 10 * MINUTE, "2 d"),
        (5 * HOUR + 20 * MINUTE, "5 h 20 min"),
        (5 * HOUR, "5 h"),
        (12 * MINUTE, "12 min"),
        (-1, "0 min"),
        (DAY - 1, "1 d"),
    ],
)
def test_a_duration_has_two_units(ms: int, text: str) -> None:
    assert duration(ms) == text


def test_a_coming_moment_is_a_weekday_and_a_time() -> None:
    assert clock_time(parse_time("2026-01-29T14:00:00Z")) == "Thu 14:00 UTC"


def test_numbers_agree_with_their_nouns() -> None:
    assert [count(number, "GPU") for number in (0, 1, 8)] == ["0 GPUs", "1 GPU", "8 GPUs"]


def test_bytes_get_full_whatever_their_kind() -> None:
    assert expected("fill", "163 GiB", below=True) == "expected to fall to 163 GiB"
    assert expected("gauge", "", below=False) == "expected to reach its limit"
    assert reached("gauge", "76 GiB", below=False) == "has reached 76 GiB"
    assert reached("saturated", "", below=False) == "is saturated"
