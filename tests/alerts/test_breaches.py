"""When a forecast warns, how urgently, and what it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from alerts.alert import Alert
from alerts.evidence import record
from forecast.results import Forecast
from forecast.scorecard import Figures, Scorecard, TargetFigures
from forewarn.base.clock import HOUR
from tests.support.alert_rig import Rig
from tests.support.hourly import chance
from tests.support.latest_samples import forecast

GPU = 'forewarn_gpu_memory_used_bytes{gpu="3"}'
RULE = {
    "name": "WillFill",
    "type": "forecast_breach",
    "summary": "{labels.gpu} {outlook}",
    "description": "{timing} {evidence}",
}
STAGED = RULE | {"severity_by_lead": {"critical": "6h", "warning": "48h", "info": "72h"}}


def likely(now_ms: int, steps: dict[int, float], *, lately: bool = False, **changes: Any) -> Forecast:
    return forecast(GPU, now_ms, chance=chance(steps, crossed_lately=lately), **changes)


def crossed(now_ms: int, hours: int, **changes: Any) -> Forecast:
    return forecast(GPU, now_ms, breach_ms=now_ms - hours * HOUR, **changes)


async def told(rig: Rig, *rows: Forecast, after: float = 0) -> list[Alert]:
    await rig.clock.advance(after)
    rig.forecasts.newest = list(rows)
    return await rig.at(0)


async def speaking(rig: Rig, steps: dict[int, float]) -> list[tuple[str, str]]:
    """An hour later a forecast that says this; severities and states of all alerts that are not over."""
    await rig.clock.advance(3600)
    found = await told(rig, likely(rig.clock.now_ms(), steps))
    return [(alert.severity, alert.state) for alert in found if alert.state != "resolved"]


async def test_a_warning_says_all_that_is_known(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    rig.card = Scorecard(
        0, targets=(TargetFigures(GPU, "mean", Figures(200, judged=200, came_true=10, false_warnings=2)),)
    )
    [alert] = await told(rig, likely(rig.clock.now_ms(), {30: 0.1, 52: 0.6, 60: 0.72, 70: 0.9}, lately=True))
    assert (alert.state, alert.value) == ("firing", 0.9)
    assert dict(alert.annotations) == {
        "summary": "3 will probably reach 76 GiB within 72 h (90 %)",
        "description": (
            "As likely as not by Sun 17 Jan 11:00 UTC (in 2 d 3 h); one chance in ten in 1 d 5 h. From 28 d of history;"
            " 10 of 12 earlier warnings about this target came true;"
            " the plain rule 'it crossed in the last 72 h' says yes."
        ),
        "probability": "0.9",
        "window_hours": "72",
        "breach_earliest": "2027-01-16T13:00:00Z",
        "breach_at": "2027-01-17T11:00:00Z",
        "breach_latest": "2027-01-18T05:00:00Z",
        "crossed_last_72h": "true",
        "history_hours": "672",
        "model": "prophet",
        "statistic": "mean",
        "score": "10 of 12 earlier warnings about this target came true",
        "score_of": "target",
        "score_warnings": "12",
        "score_came_true": "10",
    }
    assert dict(alert.labels)["metric"] == "forewarn_gpu_memory_used_bytes"


async def test_a_line_that_crosses_does_not_warn_and_a_probability_does(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    now = rig.clock.now_ms()
    assert await told(rig, likely(now, {40: 0.59}, breach_ms=now + 40 * HOUR)) == []
    assert len(await told(rig, likely(now, {40: 0.6}))) == 1


async def test_it_does_not_flap_at_the_threshold(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    states = []
    for probability in (0.55, 0.61, 0.55, 0.61, 0.41, 0.59, 0.39, 0.55, 0.61):
        await rig.clock.advance(3600)
        found = await told(rig, likely(rig.clock.now_ms(), {60: probability}))
        states.append([alert.state for alert in found])
    assert states == [[], *[["firing"]] * 5, ["resolved"], [], ["firing"]]
    assert found[0].fired_ms == rig.clock.now_ms()


@pytest.mark.parametrize(("after", "words"), [(0, "at any moment."), (30.5, "at any moment."), (-90.5, "in 1 min.")])
async def test_what_is_near_is_told_to_the_minute(tmp_path: Path, after: float, words: str) -> None:
    rig = Rig(tmp_path, RULE)
    [alert] = await told(rig, likely(rig.clock.now_ms() - round(after * 1000), {1: 0.2, 5: 0.7}))
    assert f"one chance in ten {words}" in dict(alert.annotations)["description"]


async def test_what_fades_may_still_come(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    await told(rig, likely(rig.clock.now_ms(), {60: 0.7}))
    [alert] = await told(rig, likely(rig.clock.now_ms(), {60: 0.45}, below=True), after=3600)
    notes = dict(alert.annotations)
    assert notes["summary"] == "3 may fall to 76 GiB within 72 h (45 %)"
    assert notes["description"].startswith("One chance in ten in 2 d 10 h. From 28 d")
    assert {"breach_at", "breach_latest"}.isdisjoint(notes)


async def test_what_ends_says_how_probable_it_is_now(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    await told(rig, likely(rig.clock.now_ms(), {60: 0.7}))
    [alert] = await told(rig, likely(rig.clock.now_ms(), {60: 0.2}), after=3600)
    assert (alert.state, alert.ended) == ("resolved", "the probability within 72 h is 20 %")


async def test_severity_goes_by_lead_time_and_one_speaks_at_a_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    assert await speaking(rig, {72: 0.7}) == [("info", "firing")]
    assert await speaking(rig, {48: 0.7}) == [("warning", "firing")]
    assert await speaking(rig, {6: 0.7}) == [("critical", "firing")]
    ended = {alert.severity: alert.ended for alert in rig.engine.alerts() if alert.state == "resolved"}
    assert ended == {"warning": "it is critical now"}  # the one of two hours ago is shown no more


async def test_it_may_begin_with_the_most_urgent(tmp_path: Path) -> None:
    assert await speaking(Rig(tmp_path, STAGED), {5: 0.7}) == [("critical", "firing")]


async def test_what_fades_is_told_as_fading(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    await speaking(rig, {6: 0.7})
    assert await speaking(rig, {6: 0.45, 48: 0.8}) == [("critical", "firing")]
    assert await speaking(rig, {6: 0.3, 48: 0.5}) == [("warning", "firing")], "it would not begin, yet is not over"
    assert await speaking(rig, {48: 0.3, 72: 0.5}) == [("info", "firing")]
    assert await speaking(rig, {72: 0.3}) == []


async def test_each_severity_keeps_its_identity(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    await speaking(rig, {48: 0.7})
    [first] = rig.engine.alerts()
    await speaking(rig, {6: 0.7})
    await speaking(rig, {6: 0.3, 48: 0.7})
    again = next(alert for alert in rig.engine.alerts() if alert.state == "firing")
    assert again.fingerprint == first.fingerprint
    assert {"probability", "window", "statistic"}.isdisjoint(dict(first.labels))


async def test_the_statistic_nearest_to_its_limit_speaks(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    now = rig.clock.now_ms()
    [alert] = await told(rig, likely(now, {40: 0.3}), likely(now, {20: 0.8}, statistic="max"))
    assert (alert.value, dict(alert.annotations)["statistic"]) == (0.8, "max")


async def test_an_older_forecast_is_asked_about_the_window_from_now_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE | {"window": "6h"})
    made = likely(rig.clock.now_ms(), {8: 0.7})
    assert await told(rig, made) == []
    assert len(await told(rig, made, after=2 * 3600)) == 1


@pytest.mark.parametrize(
    "changes",
    [{"status": "failed"}, {"age_hours": 4}, {"limit": None}, {"kind": "saturated", "statistic": "max"}],
)
async def test_what_says_nothing_of_a_breach(tmp_path: Path, changes: dict[str, Any]) -> None:
    rig = Rig(tmp_path, RULE)
    begin = rig.clock.now_ms() - changes.pop("age_hours", 0) * HOUR
    assert await told(rig, likely(begin, {5: 0.9}, **changes)) == []


async def test_a_limit_that_is_crossed_is_told_as_what_it_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    [alert] = await told(rig, crossed(rig.clock.now_ms(), 5, below=True))
    assert alert.severity == "critical"
    notes = dict(alert.annotations)
    assert notes["summary"] == "3 has been at or under 76 GiB since Fri 15 Jan 03:00 UTC"
    assert notes["description"] == "So it has been for 5 h. Known from 28 d of history."
    assert notes["crossed_since"] == "2027-01-15T03:00:00Z"
    assert "probability" not in notes


async def test_what_has_been_crossed_for_days_is_no_news_when_first_seen(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    [alert] = await told(rig, crossed(rig.clock.now_ms(), 200))
    assert alert.severity == "info"


async def test_what_was_warned_of_and_came_stays_critical(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    assert await speaking(rig, {6: 0.9}) == [("critical", "firing")]
    for hours in (1, 70, 100):
        [*_, alert] = await told(rig, crossed(rig.clock.now_ms(), hours), after=3600)
        assert (alert.severity, alert.state) == ("critical", "firing")


async def test_for_asks_for_a_second_forecast_that_says_the_same(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE | {"for": "1m"})
    [alert] = await told(rig, likely(rig.clock.now_ms(), {20: 0.8}))
    assert alert.state == "pending"
    assert [a.state for a in await rig.at(1800)] == ["pending"]
    await rig.clock.advance(1800)
    [alert] = await told(rig, likely(rig.clock.now_ms(), {20: 0.8}))
    assert alert.state == "firing"


async def test_a_forecast_that_fails_ends_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    await told(rig, likely(rig.clock.now_ms(), {20: 0.8}))
    [alert] = await told(rig, forecast(GPU, rig.clock.now_ms(), status="failed"), after=3600)
    assert alert.state == "firing"


async def test_on_call_hears_of_a_change_of_severity_in_one_notification(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED, receivers=[{"name": "ops", "url": "http://127.0.0.1:9/"}])
    await speaking(rig, {48: 0.7})
    rig.deliver()
    await speaking(rig, {6: 0.8})
    told = json.loads(rig.deliver().body)
    assert rig.idle()
    assert told["status"] == "firing"
    assert [(one["status"], one["labels"]["severity"]) for one in told["alerts"]] == [
        ("firing", "critical"),
        ("resolved", "warning"),
    ]
    firing, resolved = (one["annotations"] for one in told["alerts"])
    assert firing["summary"] == "3 will probably reach 76 GiB within 6 h (80 %)"
    assert (firing["probability"], firing["window_hours"], firing["score"]) == ("0.8", "6", "not scored yet")
    assert resolved["ended"].startswith("it is critical now, after 1 h")


async def test_severities_are_handed_on_over_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STAGED)
    await speaking(rig, {48: 0.7})
    rig.restart()
    assert await speaking(rig, {6: 0.7}) == [("critical", "firing")]


def test_the_record_is_the_targets_own_else_the_nodes() -> None:
    own = TargetFigures("x", "max", Figures(9, judged=9, missed=1))
    card = Scorecard(0, Figures(99, judged=99, came_true=4, false_warnings=1, brier=0.1234), (own,))
    assert record(card, "x", "max").text == "no earlier warning about this target, 1 missed in 9 forecasts"
    other = record(card, "x", "mean")
    assert other.text == "4 of 5 earlier warnings on this node came true"
    assert other.notes["score_brier"] == "0.123"
    assert record(Scorecard(), "x", "max").text == "not scored yet"
