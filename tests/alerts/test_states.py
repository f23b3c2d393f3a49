"""The way of an alert through its states, on a clock that the test moves."""

from pathlib import Path

import pytest

from forewarn.base.errors import StoreError
from tests.support.alert_rig import HOT_RULE, Rig


async def test_fires_at_once_without_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    [alert] = await rig.at(0, hot=81)
    assert alert.state == "firing"
    assert dict(alert.labels) == {
        "alertname": "Hot",
        "gpu": "0",
        "hostname": "n1",
        "metric": "forewarn_gpu_temperature_celsius",
        "sensor": "core",
        "severity": "warning",
    }
    assert dict(alert.annotations) == {"summary": "GPU 0 is at 81 °C"}
    assert alert.value == 81


async def test_no_alert_at_the_limit_itself(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    assert await rig.at(0, hot=80) == []


async def test_pending_until_the_evidence_lasts(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "10s"})
    assert [a.state for a in await rig.at(0, hot=81)] == ["pending"]
    assert [a.state for a in await rig.at(9, hot=82)] == ["pending"]
    [alert] = await rig.at(1, hot=83)
    assert alert.state == "firing"
    assert (alert.fired_ms or 0) - alert.active_ms == 10_000


async def test_a_value_that_only_grows_old_is_no_evidence(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "10s"})
    await rig.at(0, hot=81)
    assert [a.state for a in await rig.at(60)] == ["pending"]
    assert await rig.at(0, hot=50) == []


async def test_pending_is_dropped_when_the_condition_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "10s"})
    await rig.at(0, hot=81)
    assert await rig.at(5, hot=79) == []
    assert [a.state for a in await rig.at(6, hot=81)] == ["pending"]


async def test_clear_keeps_it_firing_between_the_limits(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"clear": 75})
    await rig.at(0, hot=81)
    assert [a.state for a in await rig.at(5, hot=76)] == ["firing"]
    [alert] = await rig.at(5, hot=75)
    assert alert.state == "resolved"
    assert dict(alert.annotations)["ended"] == "the value is back at 75 °C, after 10 s"


async def test_between_the_limits_nothing_begins(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"clear": 75})
    assert await rig.at(0, hot=78) == []


async def test_keep_firing_for_outlasts_a_dip(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"keep_firing_for": "30s"})
    [first] = await rig.at(0, hot=81)
    assert [a.state for a in await rig.at(29, hot=70)] == ["firing"]
    [again] = await rig.at(1, hot=81)
    assert (again.state, again.fired_ms) == ("firing", first.fired_ms)
    await rig.at(29, hot=70)
    assert [a.state for a in await rig.at(1, hot=70)] == ["resolved"]


async def test_a_lost_series_ends_its_alert_only_after_the_rules_patience(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"stale_after": "5m"})
    await rig.at(0, hot=81)
    assert [a.state for a in await rig.at(299)] == ["firing"]
    [alert] = await rig.at(2)
    assert alert.state == "resolved"
    assert alert.ended.startswith("no data for 5 min")


async def test_a_gap_in_the_evidence_begins_the_count_anew(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "2m", "stale_after": "5m"})
    await rig.at(0, hot=81)
    rig.restart()
    [alert] = await rig.at(3600, hot=82)
    assert alert.state == "pending"
    assert [a.state for a in await rig.at(120, hot=82)] == ["firing"]


async def test_pending_keeps_its_time_over_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "60s"})
    [before] = await rig.at(0, hot=81)
    rig.restart()
    [after] = await rig.at(60, hot=81)
    assert (after.state, after.active_ms) == ("firing", before.active_ms)


