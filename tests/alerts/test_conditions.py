"""What each kind of rule finds."""

from pathlib import Path
from typing import Any

import pytest

from alerts.alert import Alert
from forewarn.base.clock import HOUR
from tests.support.alert_rig import Rig
from tests.support.latest_samples import forecast

GPU = 'forewarn_gpu_memory_used_bytes{gpu="3"}'
BREACH = {
    "name": "WillFill",
    "type": "forecast_breach",
    "summary": "{series} reaches {limit} {breach_in}",
    "description": "at {breach_at}{breach_early}, {model}, {history}",
}


@pytest.mark.parametrize(
    ("op", "firing"),
    [
        (">", [False, False, True]),
        (">=", [False, True, True]),
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
    ],
)
async def test_operators(tmp_path: Path, op: str, firing: list[bool]) -> None:
    rig = Rig(tmp_path, {"name": "A", "type": "threshold", "match": "x", "op": op, "value": 5})
    for number in (4, 5, 6):
        rig.store.put(f'x{{n="{number}"}}', number, rig.clock.now_ms())
    fires = {dict(alert.labels)["n"] for alert in await rig.at(0)}
    assert [str(number) in fires for number in (4, 5, 6)] == firing


async def test_nan_is_no_value(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"name": "A", "type": "threshold", "match": "x", "op": "!=", "value": 5})
    rig.store.put("x", float("nan"), rig.clock.now_ms())
    assert await rig.at(0) == []


async def test_share_of_another_metric_with_the_same_labels(tmp_path: Path) -> None:
    rule = {"match": "avail", "per": "size", "op": "<", "value": 0.1, "summary": "{value} left"}
    rig = Rig(tmp_path, {"name": "A", "type": "threshold", **rule})
    for mount, avail in (("/", 5), ("/data", 50), ("/new", 1)):
        rig.store.put(f'avail{{m="{mount}"}}', avail, rig.clock.now_ms())
        if mount != "/new":
            rig.store.put(f'size{{m="{mount}"}}', 100, rig.clock.now_ms())
    [alert] = await rig.at(0)
    assert dict(alert.labels)["m"] == "/"
    assert dict(alert.annotations)["summary"] == "5 % left"


async def test_age_of_a_time_stamp(tmp_path: Path) -> None:
    rule = {"match": "last", "measure": "age", "op": "<", "value": 3600, "stale_after": "2h"}
    rig = Rig(tmp_path, {"name": "A", "type": "threshold", **rule})
    rig.store.put("last", rig.clock.now_ms() / 1000 - 3500, rig.clock.now_ms())
    assert [a.state for a in await rig.at(0)] == ["firing"]
    assert [a.state for a in await rig.at(101)] == ["resolved"]


async def test_silence_of_one_series_among_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"name": "A", "type": "threshold", "match": "x", "measure": "silence", "op": ">", "value": 60})
    rig.store.put('x{target="before"}', 1, rig.clock.now_ms() - 1)
    for target in ("a", "b"):
        rig.store.put(f'x{{target="{target}"}}', 1, rig.clock.now_ms())
    assert await rig.at(60) == []
    rig.store.put('x{target="b"}', 1, rig.clock.now_ms())
    [alert] = await rig.at(1)
    assert dict(alert.labels)["target"] == "a"
    rig.store.put('x{target="a"}', 1, rig.clock.now_ms())
    assert [a.state for a in await rig.at(0)] == ["resolved"]


async def breaches(rig: Rig, *rows: Any) -> list[Alert]:
    rig.forecasts.newest = list(rows)
    return await rig.at(0)


async def test_a_forecast_breach_says_when_against_what_and_from_what(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BREACH)
    now = rig.clock.now_ms()
    [alert] = await breaches(rig, forecast(GPU, now, breach_ms=now + 52 * HOUR, breach_early_ms=now + 30 * HOUR))
    assert alert.state == "firing"
    assert dict(alert.annotations) == {
        "summary": f"{GPU} reaches 76 GiB in 2 d 4 h",
        "description": "at Sun 17 Jan 12:00 UTC (with one chance in ten in 1 d 6 h), prophet, 28 d",
    }
    assert dict(alert.labels)["metric"] == "forewarn_gpu_memory_used_bytes"
    assert alert.value == 52 * 3600


async def test_the_earlier_of_two_statistics_makes_one_alert(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BREACH)
    now = rig.clock.now_ms()
    rows = [
        forecast(GPU, now, breach_ms=now + 50 * HOUR),
        forecast(GPU, now, breach_ms=now + 20 * HOUR, statistic="max"),
    ]
    [alert] = await breaches(rig, *rows)
    assert alert.value == 20 * 3600


@pytest.mark.parametrize(
    "changes",
    [
        {"breach_hours": 73},
        {"breach_hours": None},
        {"breach_hours": None, "early_hours": 1},
        {"breach_hours": 5, "status": "failed"},
        {"breach_hours": 5, "age_hours": 4},
    ],
)
async def test_what_is_no_breach(tmp_path: Path, changes: dict[str, Any]) -> None:
    rig = Rig(tmp_path, BREACH)
    now = rig.clock.now_ms()
    hours, early = changes["breach_hours"], changes.get("early_hours")
    row = forecast(
        GPU,
        now - changes.get("age_hours", 0) * HOUR,
        breach_ms=None if hours is None else now + hours * HOUR,
        breach_early_ms=None if early is None else now + early * HOUR,
        status=changes.get("status", "ok"),
    )
    assert await breaches(rig, row) == []


