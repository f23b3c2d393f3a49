"""Whole plans of nodes whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from collector.store import Rollup
from forecast.chance import Chance
from forecast.plan.asking import Ask
from forecast.plan.loads import Drivers
from forecast.plan.making import FAR, make_plan
from forecast.settings import TargetSettings
from forecast.targets import find_targets
from forewarn.base.clock import HOUR, rfc3339
from tests.support.known_node import NOW_MS, KnownNode, resource
from tests.support.memory_series import MemoryReader

DAY = 24
SIXTY = np.arange(60 * DAY)
SIZE = 1e12


def disk(node: KnownNode, hours: np.ndarray, full_in_days: float, a_day: float = 1e10) -> None:
    """Filling steadily; at 5 % free it counts as full."""
    free = 0.05 * SIZE + a_day * (full_in_days - (hours - hours[-1]) / DAY)
    node.add("forewarn_node_filesystem_avail_bytes", free, mountpoint="/data")
    node.add("forewarn_node_filesystem_size_bytes", np.full(hours.size, SIZE), mountpoint="/data")


def daily(hours: np.ndarray, low: float, high: float) -> np.ndarray:
    return (low + high) / 2 + (high - low) / 2 * np.sin(2 * np.pi * hours / DAY)


def test_a_disk_that_fills_at_a_known_rate(node: KnownNode) -> None:
    disk(node, SIXTY, full_in_days=10.0)
    found = resource(node.plan(), "forewarn_node_filesystem_avail_bytes")
    half = found.time(0.5)
    assert half is not None
    assert abs(half / DAY - 10) <= 1
    assert found.chance(72) == pytest.approx(0, abs=0.02)
    assert (found.chance(14 * DAY) or 0) > 0.9
    assert found.below
    assert found.allowed == "it fills with time, not with load"
    # at twice the rate it is full in 5 days: within 14 days it may not grow at all, within 3 it may threefold
    assert found.room[14] == pytest.approx(10 / 14, rel=0.15)
    assert found.room[3] == pytest.approx(10 / 3, rel=0.15)


def test_growth_brings_the_day_nearer(node: KnownNode) -> None:
    disk(node, SIXTY, full_in_days=10.0)
    half = resource(node.plan(Ask(grow=2.0)), "forewarn_node_filesystem").time(0.5)
    assert half is not None
    assert abs(half / DAY - 5) <= 1


def test_what_is_full_leads_and_says_so(node: KnownNode) -> None:
    disk(node, SIXTY, full_in_days=-1.0)
    node.add("forewarn_node_threads", daily(SIXTY, 10, 20))
    found = node.plan().resources[0]
    assert found.full
    told = found.to_dict(NOW_MS + 60_000)
    assert told["t10"] == told["t50"] == told["t90"] == rfc3339(NOW_MS + 60_000)


def test_a_short_history_answers_what_it_can(node: KnownNode) -> None:
    disk(node, SIXTY[: 10 * DAY], full_in_days=2.0)
    found = resource(node.plan(), "forewarn_node_filesystem")
    assert (found.chance(72) or 0) > 0.8
    assert found.chance(14 * DAY) is None
    assert found.reasons == {
        "14d": "needs 21 days of history, has 10",
        "30d": "needs 45 days of history, has 10",
    }
    assert found.room[14] is None


def test_a_history_of_hours_is_named(node: KnownNode) -> None:
    disk(node, SIXTY[:5], full_in_days=2.0)
    found = resource(node.plan(), "forewarn_node_filesystem")
    assert found.reasons == {"all": "has 5 h of history, 24 h are needed"}
    assert found.to_dict(NOW_MS)["chances"]["72h"] is None


def test_a_constant_stays(node: KnownNode) -> None:
    node.add("load", np.full(60 * DAY, 5.0))
    plan = node.plan(rows=[TargetSettings(match="load", limit=6.0)])
    found = resource(plan, "load")
    assert (found.chance(30 * DAY) or 0) < 0.05
    assert found.room[30] == pytest.approx(6 / 5, rel=0.1)


class OneIsTorn(MemoryReader):
    """A store that cannot read the series that was added first."""

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        if series_id == 0:
            raise OSError("input/output error")
        return super().rollup(series_id, start_ms, end_ms, step_ms)


def test_one_capacity_that_cannot_be_read_costs_no_other_its_answer() -> None:
    node = KnownNode(OneIsTorn())
    for name in ("torn", "whole"):
        node.add("load", daily(SIXTY, 1, 2), place=name)
    found = node.plan(rows=[TargetSettings(match="load", limit=4.0)]).resources
    assert [(one.target, one.reasons.get("all")) for one in found] == [
        ('load{place="whole"}', None),
        ('load{place="torn"}', "cannot be read: input/output error"),
    ]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_too_large_to_reckon_with_cost_no_other_its_answer(node: KnownNode) -> None:
    node.add("load", daily(SIXTY, 1, 2) * 1e308, place="huge")
    node.add("load", daily(SIXTY, 1, 2), place="usual")
    found = {one.target: one for one in node.plan(rows=[TargetSettings(match="load", limit=4.0)]).resources}
    assert (found['load{place="usual"}'].chance(72) or 0) < 0.05
    assert len(found) == 2


def test_growth_of_what_is_free_of_an_unknown_whole_is_not_guessed(node: KnownNode) -> None:
    node.add("free", daily(SIXTY, 10, 20))
    rows = [TargetSettings(match="free", limit=5.0, below=True)]
    found = resource(node.plan(Ask(3, grow=3.0), rows), "free")
    assert found.room == {3: None}
    assert "nothing has grown here" in found.reasons["grow"]
    assert (found.chance(72) or 0) < 0.05


def test_without_a_limit_one_line_says_so(node: KnownNode) -> None:
    node.add("load", daily(SIXTY, 1, 2))
    plan = node.plan(rows=[TargetSettings(match="load")])
    assert plan.resources == ()
    assert plan.notes == (
        "without a limit, so never full: load",
        "no capacity has a limit: give it one in a [[target]] row",
        "no GPUs: none with a day of history is among these capacities",
    )


def test_nothing_at_all(node: KnownNode) -> None:
    assert node.plan().notes == ("no capacity is recorded",)
    assert node.plan(Ask(target="nosuch")).notes == ("no capacity fits the selector",)


def test_when_nothing_was_recorded_that_is_all_that_is_said(node: KnownNode) -> None:
    disk(node, SIXTY, full_in_days=10.0)
    node.gpus([daily(SIXTY, 0.1, 0.2)])
    later = NOW_MS + 200 * DAY * HOUR
    plan = make_plan(node.reader, find_targets(node.reader, (), later), later)
    assert plan.resources == ()
    assert plan.notes == ("of these capacities nothing was recorded on the day before",)


def test_many_series_without_a_limit_are_counted_and_not_listed(node: KnownNode) -> None:
    for place in range(30):
        node.add("load", daily(SIXTY, 1, 2), place=str(place))
    assert node.plan(rows=[TargetSettings(match="load")]).notes[0] == "without a limit, so never full: load (30 series)"


def test_days_without_values_are_a_reason(node: KnownNode) -> None:
    """Of a series with one hour a day, the three days are forecast; daily peaks there are none."""
    node.add("load", np.where(SIXTY % DAY == 5, 5.0, np.nan), place="a")
    found = resource(node.plan(rows=[TargetSettings(match="load", limit=6.0)]), "load")
    assert found.chance(72) is not None
    assert found.chance(14 * DAY) is None
    assert found.reasons["14d"] == "too few days of the history have values"


@pytest.mark.parametrize(("name", "low", "limit"), [("gpu_celsius", 40, 85.0), ("margin", -60, 0.0)])
def test_what_has_no_zero_below_its_limit_does_not_grow_by_a_factor(
    node: KnownNode, name: str, low: float, limit: float
) -> None:
    node.add(name, daily(SIXTY, low, low + 20))
    found = resource(node.plan(Ask(3, grow=2.0), [TargetSettings(match=name, limit=limit)]), name)
    assert found.room == {3: None}
    assert (found.chance(72) or 0) < 0.05
    assert found.reasons["grow"] == "its level without any demand is not known, so nothing has grown here"


def test_the_far_answers_carry_what_the_documents_say_of_them(node: KnownNode) -> None:
    disk(node, SIXTY, full_in_days=10.0)
    assert FAR in node.plan().notes
    assert FAR not in node.plan(Ask(3)).notes
    page = Path(__file__).parents[3] / "docs" / "plan.md"
    for days in (14, 30):
        row = next(line for line in page.read_text().splitlines() if line.startswith(f"| measured, {days} days"))
        _, _, asked, _, crossed, _ = (cell.strip() for cell in row.split("|"))
        came = crossed.removesuffix(")").rpartition("(")[2]
        assert f"of {asked} answers under 5 % for {days} days {came} came true" in FAR


@pytest.fixture
def serving(node: KnownNode, random: np.random.Generator) -> KnownNode:
    """Four GPUs that work .48 to .72 of the time, at 20 to 30 requests a second."""
    requests = daily(SIXTY, 20, 30) * (1 + random.normal(0, 0.02, SIXTY.size))
    node.add(
        "forewarn_inference_requests_total", np.cumsum(requests) * 3600, counter=True, model_name="m", outcome="ok"
    )
    node.gpus([0.024 * requests + random.normal(0, 0.005, SIXTY.size) for _ in range(4)])
    return node


def test_the_load_that_gpus_allow(serving: KnownNode) -> None:
    allowed = resource(serving.plan(Ask(3)), 'forewarn_gpu_utilization_ratio{gpu="0"').allowed
    assert not isinstance(allowed, str)
    assert allowed.load == "requests"
    assert allowed.explained > 0.95
    assert allowed.most == pytest.approx(0.98 / 0.024, rel=0.05)
    assert allowed.peak == pytest.approx(31, rel=0.05)
    assert allowed.headroom == pytest.approx((allowed.most or 0) / allowed.peak - 1)


def test_of_loads_that_explain_alike_all_resources_name_the_same(serving: KnownNode) -> None:
    """The GPU's work follows tokens exactly, and requests nearly so: people think in requests."""
    random = np.random.default_rng(1)
    for gpu, driver in enumerate(("prompt", "generation")):
        tokens = daily(SIXTY, 200, 300) * (1 + random.normal(0, 0.02, SIXTY.size))
        name = f"forewarn_inference_{driver}_tokens_total"
        serving.add(name, np.cumsum(tokens) * 3600, counter=True, model_name="m")
        serving.add("forewarn_gpu_utilization_ratio", tokens / 400, gpu=str(4 + gpu), uuid=f"GPU-{4 + gpu}")
    found = [one.allowed for one in serving.plan(Ask(3)).resources]
    assert len(found) == 6
    assert {one if isinstance(one, str) else one.load for one in found} == {"requests"}