async def test_firing_survives_a_long_restart_until_the_collectors_were_heard(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    [before] = await rig.at(0, hot=81)
    rig.connection.close()
    await rig.clock.advance(3600)
    rig.start()
    assert [a.state for a in await rig.at(1)] == ["firing"]
    [after] = await rig.at(5, hot=85)
    assert (after.state, after.fired_ms) == ("firing", before.fired_ms)


async def test_resolved_is_shown_for_a_quarter_of_an_hour_and_forgotten(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    await rig.at(0, hot=81)
    await rig.at(5, hot=20)
    assert [a.state for a in await rig.at(14 * 60, hot=20)] == ["resolved"]
    assert await rig.at(2 * 60, hot=20) == []
    assert rig.connection.execute("SELECT count(*) FROM alert_states").fetchone() == (0,)


async def test_a_new_occurrence_has_a_new_beginning(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "5s"})
    await rig.at(0, hot=81)
    [first] = await rig.at(5, hot=81)
    await rig.at(5, hot=20)
    [pending] = await rig.at(5, hot=81)
    assert (pending.state, pending.fired_ms) == ("pending", first.fired_ms)
    assert [a.state for a in await rig.at(2, hot=20)] == ["resolved"]
    await rig.at(5, hot=81)
    [second] = await rig.at(5, hot=81)
    assert second.state == "firing"
    assert (second.fired_ms or 0) > (first.fired_ms or 0)
    assert second.fingerprint == first.fingerprint


async def test_the_value_is_no_part_of_the_identity(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    [first] = await rig.at(0, hot=81)
    [second] = await rig.at(5, hot=99)
    assert second.fingerprint == first.fingerprint
    assert dict(second.annotations)["summary"] == "GPU 0 is at 99 °C"


async def test_two_series_with_one_identity_are_an_error_and_nothing_fires(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"labels": {"sensor": "any"}})
    for sensor in ("core", "memory"):
        rig.store.put(f'forewarn_gpu_temperature_celsius{{gpu="0",sensor="{sensor}"}}', 90, rig.clock.now_ms())
    rig.store.put('forewarn_gpu_temperature_celsius{gpu="1",sensor="core"}', 90, rig.clock.now_ms())
    for _ in range(3):
        rig.engine.evaluate()
    [alert] = rig.engine.alerts()
    assert dict(alert.labels)["gpu"] == "1"
    [status] = rig.engine.rules()
    assert "several series give the same alert" in status.error
    assert status.errors == 3
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_a_store_that_fails_leaves_alerts_as_they_are(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    await rig.at(0, hot=81)
    rig.store.broken = StoreError("metrics.db is damaged")
    assert [a.state for a in await rig.at(3600)] == ["firing"]
    assert rig.engine.rules()[0].error == "metrics.db is damaged"
    rig.store.broken = None
    assert [a.state for a in await rig.at(5, hot=20)] == ["resolved"]
    assert rig.engine.rules()[0].error == ""


async def test_a_state_db_that_cannot_be_written_keeps_the_old_state_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    rig.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match=r"state\.db"):
        await rig.at(0, hot=81)
    assert rig.engine.alerts() == []
    rig.connection.execute("PRAGMA query_only = OFF")
    assert [a.state for a in await rig.at(1, hot=81)] == ["firing"]


async def test_an_alert_of_a_rule_that_is_gone_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    await rig.at(0, hot=81)
    rig.restart(rule=())
    [alert] = await rig.at(1)
    assert (alert.state, alert.ended) == ("resolved", "the rule is gone")


async def test_quiet_evaluations_write_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE, receivers=[{"name": "ops", "url": "http://127.0.0.1:1/"}])
    await rig.at(0, hot=81)
    rig.deliver()
    before = rig.connection.total_changes
    for _ in range(5):
        await rig.at(5, hot=82)
    assert rig.connection.total_changes == before


async def test_a_clock_that_is_set_back_stops_no_alert(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "10s"})
    await rig.at(0, hot=81)
    assert [a.state for a in await rig.at(-86400, hot=81)] == ["pending"]
    [alert] = await rig.at(10, hot=81)
    assert alert.state == "firing"
    await rig.clock.advance(-86400)
    assert [a.state for a in await rig.at(0, hot=20)] == ["resolved"]
    assert [a.state for a in await rig.at(-86400, hot=20)] == ["resolved"]
    assert await rig.at(16 * 60, hot=20) == []
