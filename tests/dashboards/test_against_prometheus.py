"""The dashboards' questions, put to a real Prometheus that scrapes a real node."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from collector.series import SeriesKey
from dashboards.generate import HARDWARE, dashboard
from forecast.scorecard import Figures, Scorecard
from forewarn.base.clock import HOUR, SystemClock
from tests.support.api_node import HOSTNAME, ApiNode, SomeOf, served
from tests.support.prometheus import Prometheus, prometheus

pytestmark = pytest.mark.prometheus

PANELS = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
HARDWARE_PANELS = [panel for panel in dashboard(HARDWARE)["panels"] if panel["type"] != "row"]
VARIABLES = {
    "$__rate_interval": "1m",
    "$job": ".*",
    "$instance": ".*",
    "$hostname": ".*",
    "$gpu": ".*",
    "$target": "forewarn_node_filesystem_avail_bytes",
}
EMPTY_HERE = {
    "Clocks held down",
    "XID errors",
    "Disk writes",
    "Time to first token",
    "Canary",
    "Alerts pending and firing",
    "Notifications per second",
    "Failed deliveries per second",
    "Outbox",
    "Rules that cannot be evaluated",
    "Restarts of child processes per second",
    "Logs not yet shipped",
    "Log lines per second, by outcome",
    "Log lines per second, by template",
    "Log lines per second, by level",
    "Anomalies in the logs",
    "Collectors failing",
    "GPUs",
    "GPUs missing",
}
"""Panels about what the simulated node does not have, or what does not go wrong on it."""
KEPT = {"0", "3", ""}


def _kept(key: SeriesKey) -> bool:
    return key.label("gpu") in KEPT


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    node = ApiNode(tmp_path_factory.mktemp("node"), SomeOf(SystemClock().now_ms(), _kept))
    node.write_history(days=3)
    node.forecast()
    figures = Figures(500, 0.7, 1.0, 1.4, coverage_80=0.79, brier=0.11, brier_rule=0.14, came_true=8, false_warnings=2)
    node.card = Scorecard(0, figures)
    yield node
    node.close()


@pytest.fixture(scope="module")
def scraper(node: ApiNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with served(node) as url, prometheus(tmp_path_factory.mktemp("prometheus"), urlsplit(url).netloc) as server:
        yield server


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_prometheus_answers_every_panel(scraper: Prometheus, panel: dict[str, object]) -> None:
    for target in panel["targets"]:  # type: ignore[attr-defined]
        expression = filled(target["expr"])
        ahead = 3600 if "forewarn_forecast_value" in expression else 0
        answer = scraper.query(expression, time=f"{time.time() + ahead:.3f}")
        assert answer["status"] == "success", answer
        assert not answer.get("warnings")
        assert bool(answer["data"]["result"]) != (panel["title"] in EMPTY_HERE), expression


@pytest.mark.parametrize("panel", HARDWARE_PANELS, ids=[panel["title"] for panel in HARDWARE_PANELS])
def test_prometheus_understands_every_panel_about_hardware(scraper: Prometheus, panel: dict[str, object]) -> None:
    for target in panel["targets"]:  # type: ignore[attr-defined]
        answer = scraper.query(filled(target["expr"]))
        assert answer["status"] == "success", answer
        assert not answer.get("warnings")


def test_the_share_of_warnings_that_came_true(scraper: Prometheus) -> None:
    [panel] = [panel for panel in PANELS if panel["title"] == "Warnings that came true"]
    assert list(scraper.values(filled(panel["targets"][0]["expr"])).values()) == [0.8]


def test_probabilities_are_shown_once_a_target(scraper: Prometheus, node: ApiNode) -> None:
    [panel] = [panel for panel in PANELS if panel["title"] == "Probability of a breach within 72 h"]
    found = scraper.values(filled(panel["targets"][0]["expr"]))
    shown = {dict(labels)["target"]: value for labels, value in found.items()}
    told = [one for one in node.book.latest() if one.decisive and one.chance is not None]
    wanted = {str(one.target): max(o.chance.p72 for o in told if o.target == one.target) for one in told}  # type: ignore[union-attr]
    assert len(shown) == min(10, len(wanted))
    assert shown.items() <= wanted.items()


def test_every_gpu_line_carries_the_labels_of_its_legend(scraper: Prometheus) -> None:
    lines = scraper.values("forewarn_gpu_utilization_ratio")
    assert {dict(labels)["gpu"] for labels in lines} == {"0", "3"}
    assert {dict(labels)["hostname"] for labels in lines} == {HOSTNAME}


@pytest.mark.parametrize("hours", [1, 24, 72])
def test_the_future_stands_where_it_was_expected(scraper: Prometheus, node: ApiNode, hours: int) -> None:
    [panel] = [panel for panel in PANELS if panel["title"] == "GPU memory: recorded and expected"]
    mean = filled(panel["targets"][1]["expr"])
    moment = time.time() + hours * 3600
    found = {dict(labels)["gpu"]: value for labels, value in _at(scraper, mean, moment).items()}
    forecasts = {
        one.target.label("gpu"): one
        for one in node.book.latest()
        if one.target.name == "forewarn_gpu_memory_used_bytes" and one.statistic == "mean"
    }
    assert set(found) == set(forecasts) == {"0", "3"}
    for gpu, forecast in forecasts.items():
        place = round(moment * 1000 - forecast.start_ms) // HOUR
        near = forecast.points["mean"][max(0, place - 1) : place + 2] or forecast.points["mean"][-1:]
        assert found[gpu] in near


def _at(scraper: Prometheus, expression: str, moment: float) -> dict[tuple[tuple[str, str], ...], float]:
    result = scraper.query(expression, time=f"{moment:.3f}")["data"]["result"]
    return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in result}
