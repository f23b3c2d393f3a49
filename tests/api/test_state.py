from dataclasses import replace
from typing import Any

import pytest

from api.state import AlertCount, node_state
from api.targets import CapacityTarget, capacity_targets, target_row
from collector.series import SeriesKey
from forecast.results import Forecast
from forewarn.base.clock import HOUR, parse_time
from tests.support.hourly import chance

NOW = parse_time("2026-01-27T10:00:00Z")


def forecast(series: str, **changes: Any) -> Forecast:
    made = Forecast(
        target=SeriesKey.parse(series),
        statistic="mean",
        kind="gauge",
        unit="bytes",
        made_ms=NOW,
        as_of_ms=NOW,
        model="prophet",
        status="ok",
        reason="",
        history_hours=200.0,
        step_ms=HOUR,
        start_ms=NOW,
        points={"mean": [1.0, 3.0, 2.0]},
        limit=4.0,
    )
    return replace(made, **changes)


MEMORY = 'forewarn_gpu_memory_used_bytes{gpu="3",uuid="GPU-3"}'
DISK = 'forewarn_node_filesystem_avail_bytes{mountpoint="/var"}'
BUSY = 'forewarn_gpu_utilization_ratio{gpu="3",uuid="GPU-3"}'
QUIET = [forecast(MEMORY), forecast(MEMORY, statistic="max"), forecast(DISK, below=True)]


def sentence(gpus: int, forecasts: list[Forecast], alerts: AlertCount | None = None) -> tuple[str, str]:
    state = node_state(gpus, capacity_targets(forecasts), alerts or AlertCount(), NOW)
    return state.level, state.sentence


def test_quiet() -> None:
    assert sentence(8, QUIET) == (
        "quiet",
        "All quiet: 8 GPUs, 2 capacity targets; nothing expected to run out within 3 days",
    )


def test_quiet_without_gpus_and_with_a_pending_alert() -> None:
    level, text = sentence(0, QUIET[:1], AlertCount(pending=1))
    assert level == "quiet"
    assert text == "All quiet: no GPU, 1 capacity target; nothing expected to run out within 3 days; 1 alert pending"


def test_a_coming_breach_and_an_alert() -> None:
    full = forecast(MEMORY, breach_ms=parse_time("2026-01-29T14:00:00Z"))
    assert sentence(8, [*QUIET, full], AlertCount(firing=1)) == (
        "warning",
        "GPU 3 memory expected to reach 4 B in 2 d 4 h (Thu 14:00 UTC); 1 alert firing",
    )


def test_how_probable_it_is_is_said() -> None:
    likely = forecast(MEMORY, breach_ms=NOW + 40 * HOUR, chance=chance({41: 0.5, 60: 0.72}))
    assert sentence(8, [likely])[1] == (
        "GPU 3 memory expected to reach 4 B in 1 d 16 h (Thu 02:00 UTC, 72 % within 3 days)"
    )


def test_the_statistic_that_most_probably_breaches_leads() -> None:
    mean = forecast(MEMORY, chance=chance({60: 0.1}))
    peak = forecast(MEMORY, statistic="max", chance=chance({20: 0.05, 60: 0.3}, crossed_lately=True))
    [target] = capacity_targets([mean, peak])
    row = target_row(target, current=2.0)
    assert (row["lead"], row["breach"], row["crossed"]) == ("max", None, False)
    assert row["probability"] == {"24h": 0.05, "48h": 0.05, "72h": 0.3}
    told = row["statistics"]["max"]
    assert (told["breach_late"], told["crossed_last_72h"], told["probability"]) == (None, True, row["probability"])


def test_of_two_that_do_not_run_out_the_likelier_leads() -> None:
    unlikely, likelier = forecast(MEMORY, chance=chance({9: 0.1})), forecast(DISK, chance=chance({70: 0.2}))
    assert [one.key for one in capacity_targets([unlikely, likelier])] == [likelier.target, unlikely.target]


def test_the_first_to_run_out_leads() -> None:
    disk = forecast(DISK, kind="fill", below=True, breach_ms=NOW + 2 * HOUR)
    level, text = sentence(1, [forecast(MEMORY, breach_ms=NOW + 9 * HOUR), disk])
    assert level == "warning"
    assert text == "Filesystem /var expected to fall to 4 B in 2 h (Tue 12:00 UTC), 1 more within 3 days"


