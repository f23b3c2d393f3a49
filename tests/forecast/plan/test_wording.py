"""A plan in the words of the terminal."""

import numpy as np
import pytest

from forecast.plan.asking import Ask
from forecast.plan.wording import asked, reasons, times
from forecast.settings import TargetSettings
from tests.support.known_node import KnownNode, resource

HOURS = np.arange(50 * 24)
LOAD = [TargetSettings(match="load", limit=6.0)]


def test_what_was_asked_is_named_with_its_year_and_zone(node: KnownNode) -> None:
    assert asked(node.plan()) == "as of 2026-09-21 14:00 UTC; a probability of a breach of 5 % is borne"
    said = asked(node.plan(Ask(3, probability=0.01, grow=1.2)))
    assert said.endswith("; a probability of a breach of 1 % is borne; demand is 1.2 times what it would be")


@pytest.mark.parametrize("days", [2.5, 6.0])
def test_hours_for_three_days_and_then_days(node: KnownNode, days: float) -> None:
    node.add("load", 5 - days + (HOURS - HOURS[-1]) / 24)
    rows = [TargetSettings(match="load", limit=5.0, kind="fill")]
    found = resource(node.plan(rows=rows), "load")
    half = found.time(0.5)
    assert half is not None
    assert abs(half - days * 24) <= 24
    assert times(found).split(" / ")[1] == (f"{half} h" if days < 3 else f"{half / 24:.0f} d")


def test_reasons_name_whose_they_are_where_they_are_not_all(node: KnownNode) -> None:
    for place in range(5):
        node.add("load", 4 + np.sin(HOURS[: 30 * 24] / 4), place=str(place))
    assert list(reasons(node.plan(rows=LOAD).resources, str)) == ["30d: needs 45 days of history, has 30"]
    node.add("load", 4 + np.sin(HOURS / 4), place="old")
    (line,) = reasons(node.plan(rows=LOAD).resources, lambda target: target.split('"')[1])
    assert line.endswith(" and 2 more: 30d: needs 45 days of history, has 30")
    assert "old" not in line
