"""The page's search box for log lines, in a real browser, over real files."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from forewarn.base.clock import SystemClock, rfc3339
from forewarn.config import load_config
from forewarn.logsearch import LogSearch
from tests.support.api_node import ApiNode, served
from tests.support.browser import chromium, visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(node: ApiNode, tmp_path: Path) -> Iterator[str]:
    clock, path = SystemClock(), tmp_path / "server.log"
    now_ms = clock.now_ms()
    rows = [
        f"{rfc3339(now_ms - 60_000 + number * 1000)} {'ERROR' if number % 5 == 0 else 'INFO'} "
        f"[engine.py:{number}] step {number} of CUDA <b>out</b> of memory\n"
        for number in range(40)
    ]
    path.write_text("".join(rows))
    file = tmp_path / "forewarn.toml"
    file.write_text(f'[[logs.file]]\npath = "{path}"\n')
    config = load_config(file)
    before = node.services
    node.services = replace(before, log_search=LogSearch(lambda: config, "node-1", clock))
    with served(node) as url:
        yield url
    node.services = before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_are_found_and_marked(browser: Browser, address: str, scheme: str) -> None:
    with visit(browser, address, scheme=scheme) as visited:  # type: ignore[arg-type]
        box = visited.page.get_by_role("searchbox")
        box.fill('"of cuda" MEMORY')
        visited.page.locator("#logs-form select[name=level]").select_option("error")
        box.press("Enter")
        rows = visited.page.locator("#logs-lines li")
        expect(rows).to_have_count(8)
        expect(visited.page.locator("#logs-summary")).to_have_text(
            re.compile(r"^Found 8 lines in this node.s files \(no Elasticsearch is configured\)\.$")
        )
        expect(rows.first).to_contain_text("step 35 of CUDA <b>out</b> of memory")
        expect(rows.first.locator("mark")).to_have_text(["of CUDA", "memory"])
        box.fill("nothing of this kind")
        visited.page.get_by_role("button", name="Search").click()
        expect(visited.page.locator("#logs-summary")).to_have_text(re.compile("^Nothing was found"))
        expect(rows).to_have_count(0)
        assert visited.complaints == []


def test_without_logs_there_is_no_box(browser: Browser, node: ApiNode) -> None:
    with served(node) as url, visit(browser, url) as visited:
        expect(visited.page.locator("#sentence")).not_to_have_text(re.compile("Asking"))
        expect(visited.page.locator("#logs")).to_be_hidden()