def test_a_limit_that_is_crossed_already() -> None:
    assert sentence(1, [forecast(MEMORY, breach_ms=NOW - HOUR)])[1] == "GPU 3 memory has reached 4 B"


def test_alerts_alone() -> None:
    assert sentence(1, QUIET, AlertCount(firing=2, pending=1, critical=True)) == (
        "critical",
        "2 alerts firing, 1 pending",
    )


def test_a_breach_beyond_the_horizon_is_not_told() -> None:
    assert sentence(1, [forecast(MEMORY, breach_ms=NOW + 73 * HOUR)])[0] == "quiet"


def test_just_started() -> None:
    assert sentence(4, []) == ("starting", "Watching 4 GPUs and the host; no forecast has been made yet")
    young = forecast(MEMORY, status="not_enough_history", history_hours=1.5, points={})
    level, text = sentence(4, [young])
    assert level == "starting"
    assert text == "Watching 4 GPUs, 1 capacity target; the first forecast needs a day of history, 23 h more"
    failed = forecast(MEMORY, status="failed", reason="the fit did not end", points={})
    assert sentence(4, [failed])[1].endswith("no forecast could be made: the fit did not end")


def test_some_targets_without_a_forecast_are_counted() -> None:
    young = forecast(DISK, status="not_enough_history", points={})
    assert sentence(8, [*QUIET[:2], young])[1].endswith("within 3 days (1 without a forecast yet)")


def test_a_busy_hour_does_not_make_a_capped_level_run_out() -> None:
    peak = forecast(BUSY, kind="saturated", unit="ratio", statistic="max", breach_ms=NOW + HOUR)
    mean = forecast(BUSY, kind="saturated", unit="ratio")
    assert sentence(1, [peak, mean])[0] == "quiet"
    assert sentence(1, [peak, replace(mean, breach_ms=NOW + HOUR)])[1].startswith(
        "GPU 3 utilization expected to be sat"
    )


def test_targets_that_do_not_run_out_are_ordered_by_how_near_they_come() -> None:
    disk = forecast(DISK, below=True, limit=0.9)  # 0.9 of the lowest 1.0
    memory = forecast(MEMORY)  # 3.0 of 4.0
    unknown = forecast(BUSY, status="not_enough_history", points={})
    running = forecast("forewarn_node_memory_available_bytes", breach_ms=NOW + HOUR)
    ordered = capacity_targets([unknown, memory, disk, running])
    assert [target.key for target in ordered] == [running.target, disk.target, memory.target, unknown.target]


@pytest.mark.parametrize(("below", "worst"), [(False, 3.0), (True, 1.0)])
def test_a_row_tells_the_worst_hour_on_the_side_of_the_limit(below: bool, worst: float) -> None:  # noqa: FBT001
    [target] = capacity_targets([forecast(MEMORY, below=below, breach_ms=NOW)])
    row = target_row(target, current=2.0)
    assert row["statistics"]["mean"]["worst"] == worst
    assert (row["current"], row["breach"], row["breach_statistic"]) == (2.0, "2026-01-27T10:00:00Z", "mean")


def test_without_the_mean_any_forecast_speaks() -> None:
    only = forecast(BUSY, kind="saturated", statistic="max")
    assert CapacityTarget(only.target, {"max": only}).lead is only


def test_a_pause_of_gpu_collection_is_said_first() -> None:
    until = parse_time("2026-01-27T10:30:00Z")
    state = node_state(0, capacity_targets(QUIET), AlertCount(), NOW, until)
    assert state.level == "quiet"
    assert state.sentence.startswith("GPU collection is paused until Tue 10:30 UTC; all quiet: no GPU, 2 capacity")
    full = [forecast(MEMORY, breach_ms=NOW - HOUR)]
    state = node_state(0, capacity_targets(full), AlertCount(), NOW, until)
    assert state.sentence == "GPU collection is paused until Tue 10:30 UTC; GPU 3 memory has reached 4 B"
