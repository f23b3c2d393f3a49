"""Rules on how fast a counter grows."""

from pathlib import Path
from typing import Any

from tests.support.alert_rig import Rig

LINES = 'forewarn_logs_template_lines_total{dataset="vllm",template="17"}'
RULE: dict[str, Any] = {
    "name": "ManyAborts",
    "type": "threshold",
    "match": LINES,
    "measure": "rate",
    "op": ">",
    "value": 5,
    "clear": 2,
    "summary": "template {labels.template} comes {value}, more than {limit}",
}


class Counter:
    def __init__(self, folder: Path) -> None:
        self.rig, self.lines = Rig(folder, RULE), 0.0

    async def grow(self, rate: float, seconds: float) -> list[str]:
        """Its states while it grows."""
        states = []
        for _ in range(round(seconds / 10)):
            self.lines += 10 * rate
            self.rig.store.put(LINES, self.lines, self.rig.clock.now_ms() + 10_000)
            await self.rig.at(10)
            states.append("".join(self.rig.states()))
        return states


async def test_a_fast_counter_fires_and_a_slow_one_ends_it(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    assert set(await counter.grow(1, 300)) == {""}
    states = await counter.grow(20, 60)
    assert states[-1] == "firing"
    [alert] = counter.rig.engine.alerts()
    assert dict(alert.annotations)["summary"].startswith("template 17 comes ")
    assert "/s, more than 5 /s" in dict(alert.annotations)["summary"]
    assert "firing" in await counter.grow(3, 60), "not yet cleared"
    assert (await counter.grow(1, 90))[-1] == "resolved"


async def test_a_counter_that_begins_anew_is_no_burst_and_a_young_one_no_rate(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    await counter.grow(4, 120)
    counter.lines = 0
    assert set(await counter.grow(4, 120)) == {""}
    assert set(await counter.grow(100, 10)) <= {"", "firing"}


async def test_two_values_that_are_close_say_nothing(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    assert set(await counter.grow(1_000, 30)) == {""}
    assert set(await counter.grow(1_000, 20)) == {"firing"}
