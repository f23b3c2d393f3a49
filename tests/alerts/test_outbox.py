"""What is told to whom, when, and what is not."""

import json
from pathlib import Path
from typing import Any

from alerts.outbox import Delivery, Idle
from alerts.outcome import of_status
from alerts.settings import ReceiverSettings
from tests.support.alert_rig import HOT_RULE, Rig

OPS = {"name": "ops", "url": "http://127.0.0.1:1/"}


def rig_for(folder: Path, **more: Any) -> Rig:
    return Rig(folder, HOT_RULE, receivers=[OPS], **more)


def told(delivery: Delivery) -> tuple[str, str, list[str]]:
    body = json.loads(delivery.body)
    return body["status"], body["notification_reason"], [alert["status"] for alert in body["alerts"]]


def heat(rig: Rig, gpu: int, value: float) -> None:
    rig.store.put(f'forewarn_gpu_temperature_celsius{{gpu="{gpu}",sensor="core"}}', value, rig.clock.now_ms())


async def test_fire_and_resolve_are_two_notifications(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    assert told(rig.deliver()) == ("firing", "first notification", ["firing"])
    assert rig.idle()
    await rig.at(5, hot=20)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])
    await rig.at(5, hot=20)
    assert rig.idle()


async def test_pending_is_nobodys_business(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE | {"for": "1m"}, receivers=[OPS])
    await rig.at(0, hot=81)
    assert rig.idle()