def test_an_hour_in_which_one_server_is_not_seen_has_no_load(node: KnownNode) -> None:
    """What began later is no hole: before, it had no load."""
    for name, size, hole in (("a", 40, 10), ("b", 20, 5)):
        hours = np.arange(size * DAY)
        values = np.where(hours // DAY == size - hole, np.nan, 10.0)
        node.add("forewarn_inference_requests_running", values, model_name=name)
    node.add("load", 5 + daily(SIXTY, 0, 1))
    drivers = Drivers(node.reader, NOW_MS)
    hours = drivers.hours("forewarn_inference_requests_running", ())
    assert np.isnan(hours.reshape(-1, DAY)).all(axis=1).nonzero()[0].tolist() == [28 - 10, 28 - 5]
    assert hours[0] == 10.0
    assert hours[-1] == 20.0


def test_gpus_with_room_need_no_more(serving: KnownNode) -> None:
    need = serving.plan().needs[0]
    assert (need.title, need.model, need.count) == ("GPU utilization", "H100", 4)
    assert need.more == {3: 0, 14: 0, 30: 0}


def test_more_gpus_for_load_that_grows_at_once(serving: KnownNode) -> None:
    """Of 4 GPUs at .76 when it is busiest, 1.8 times as much takes 4 * .76 * 1.8 / .98 = 5.6 GPUs."""
    need = serving.plan(Ask(3, grow=1.8)).needs[0]
    assert need.chances[3] is not None
    assert need.chances[3] > 0.9
    assert need.more[3] == 2


def test_more_gpus_for_load_that_grows_by_the_day(node: KnownNode, random: np.random.Generator) -> None:
    """At 2 % a day from a peak of .85 on, 4 GPUs are full in 7 days, and 30 days take 4 * .85 * 1.81 / .98 = 6.3."""
    load = 0.85 * 1.02 ** ((SIXTY - SIXTY[-1]) / DAY) * daily(SIXTY, 0.5, 1.0)
    node.gpus([load * (1 + random.normal(0, 0.01, SIXTY.size)) for _ in range(4)])
    need = node.plan().needs[0]
    assert need.more[3] == 0
    assert need.more[14] in {1, 2}
    assert need.more[30] in {3, 4, 5}


def test_independent_requests_on_many_servers(node: KnownNode, random: np.random.Generator) -> None:
    """M/G/infinity: as many GPUs are busy as a Poisson number of jobs, so the peak of 3 days is a known quantile."""
    busy = random.poisson(40, (60 * DAY, 12)).mean(axis=1) / 64
    node.gpus([busy + random.normal(0, 0.002, busy.size) for _ in range(8)])
    need = node.plan(Ask(3, grow=1.5)).needs[0]
    assert need.more[3] == 0 or (need.chances[3] or 0) >= 0.05
    peak = float(busy.max())
    at_most = int(np.ceil(8 * peak * 1.5 * 1.1 / 0.98)) - 8
    assert 0 <= (need.more[3] or 0) <= max(at_most, 0)


def test_caches_and_requests_are_pools(serving: KnownNode, random: np.random.Generator) -> None:
    labels = {"model_name": "m", "server": "vllm", "endpoint": "a"}
    running = daily(SIXTY, 10, 60) + random.normal(0, 1, SIXTY.size)
    serving.add("forewarn_inference_requests_running", np.minimum(running, 50.0), **labels)
    serving.add("forewarn_inference_requests_waiting", np.maximum(running - 50.0, 0.0), **labels)
    serving.add("forewarn_inference_kv_cache_usage_ratio", running / 80, **labels)
    needs = {need.title: need for need in serving.plan(Ask(3, grow=2.0)).needs}
    assert set(needs) == {"GPU utilization", "KV cache", "requests"}
    assert needs["requests"].capacity == pytest.approx(50 + 64, rel=0.02)
    assert needs["KV cache"].more[3] == 3  # 2 * 62 / 80 of four GPUs' cache, full at .95: 6.5 GPUs
    assert needs["requests"].more[3] in {1, 2}  # 2 * 62 less the 64 that may wait is 60; each GPU runs 12.5: 4.8 GPUs


def test_memory_that_all_gpus_hold_alike_is_not_shared_out(serving: KnownNode) -> None:
    for gpu in range(4):
        labels = {"gpu": str(gpu), "uuid": f"GPU-H100-{gpu}"}
        serving.add("forewarn_gpu_memory_used_bytes", 60e9 + daily(SIXTY, 0, 10e9), **labels)
        serving.add("forewarn_gpu_memory_total_bytes", np.full(SIXTY.size, 80e9), **labels)
    need = next(one for one in serving.plan(Ask(3)).needs if one.title == "GPU memory")
    assert need.capacity == pytest.approx(4 * (0.95 * 80e9 - 60e9), rel=0.01)


def test_demand_beyond_saturation_is_not_seen_and_that_is_said(node: KnownNode) -> None:
    node.gpus([np.minimum(daily(SIXTY, 0.5, 1.3), 1.0) for _ in range(2)])
    assert "at the limit in" in node.plan().needs[0].notes[0]


def test_one_gpu_that_has_most_of_the_load_is_named(node: KnownNode) -> None:
    node.gpus([daily(SIXTY, 0.7, 0.9), daily(SIXTY, 0.1, 0.2)])
    assert "times the mean" in node.plan().needs[0].notes[0]


def test_what_the_forecast_says_of_three_days_is_taken_over(node: KnownNode) -> None:
    disk(node, SIXTY, full_in_days=10.0)
    targets = find_targets(node.reader, (), NOW_MS)
    chance = Chance.of(np.linspace(0, 0.4, 72), crossed_lately=False)
    told = make_plan(node.reader, targets, NOW_MS, chances={targets[0].key: chance}).resources[0]
    assert told.chance(72) == pytest.approx(0.4, abs=1e-3)
    assert (told.chance(14 * DAY) or 0) > 0.9


def test_progress_comes_to_its_end(serving: KnownNode) -> None:
    seen: list[tuple[int, int]] = []
    targets = find_targets(serving.reader, (), NOW_MS)
    make_plan(serving.reader, targets, NOW_MS, Ask(3), progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