async def test_for_asks_for_a_second_forecast_that_says_the_same(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BREACH | {"for": "1m"})
    start = rig.clock.now_ms()
    [alert] = await breaches(rig, forecast(GPU, start, breach_ms=start + 20 * HOUR))
    assert alert.state == "pending"
    assert [a.state for a in await rig.at(1800)] == ["pending"]
    await rig.clock.advance(1800)
    now = rig.clock.now_ms()
    [alert] = await breaches(rig, forecast(GPU, now, breach_ms=now + 19 * HOUR))
    assert alert.state == "firing"


async def test_a_forecast_that_turns_ends_the_alert_and_one_that_fails_does_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BREACH)
    now = rig.clock.now_ms()
    await breaches(rig, forecast(GPU, now, breach_ms=now + 20 * HOUR))
    await rig.clock.advance(3600)
    assert [a.state for a in await breaches(rig, forecast(GPU, now + HOUR, status="failed"))] == ["firing"]
    [alert] = await breaches(rig, forecast(GPU, now + HOUR))
    assert (alert.state, alert.ended) == ("resolved", "no breach is expected within 3 d")


async def test_stages_are_two_rules_with_two_identities(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BREACH, BREACH | {"name": "Urgent", "window": "6h", "severity": "critical"})
    now = rig.clock.now_ms()
    first = await breaches(rig, forecast(GPU, now, breach_ms=now + 7 * HOUR))
    assert [a.severity for a in first] == ["warning"]
    second = await breaches(rig, forecast(GPU, now, breach_ms=now + 5 * HOUR))
    assert [a.severity for a in second] == ["critical", "warning"]
    assert second[1].fingerprint == first[0].fingerprint


async def test_absent_waits_for_the_collectors_and_ends_with_the_first_sample(tmp_path: Path) -> None:
    rule = {"name": "A", "type": "absent", "match": 'up{job="w",x=~"y.*"}', "summary": "{metric} for {silence}"}
    rig = Rig(tmp_path, rule)
    assert await rig.at(299) == []
    [alert] = await rig.at(1)
    assert alert.state == "firing"
    assert dict(alert.labels) == {"alertname": "A", "hostname": "n1", "job": "w", "severity": "warning"}
    assert dict(alert.annotations)["summary"] == 'up{job="w",x=~"y.*"} for 5 min'
    rig.store.put('up{job="w",x="y1"}', 0, rig.clock.now_ms())
    assert [a.state for a in await rig.at(1)] == ["resolved"]


async def test_collector_failing_says_for_how_long(tmp_path: Path) -> None:
    rule = {"name": "A", "type": "collector_failing", "summary": "{labels.collector} {failing_for}"}
    rig = Rig(tmp_path, rule)
    now = rig.clock.now_ms()
    rig.store.put('forewarn_collector_success{collector="host"}', 1, now)
    rig.store.put('forewarn_collector_success{collector="nvml"}', 0, now)
    last = "forewarn_collector_last_success_timestamp_seconds"
    rig.store.put(f'{last}{{collector="nvml"}}', now / 1000 - 90, now - 90_000)
    [alert] = await rig.at(0)
    assert dict(alert.annotations)["summary"] == "nvml for 1 min 30 s"
    rig.store.put('forewarn_collector_success{collector="nvml"}', 1, rig.clock.now_ms())
    assert [a.state for a in await rig.at(0)] == ["resolved"]


async def test_what_another_alert_says_already_is_not_said_twice(tmp_path: Path) -> None:
    rule = {"name": "A", "type": "collector_failing", "unless": 'diagnosis{condition=~"driver_.*"}', "for": 30}
    rig = Rig(tmp_path, rule)
    success, known = 'forewarn_collector_success{collector="nvml"}', 'diagnosis{condition="driver_stuck"}'

    async def after(seconds: float, diagnosed: float) -> list[str]:
        await rig.clock.advance(seconds)
        now = rig.clock.now_ms()
        rig.store.put(success, 0, now)
        rig.store.put(known, diagnosed, now)
        rig.store.put('diagnosis{condition="persistence_off"}', 1, now)
        return [alert.state for alert in await rig.at(0)]

    assert await after(0, 1) == []
    assert await after(60, 1) == []
    assert await after(1, 0) == ["pending"]
    assert await after(31, 0) == ["firing"]
    assert await after(1, 1) == ["resolved"]
    [alert] = rig.engine.alerts()
    assert dict(alert.annotations)["ended"].startswith("another alert says of the same trouble")


async def test_what_is_so_or_not_ends_in_words_and_not_in_a_number(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"name": "A", "type": "threshold", "match": "stuck", "op": "==", "value": 1})
    rig.store.put("stuck", 1, rig.clock.now_ms())
    assert [alert.state for alert in await rig.at(1)] == ["firing"]
    rig.store.put("stuck", 0, rig.clock.now_ms())
    [alert] = await rig.at(2)
    assert dict(alert.annotations)["ended"] == "that is no longer so, after 2 s"


async def test_peaks_of_a_capped_level_are_no_breach(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BREACH)
    now = rig.clock.now_ms()
    capped = {"kind": "saturated", "unit": "ratio", "limit": 0.98, "breach_ms": now + 3 * HOUR}
    assert await breaches(rig, forecast(GPU, now, statistic="max", **capped)) == []
    assert [a.state for a in await breaches(rig, forecast(GPU, now, **capped))] == ["firing"]