async def test_a_group_is_told_together_and_its_changes_with_their_reason(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    heat(rig, 1, 90)
    await rig.at(0, hot=81)
    assert told(rig.deliver()) == ("firing", "first notification", ["firing", "firing"])
    heat(rig, 2, 90)
    await rig.at(5)
    assert told(rig.deliver()) == ("firing", "new alerts added", ["firing"] * 3)
    heat(rig, 2, 20)
    await rig.at(5)
    assert told(rig.deliver()) == ("firing", "some alerts resolved", ["firing", "firing", "resolved"])
    assert rig.idle()


async def test_the_newest_state_replaces_one_that_was_not_sent(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    heat(rig, 1, 90)
    await rig.at(5)
    assert told(rig.deliver()) == ("firing", "first notification", ["firing", "firing"])
    assert rig.idle()


async def test_a_resolve_after_an_unsent_fire_cancels_both(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    await rig.at(5, hot=20)
    assert rig.idle()
    assert rig.outbox.deliveries() == []


async def test_a_resolve_is_owed_once_an_attempt_may_have_arrived(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.outbox.settle(rig.claim(), of_status(502), 1)
    await rig.at(5, hot=20)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])


async def test_the_same_holds_for_a_second_occurrence(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    for value in (81, 20):
        await rig.at(5, hot=value)
        rig.deliver()
    await rig.at(5, hot=81)
    rig.outbox.settle(rig.claim(), of_status(500), 0)
    await rig.at(5, hot=20)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])


async def test_a_refused_resolve_is_not_tried_for_ever(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.deliver()
    await rig.at(5, hot=20)
    assert rig.outbox.settle(rig.claim(), of_status(400), 0)
    for _ in range(3):
        await rig.at(3600, hot=20)
        assert rig.idle()


async def test_a_refused_connection_owes_no_resolve(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.outbox.settle(rig.claim(), of_status(429), 1)
    await rig.at(5, hot=20)
    assert rig.idle()


async def test_one_in_flight_and_what_changed_meanwhile_follows(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    flying = rig.claim()
    await rig.at(5, hot=20)
    assert rig.idle()
    rig.outbox.settle(flying, of_status(200), 0)
    await rig.at(0)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])


async def test_repeats_come_exactly_after_the_interval(tmp_path: Path) -> None:
    rig = rig_for(tmp_path, repeat_interval="4h")
    await rig.at(0, hot=81)
    rig.deliver()
    sent_ms = rig.clock.now_ms()
    await rig.at(4 * 3600 - 7, hot=85)
    assert rig.outbox.claim("ops") == Idle(None)
    await rig.at(4, hot=86)
    assert rig.outbox.claim("ops") == Idle(sent_ms + 4 * 3_600_000)
    await rig.clock.advance(3)
    assert told(rig.deliver()) == ("firing", "repeat interval elapsed", ["firing"])
    await rig.at(5, hot=86)
    assert rig.idle()


async def test_a_repeat_that_fails_is_tried_again(tmp_path: Path) -> None:
    rig = rig_for(tmp_path, repeat_interval="4h")
    await rig.at(0, hot=81)
    rig.deliver()
    await rig.at(4 * 3600, hot=85)
    rig.outbox.settle(rig.claim(), of_status(503), 1)
    await rig.at(1, hot=85)
    assert told(rig.deliver())[1] == "repeat interval elapsed"


async def test_wait_and_interval_pace_a_group(tmp_path: Path) -> None:
    rig = rig_for(tmp_path, group_wait="10s", group_interval="60s")
    await rig.at(0, hot=81)
    assert rig.outbox.claim("ops") == Idle(rig.clock.now_ms() + 10_000)
    await rig.clock.advance(10)
    rig.deliver()
    await rig.at(20, hot=20)
    assert rig.outbox.claim("ops") == Idle(rig.clock.now_ms() + 40_000)


async def test_failed_attempts_wait_and_keep_their_place(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.outbox.settle(rig.claim(), of_status(500), 30)
    await rig.at(5, hot=82)
    assert rig.outbox.claim("ops") == Idle(rig.clock.now_ms() + 25_000)
    await rig.clock.advance(25)
    delivery = rig.claim()
    assert delivery.attempts == 2


async def test_a_refusal_is_a_dead_letter_and_the_next_repeat_tries_again(tmp_path: Path) -> None:
    rig = rig_for(tmp_path, repeat_interval="4h")
    await rig.at(0, hot=81)
    assert rig.outbox.settle(rig.claim(), of_status(404), 0)
    [letter] = rig.outbox.deliveries()
    assert (letter["state"], letter["error"]) == ("dead", "HTTP 404")
    await rig.at(5, hot=81)
    assert rig.idle()
    await rig.at(4 * 3600, hot=81)
    assert told(rig.deliver()) == ("firing", "first notification", ["firing"])


async def test_after_three_days_it_is_given_up(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    assert not rig.outbox.settle(rig.claim(), of_status(503), 0)
    await rig.at(3 * 86400, hot=81)
    assert rig.outbox.settle(rig.claim(), of_status(503), 0)
    assert [letter["state"] for letter in rig.outbox.deliveries()] == ["dead"]


async def test_an_attempt_that_the_process_did_not_outlive_is_made_again(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    first = json.loads(rig.claim().body)
    rig.restart()
    second = json.loads(rig.deliver().body)
    assert second["alerts"][0]["fingerprint"] == first["alerts"][0]["fingerprint"]
    assert second["alerts"][0]["startsAt"] == first["alerts"][0]["startsAt"]
    await rig.at(5, hot=81)
    assert rig.idle()


async def test_an_attempt_that_the_process_did_not_outlive_may_have_arrived(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.claim()
    rig.restart()
    await rig.at(5, hot=20)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])


async def test_after_a_restart_nothing_is_told_twice(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.deliver()
    rig.restart()
    await rig.at(5, hot=85)
    assert rig.idle()


async def test_after_a_change_of_grouping_the_old_groups_are_resolved_before_the_new_are_told(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    before = json.loads(rig.deliver().body)
    rig.restart(group_by=("alertname", "gpu"))
    await rig.at(5, hot=82)
    old, new = (json.loads(rig.deliver().body) for _ in range(2))
    assert (old["groupKey"], old["status"]) == (before["groupKey"], "resolved")
    assert old["alerts"][0]["endsAt"] >= old["alerts"][0]["startsAt"] == before["alerts"][0]["startsAt"]
    assert (new["groupKey"] != old["groupKey"], new["status"]) == (True, "firing")
    assert rig.idle()
    rig.restart()
    await rig.at(5, hot=20)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])
    assert rig.idle()


async def test_after_a_change_of_grouping_nobody_hears_of_what_was_never_sent(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.restart(group_by=("alertname", "gpu"))
    await rig.at(5, hot=82)
    assert told(rig.deliver()) == ("firing", "first notification", ["firing"])
    assert rig.idle()


async def test_a_receiver_that_is_gone_leaves_dead_letters(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.restart(receiver=())
    [letter] = rig.outbox.deliveries()
    assert (letter["state"], letter["error"]) == ("dead", "the receiver is no longer configured")


async def test_a_new_receiver_hears_of_what_fires(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE)
    await rig.at(0, hot=81)
    rig.restart(receiver=(ReceiverSettings.model_validate(OPS),))
    await rig.at(5, hot=81)
    assert told(rig.deliver())[1] == "first notification"


async def test_without_send_resolved_only_fires_and_repeats_are_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE, receivers=[OPS | {"send_resolved": False}], repeat_interval="1h")
    heat(rig, 1, 90)
    await rig.at(0, hot=81)
    rig.deliver()
    await rig.at(5, hot=20)
    assert rig.idle()
    await rig.clock.advance(3600)
    heat(rig, 1, 90)
    await rig.at(0)
    assert told(rig.deliver()) == ("firing", "repeat interval elapsed", ["firing"])


async def test_the_resolve_waits_as_long_as_its_receiver_is_away(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    rig.deliver()
    await rig.at(5, hot=20)
    rig.outbox.settle(rig.claim(), of_status(503), 3600)
    await rig.at(3600, hot=20)
    assert rig.engine.alerts() == []
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])
    await rig.at(5, hot=20)
    assert rig.connection.execute("SELECT count(*) FROM alert_states").fetchone() == (0,)
    assert rig.connection.execute("SELECT count(*) FROM notified_groups").fetchone() == (0,)


async def test_a_flap_before_the_resolve_was_sent_says_that_it_fires_again(tmp_path: Path) -> None:
    rig = rig_for(tmp_path, group_wait="10s")
    await rig.at(0, hot=81)
    await rig.clock.advance(10)
    first = json.loads(rig.deliver().body)["alerts"][0]["startsAt"]
    await rig.at(5, hot=20)
    await rig.at(5, hot=81)
    await rig.clock.advance(10)
    again = rig.deliver()
    assert told(again) == ("firing", "new alerts added", ["firing"])
    assert json.loads(again.body)["alerts"][0]["startsAt"] > first


async def test_receivers_are_told_independently(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HOT_RULE, receivers=[OPS, OPS | {"name": "second"}])
    await rig.at(0, hot=81)
    rig.deliver("ops")
    assert rig.idle("ops")
    assert told(rig.deliver("second"))[1] == "first notification"


async def test_a_clock_that_is_set_back_holds_nothing_up(tmp_path: Path) -> None:
    rig = rig_for(tmp_path, group_interval="60s", repeat_interval="4h")
    await rig.at(0, hot=81)
    rig.deliver()
    await rig.at(5, hot=20)
    await rig.clock.advance(-86400)
    assert told(rig.deliver()) == ("resolved", "all alerts resolved", ["resolved"])
    await rig.at(0, hot=81)
    assert rig.outbox.claim("ops") == Idle(rig.clock.now_ms() + 60_000)
    await rig.clock.advance(60)
    rig.outbox.settle(rig.claim(), of_status(503), 30)
    await rig.at(0, hot=81)
    assert rig.outbox.claim("ops") == Idle(rig.clock.now_ms() + 30_000)


async def test_a_failed_attempt_waits_even_when_the_clock_was_set_back(tmp_path: Path) -> None:
    rig = rig_for(tmp_path)
    await rig.at(0, hot=81)
    await rig.clock.advance(-86400)
    rig.outbox.settle(rig.claim(), of_status(503), 30)
    assert rig.outbox.claim("ops") == Idle(rig.clock.now_ms() + 30_000)
