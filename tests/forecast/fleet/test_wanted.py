import pytest

from collector.series import SeriesKey, parse_selector
from forecast.fleet.wanted import Limits, Wanted, of_catalogue, of_rows
from forecast.settings import TargetSettings


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (SeriesKey.of("x", instance="a", device="sda"), 1.0),
        (SeriesKey.of("x", instance="a", device="sdb"), 2.0),
        (SeriesKey.of("x", instance="b", device="sda", more="m"), 3.0),
        (SeriesKey.of("x", device="sda"), 9.0),
    ],
)
def test_the_limit_with_the_most_labels_in_common_wins(key: SeriesKey, expected: float) -> None:
    found = [
        ({}, 9.0),
        ({"instance": "a"}, 2.0),
        ({"instance": "a", "device": "sda"}, 1.0),
        ({"instance": "b", "device": "sda"}, 3.0),
    ]
    assert Limits(found).of(key) == expected


def test_a_series_without_a_limit() -> None:
    limits = Limits([({"instance": "a", "fstype": "ext4"}, 1.0)])
    assert limits.of(SeriesKey.of("x", instance="a")) is None
    assert limits.of(SeriesKey.of("x", instance="b", fstype="ext4")) is None


@pytest.mark.parametrize(
    ("name", "rate", "expected"),
    [
        ("http_requests_total", None, True),
        ("latency_seconds_sum", None, True),
        ("forewarn_gpu_energy_joules_total", None, True),
        ("forewarn_gpu_power_watts", None, False),
        ("queue", None, False),
        ("queue", True, True),
        ("rows_total", False, False),
    ],
)
def test_running_totals_are_known_by_their_names(name: str, rate: bool | None, expected: bool) -> None:  # noqa: FBT001
    assert Wanted(parse_selector(name), rate=rate).is_rate(name) == expected


def test_the_kind_is_what_was_said_then_the_catalogue_s_then_gauge() -> None:
    wanted = Wanted(parse_selector('{job="x"}'))
    assert wanted.kind_of("forewarn_node_filesystem_avail_bytes") == "fill"
    assert wanted.kind_of("queue") == "gauge"
    assert Wanted(wanted.matchers, "saturated").kind_of("forewarn_node_filesystem_avail_bytes") == "saturated"


def test_rows_of_the_configuration_and_the_catalogue() -> None:
    (row,) = of_rows([TargetSettings(match='queue{job=~"a|b"}', kind="allocation", limit=5.0, below=True)])
    assert (row.selector, row.kind, row.limit, row.below) == (
        '{__name__="queue",job=~"a|b"}',
        "allocation",
        5.0,
        True,
    )
    known = {row.matchers[0].value: row for row in of_catalogue()}
    memory = known["forewarn_node_memory_available_bytes"]
    assert (memory.limit_query, memory.share, memory.below) == ("forewarn_node_memory_total_bytes", 0.05, True)
    assert known["forewarn_gpu_utilization_ratio"].limit == 0.98
    assert not any(row.declared for row in known.values())
