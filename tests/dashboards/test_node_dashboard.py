"""The dashboards in the tree: made by the generator, readable by Prometheus, drawn from the catalogue."""

import json
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from promql_parser import VectorSelector

from collector.catalogue import CATALOGUE, metric_of_sample
from dashboards.generate import BOARDS, NODE, TARGET, Board, dashboard, files
from dashboards.panels import known, panels_json, plot, select
from forecast.metrics import HORIZON_STEPS, QUANTILES

VARIABLES = {"$__rate_interval": "5m", "$job": "j", "$instance": "i", "$hostname": "h", "$gpu": "0", "$target": "t"}

MADE = {board.uid: dashboard(board) for board in BOARDS}
PANELS = [panel for made in MADE.values() for panel in made["panels"] if panel["type"] != "row"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]

each_board = pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
each_expression = pytest.mark.parametrize(
    ("title", "expression"), EXPRESSIONS, ids=[f"{number} {title}" for number, (title, _) in enumerate(EXPRESSIONS)]
)


def nodes(expression: str) -> list[Any]:
    """Every node of the syntax tree, the variables filled in as Grafana would."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return found


def selectors(expression: str) -> list[VectorSelector]:
    return [node for node in nodes(expression) if isinstance(node, VectorSelector)]


def conditions(selector: VectorSelector) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}


def test_the_files_in_the_tree_are_what_the_generator_makes() -> None:
    for name, text in files().items():
        assert (TARGET / name).read_text(encoding="utf-8") == text, f"run python -m dashboards.generate: {name} is old"
    in_tree = {str(path.relative_to(TARGET)) for path in TARGET.rglob("*") if path.is_file()}
    assert in_tree == set(files())


@each_expression
def test_every_expression_parses_and_asks_for_known_metrics_on_chosen_nodes(title: str, expression: str) -> None:
    found = selectors(expression)
    assert found, title
    for selector in found:
        metric = metric_of_sample(selector.name)
        assert metric is not None, f"{title}: {selector.name} is not in the catalogue"
        labels = set(conditions(selector))
        assert {"job", "instance"} <= labels
        allowed = {"job", "instance", "hostname", "le", *metric.labels}
        assert labels <= allowed, f"{title}: {labels - allowed} is no label of {metric.name}"


@each_expression
def test_counters_are_drawn_as_rates_and_nothing_else_is(title: str, expression: str) -> None:
    ranges = [node for node in nodes(expression) if isinstance(node, promql_parser.MatrixSelector)]
    in_ranges = sorted(node.vector_selector.name for node in ranges)
    counters = [one.name for one in selectors(expression) if known(one.name).type in {"counter", "histogram"}]
    assert sorted(counters) == in_ranges, title
    assert expression.count("[$__rate_interval]") == len(ranges), "a fixed range is wrong at most zooms"
    functions = {node.func.name for node in nodes(expression) if isinstance(node, promql_parser.Call)}
    assert bool(functions & {"rate", "increase"}) == bool(ranges)


def test_panels_say_what_they_show_and_in_which_unit() -> None:
    for panel in PANELS:
        assert panel["title"]
        assert len(panel["description"]) > 10, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
        if panel["type"] == "timeseries":
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))


@each_board
def test_ids_are_unique_and_no_two_panels_overlap(board: Board) -> None:
    panels = MADE[board.uid]["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & mine, panel["title"]
        cells |= mine


@each_board
def test_it_imports_anywhere(board: Board) -> None:
    made = MADE[board.uid]
    assert (made["id"], made["uid"], made["title"]) == (None, board.uid, board.title)
    by_name = {variable["name"]: variable for variable in made["templating"]["list"]}
    assert list(by_name) == ["datasource", "job", "instance", "hostname", "gpu", "target"]
    assert all(variable["refresh"] == 2 for name, variable in by_name.items() if name != "datasource")
    assert int(made["refresh"].removesuffix("s")) >= 30


@each_board
def test_the_others_are_a_click_away(board: Board) -> None:
    linked = {link["url"].split("?")[0] for link in MADE[board.uid]["links"]}
    assert linked == {f"/d/{uid}" for uid in MADE}


def test_gpu_lines_are_told_apart_by_node_and_number() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            names = [one.name for one in selectors(target["expr"])]
            by_gpu = all({"gpu", "uuid"} <= set(known(name).labels) for name in names)
            if panel["type"] == "timeseries" and by_gpu:
                assert target["legendFormat"].startswith("{{hostname}} GPU {{gpu}}"), panel["title"]


def test_the_future_uses_every_horizon_that_is_exported() -> None:
    expected = [expression for _, expression in EXPRESSIONS if "forewarn_forecast_value" in expression]
    assert expected
    points = set()
    for expression in expected:
        asked = [conditions(one) for one in selectors(expression)]
        assert [each["horizon"] for each in asked] == [f"{hours}h" for hours in HORIZON_STEPS]
        points |= {each["point"] for each in asked}
        for hours in HORIZON_STEPS:
            assert f'horizon="{hours}h"}} offset {hours}h' in expression
    assert points == set(QUANTILES)


def test_the_core_metrics_of_gpus_and_inference_are_shown() -> None:
    shown = {known(one.name).name for _, expression in EXPRESSIONS for one in selectors(expression)}
    missing = {
        number
        for number in {metric.core for metric in CATALOGUE.values() if metric.core}
        if not any(metric.core == number and metric.name in shown for metric in CATALOGUE.values())
    }
    assert missing == set()


def test_a_metric_that_the_catalogue_does_not_have_cannot_be_drawn() -> None:
    with pytest.raises(KeyError, match="forewarn_gpu_mood_ratio is not in the catalogue"):
        plot("forewarn_gpu_mood_ratio", "Mood")
    with pytest.raises(KeyError):
        select("up")
    assert panels_json(()) == []


def test_the_json_survives_a_round_trip() -> None:
    assert json.loads(files()[f"{NODE.uid}.json"]) == MADE[NODE.uid]


@pytest.mark.prometheus
def test_prometheus_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(files()["prometheus.yml"])
    done = subprocess.run(["promtool", "check", "config", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "forewarn" in path.read_text()
