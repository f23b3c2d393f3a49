"""The page in a real browser, against a real server with a real node behind it."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import urllib3
from playwright.sync_api import Browser, expect

from collector.series import SeriesKey
from forecast.anomalies.events import Anomaly
from forecast.scorecard import Bin, Figures, Scorecard, TargetFigures
from forewarn.base.clock import DAY, HOUR, SystemClock
from tests.support.api_node import ApiNode, SomeOf, served
from tests.support.browser import Visit, chromium, visit

pytestmark = pytest.mark.browser

CONTRAST = """() => {
  const channel = (value) => (value /= 255, value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = numbers(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("noscript, option")) continue;
    const [text, back] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    if (ratio < 4.5) bad.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def address(node: ApiNode) -> Iterator[str]:
    with served(node) as url:
        yield url


def settled(visited: Visit) -> Visit:
    expect(visited.page.locator("#forecast-chart canvas")).to_be_visible()
    expect(visited.page.locator("#latency-chart canvas")).to_be_visible()
    return visited


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_the_node(browser: Browser, address: str, scheme: str, width: int) -> None:
    with visit(browser, address, scheme=scheme, width=width) as visited:  # type: ignore[arg-type]
        settled(visited)
        page = visited.page
        expect(page.locator("#sentence")).to_have_text(
            re.compile(r"^Filesystem /var/lib/models expected to fall to .* in 2 d .* alerts? firing\.$")
        )
        assert page.locator("#state").get_attribute("data-level") == "warning"
        expect(page.locator("#simulated")).to_be_visible()
        expect(page.locator("#alerts")).to_contain_text("FilesystemWillFill")
        assert page.locator("#gpus tbody tr").count() == 2
        assert page.locator("#core tbody tr").count() == 12
        expect(page.locator("#targets tbody tr").first).to_contain_text("filesystem /var/lib/models")
        expect(page.locator("#health")).to_contain_text("simulation")
        expect(page.locator("#live")).to_have_text(re.compile("newest sample [0-9] s ago"))
        for chart in ("#forecast-chart", "#latency-chart", "#queue-chart"):
            assert visited.painted(chart) > 1000, chart
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing is cut off"
        assert page.evaluate(CONTRAST) == []
        assert visited.complaints == []
        assert visited.failures == []
        assert visited.hosts == {"127.0.0.1"}


def test_every_chart_has_a_sentence_and_a_table(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        label = page.locator("#forecast-chart").get_attribute("aria-label")
        assert label is not None
        assert re.match(
            r"filesystem /var/lib/models: Now .* GiB; .* limit 163 GiB; a chance of > \d\d % to reach it", label
        )
        assert page.locator("#forecast-table tbody tr").count() == 72
        page.get_by_text("The forecast as a table").click()
        expect(page.locator("#forecast-table")).to_be_visible()
        assert page.locator("#latency-table tbody tr").count() > 60
        for chart in page.locator("[role=img]").all():
            assert chart.get_attribute("aria-label")


def test_a_target_is_picked_by_keyboard_and_from_the_table(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        before = visited.painted("#forecast-chart")
        page.locator("#targets button", has_text="GPU 0 utilization").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#forecast-summary")).to_contain_text("limit 98 %")
        assert page.locator("#target option:checked").text_content() == "GPU 0 utilization"
        assert visited.painted("#forecast-chart") != before
        page.wait_for_timeout(2500)  # a refresh later the keyboard is still where it was
        assert page.evaluate("document.activeElement.textContent") == "GPU 0 utilization"
        page.select_option("#target", label="host memory")
        expect(page.locator("#forecast-summary")).to_contain_text("hourly mean expected")
        assert visited.complaints == []


def test_how_probable_a_breach_is_stands_beside_each_target(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        tiles = page.locator("#forecast-chances")
        expect(tiles).to_contain_text(re.compile("Within 24 h< 1 %.*Within 72 h> 99 %"))
        expect(tiles).to_contain_text(re.compile(r"As likely as not by\w{3} \d\d:\d\din 2 d"))
        expect(tiles).to_contain_text("In the last 72 hnot reached")
        row = page.locator("#targets tbody tr").first
        assert row.locator("td").nth(5).text_content() == "> 99 %"
        expect(row).to_contain_text("in 2 d")
        reached = "() => document.querySelector('#forecast-legend .reach').closest('li').checkVisibility()"
        assert page.evaluate(reached)
        page.locator("#targets button", has_text="filesystem /").last.click()
        expect(page.locator("#forecast-summary")).to_contain_text("a chance of < 1 % to reach it")
        assert not page.evaluate(reached), "there is nothing to mark"


def test_prophets_forecast_and_its_parts_are_a_click_away(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        page.select_option("#target", label="GPU 0 utilization")
        expect(page.locator("#forecast-summary")).to_contain_text("limit 98 %")
        before = visited.painted("#forecast-chart")
        page.locator("#prophet-toggle").check()
        page.wait_for_timeout(500)
        assert visited.painted("#forecast-chart") > before
        page.locator("#prophet-details summary").click()
        for part in ("trend", "weekly", "daily"):
            expect(page.locator(f"#prophet-{part} canvas")).to_be_visible()
            assert visited.painted(f"#prophet-{part}") > 300
            assert "in the next three days" in (page.locator(f"#prophet-{part}").get_attribute("aria-label") or "")
        expect(page.locator("#prophet-changepoints")).to_contain_text("hangepoint")
        page.get_by_text("The forecast as a table").click()
        assert page.locator("#forecast-table thead th").last.text_content() == "Prophet"
        assert visited.complaints == []


def test_what_was_unusual_and_how_good_the_forecasts_were(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = SystemClock()
    known = ApiNode(tmp_path_factory.mktemp("known"), SomeOf(clock.now_ms(), lambda key: "node" in key.name))
    now = clock.now_ms()
    power = SeriesKey.of("forewarn_gpu_power_watts", gpu="0")
    known.unusual = [
        Anomaly(power, "flat_line", "watts", now - 9 * HOUR, now - 8 * HOUR, now - 8 * HOUR, 0.9996, "exactly 0 W"),
        Anomaly(power, "level_shift", "watts", now - HOUR, now, None, 0.9999, "<b>500 W</b>, where 100 W is usual"),
        Anomaly(power, "point", "watts", now - 90 * HOUR, now, now - 80 * HOUR, 0.9999, "long ago"),
    ]
    figures = Figures(500, 0.7, 1.0, 1.4, 0.7, 0.5, 0.79, 0.94, judged=200, brier=0.113, brier_rule=0.14, came_true=8)
    figures = replace(figures, false_warnings=2, missed=3, lead_hours=30.6, lead_error_hours=4.0)
    bins = (Bin(0, 150, 0.04, 0.05), Bin(8, 50, 0.84, 0.82))
    known.card = Scorecard(now - 30 * DAY, figures, (TargetFigures("x", "max", figures),), bins)
    try:
        with served(known) as url, visit(browser, url) as visited:
            page = visited.page
            cards = page.locator("#anomalies article")
            expect(cards).to_have_count(2)
            expect(cards.first).to_contain_text("going onGPU 0 powerlevel shift, for 1 h, score 0.9999")
            expect(cards.first).to_contain_text("<b>500 W</b>, where 100 W is usual")
            expect(cards.last).to_contain_text("over")
            tiles = page.locator("#score-tiles")
            for text in ("30 % better", "50 % better", "8 of 10", "0.113plain rule 0.140", "31 hoff by 4 h", "too few"):
                expect(tiles).to_contain_text(text)
            page.get_by_text("Target by target").click()
            expect(page.locator("#score-table tbody tr")).to_contain_text("8 / 2 / 3")
            page.get_by_text("Stated and seen").click()
            expect(page.locator("#reliability-table tbody tr").last).to_contain_text("80 to 90 %84 %82 %50")
            assert page.evaluate(CONTRAST) == []
            assert visited.complaints == []
    finally:
        known.close()


def test_pointing_at_the_chart_reads_an_hour(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        box = page.locator("#forecast-chart .u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2)
        expect(page.locator("#forecast-readout")).to_contain_text("80 %:")
        page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
        expect(page.locator("#forecast-readout")).to_contain_text("recorded")


def test_the_charts_follow_the_colour_scheme(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        page.emulate_media(color_scheme="dark")
        expect(page.locator("#forecast-chart canvas")).to_be_visible()
        page.wait_for_function("() => document.querySelectorAll('#forecast-chart canvas').length === 1")
        assert visited.painted("#forecast-chart") > 1000
        assert visited.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_while_the_page_fills_and_refreshes(browser: Browser, address: str, width: int) -> None:
    with visit(browser, address, width=width) as visited:
        page = settled(visited).page
        page.wait_for_timeout(2500)
        shift = page.evaluate(
            """() => new Promise((answer) => {
                 new PerformanceObserver((list) => answer(list.getEntries().reduce((sum, one) => sum + one.value, 0)))
                   .observe({ type: "layout-shift", buffered: true });
                 setTimeout(() => answer(0), 500);
               })"""
        )
        assert shift < 0.02


def test_a_lost_connection_and_its_return_are_said(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        page = settled(visited).page
        page.context.set_offline(True)
        expect(page.locator("#notice")).to_contain_text("does not answer")
        expect(page.locator("#live")).to_have_text("connection lost")
        expect(page.locator("#gpus")).to_contain_text("GPU 0")
        page.context.set_offline(False)
        expect(page.locator("#notice")).to_be_hidden()


class ShiftedClock(SystemClock):
    """The machine's clock, some time ahead of itself."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


def test_old_numbers_are_called_old(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    clock = ShiftedClock()
    fresh = ApiNode(tmp_path_factory.mktemp("stale"), SomeOf(clock.now_ms(), lambda key: "node" in key.name), clock)
    try:
        with served(fresh) as url, visit(browser, url) as visited:
            page = visited.page
            expect(page.locator("#live")).to_have_text(re.compile("newest sample [0-9] s ago"))
            expect(page.locator("#notice")).to_be_hidden()
            fresh.paused, clock.ahead_ms = True, 40_000
            expect(page.locator("#notice")).to_contain_text("No new sample arrives")
            expect(page.locator("#live")).to_have_text(re.compile("newest sample 4[0-9] s ago"))
            expect(page.locator("#host")).to_contain_text("CPU")
            assert visited.complaints == []
    finally:
        fresh.close()


def test_quantiles_are_those_of_prometheus(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        found = visited.page.evaluate(
            """async () => {
                 const { histogramQuantile } = await import("/static/series.js");
                 const buckets = [[0.1, 10], [0.5, 30], [1, 40], [Infinity, 50]];
                 return [0.1, 0.5, 0.8, 0.95].map((share) => histogramQuantile(share, buckets))
                   .concat(histogramQuantile(0.5, [[1, 0], [Infinity, 0]]), histogramQuantile(0.5, []));
               }"""
        )
        assert found[:4] == pytest.approx([0.05, 0.4, 1.0, 1.0])
        assert found[4:] == [None, None]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (81604378624, "bytes", "76 GiB"),
        (0, "bytes", "0 B"),
        (1536, "bytes", "1.5 KiB"),
        (0.934, "ratio", "93.4 %"),
        (0.00039, "seconds", "390 µs"),
        (0.25, "seconds", "250 ms"),
        (7200, "seconds", "2 h"),
        (1.98e9, "hertz", "1.98 GHz"),
        (None, "watts", "\u2013"),
        (64, "", "64"),
    ],
)
def test_quantities_are_readable(browser: Browser, address: str, value: float | None, unit: str, text: str) -> None:
    with visit(browser, f"{address}/docs") as visited:
        script = "async ([value, unit]) => (await import('/static/format.js')).quantity(value, unit)"
        assert visited.page.evaluate(script, [value, unit]) == text


def test_a_node_that_has_just_started(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    fresh = ApiNode(tmp_path_factory.mktemp("fresh"), SomeOf(SystemClock().now_ms(), lambda key: "gpu" not in key.name))
    try:
        with served(fresh) as url, visit(browser, url) as visited:
            page = visited.page
            expect(page.locator("#sentence")).to_have_text(
                "Watching no GPU and the host; no forecast has been made yet."
            )
            expect(page.locator("#gpus")).to_have_text("NVML shows no GPU on this node.")
            expect(page.locator("#forecast-chart")).to_have_text("The chart appears with the first capacity target.")
            expect(page.locator("#host")).to_contain_text("CPU")
            time.sleep(2)
            assert visited.complaints == []
            assert visited.failures == []
    finally:
        fresh.close()


def test_the_description_of_the_api_is_a_page(browser: Browser, address: str) -> None:
    routes = urllib3.request("GET", f"{address}/openapi.json").json()["paths"]
    assert len(routes) > 10
    with visit(browser, f"{address}/docs") as visited:
        page = visited.page
        expect(page.locator("#routes section")).to_have_count(len(routes))
        expect(page.locator("#routes")).to_contain_text("/v1/query")
        page.get_by_text("The answer's shape").first.click()
        assert '"status"' in (page.locator("#routes pre").first.text_content() or "")
        assert page.evaluate(CONTRAST) == []
        assert visited.complaints == []
        assert visited.hosts == {"127.0.0.1"}
