"""The picture is an SVG that stands alone, and a browser shows it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from playwright.sync_api import Browser

from forecast.plan.answer import Plan
from forecast.plan.picture import MOST_ROWS, draw
from forecast.settings import TargetSettings
from tests.support.browser import chromium, visit
from tests.support.known_node import KnownNode

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def plan(node: KnownNode) -> Plan:
    hours = np.arange(30 * 24)
    node.gpus([0.5 + 0.4 * np.sin(2 * np.pi * hours / 24) for _ in range(2)])
    node.add("load", 10.0 + hours / 24, place="<a> & 'b'")
    return node.plan(rows=[TargetSettings(match="load", limit=44.0)])


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter(f"{SVG}text")]


def test_it_says_what_the_plan_says(plan: Plan) -> None:
    svg = draw(plan, lambda target: target, "node-1")
    said = texts(svg)
    assert "Capacity plan of node-1" in said
    assert "load{place=\"<a> & 'b'\"}" in said
    assert "history too short" in said
    assert "GPU utilization" in said
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in svg


def test_stretches_follow_one_another_without_gaps(plan: Plan) -> None:
    tree = ET.fromstring(draw(plan, lambda target: target))
    cells = [each.attrib for each in tree.iter(f"{SVG}rect")]
    top = min(float(cell["y"]) for cell in cells if "y" in cell)
    row = [cell for cell in cells if float(cell.get("y", -1)) == top]
    assert len(row) >= 2
    for left, right in pairwise(row):
        assert float(left["x"]) + float(left["width"]) == pytest.approx(float(right["x"]), abs=0.2)


def test_many_resources_are_cut_to_the_first(node: KnownNode) -> None:
    for place in range(MOST_ROWS + 6):
        node.add("load", 10.0 + np.sin(np.arange(25 * 24) / 5), place=str(place))
    plan = node.plan(rows=[TargetSettings(match="load", limit=44.0)])
    said = texts(draw(plan, lambda target: target))
    assert sum(text.startswith("load{") for text in said) == MOST_ROWS
    assert any(f"the {MOST_ROWS} of {MOST_ROWS + 6} resources that are full first" in text for text in said)


def test_nothing_to_show_is_a_picture_too(node: KnownNode) -> None:
    assert "no capacity is recorded" in texts(draw(node.plan(), lambda target: target))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_a_browser_shows_all_of_it_on_white(plan: Plan, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "plan.svg"
    path.write_text(draw(plan, lambda target: target))
    with visit(browser, path.as_uri(), scheme="dark") as opened:
        outside = opened.page.evaluate(
            """() => [...document.querySelectorAll("text")].filter(text => {
                 const box = text.getBBox(), whole = document.documentElement.viewBox.baseVal;
                 return box.x < 0 || box.x + box.width > whole.width || box.y + box.height > whole.height;
               }).map(text => text.textContent)"""
        )
        fill = opened.page.evaluate("""() => document.querySelector("rect").getAttribute("fill")""")
        assert not opened.complaints
    assert outside == []
    assert fill == "#ffffff"
