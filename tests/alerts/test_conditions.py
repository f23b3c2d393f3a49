"""What each kind of rule finds."""

from pathlib import Path

import pytest

from tests.support.alert_rig import Rig


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
