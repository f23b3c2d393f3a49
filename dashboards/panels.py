"""Panels in Grafana's classic JSON, with what the catalogue knows filled in: unit, description, type."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from collector.catalogue import Metric, metric_of_sample

Json = dict[str, Any]
PanelType = Literal["timeseries", "stat", "table", "state-timeline", "bargauge"]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
NODE = 'job=~"$job",instance=~"$instance"'
GPU = f'{NODE},hostname=~"$hostname",gpu=~"$gpu"'
GPU_LEGEND = "{{hostname}} GPU {{gpu}}"

GREEN_RED = {"mode": "absolute", "steps": [{"color": "red", "value": None}, {"color": "green", "value": 1}]}
RED_ABOVE_0 = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}]}

_UNITS = {
    "bytes": "bytes",
    "ratio": "percentunit",
    "seconds": "s",
    "celsius": "celsius",
    "watts": "watt",
    "joules": "joule",
    "hertz": "hertz",
    "": "short",
}
_RATE_UNITS = {"bytes": "Bps", "seconds": "percentunit", "joules": "watt", "": "short"}
_GPU_LABELS = {"gpu", "uuid"}


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the name of its lines."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel; ``options``, ``custom`` and ``defaults`` add to what its type has anyway.

    Attributes:
        custom: ``fieldConfig.defaults.custom`` in Grafana's words.
        defaults: ``fieldConfig.defaults`` in Grafana's words.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    type: PanelType = "timeseries"
    width: int = 12
    height: int = 8
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    overrides: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels."""

    title: str
    panels: tuple[Panel, ...]


def known(sample: str) -> Metric:
    """The catalogue's row of a sample's name.

    Raises:
        KeyError: no metric has such samples.
    """
    metric = metric_of_sample(sample)
    if metric is None:
        raise KeyError(f"{sample} is not in the catalogue")
    return metric


def select(sample: str, *conditions: str) -> str:
    """A selector of a metric's samples on the chosen nodes (and GPUs, where it has them)."""
    base = GPU if set(known(sample).labels) >= _GPU_LABELS else NODE
    return f"{sample}{{{','.join((base, *conditions))}}}"


def rate(sample: str, *conditions: str) -> str:
    """The growth per second of a counter's samples."""
    return f"rate({select(sample, *conditions)}[$__rate_interval])"


def plot(name: str, title: str, *conditions: str, width: int = 12, description: str = "", **more: Any) -> Panel:
    """A panel that draws one metric as the catalogue describes it: gauges as they are, counters per second."""
    metric = known(name)
    counter = metric.type == "counter"
    expression = rate(name, *conditions) if counter else select(name, *conditions)
    units = _RATE_UNITS if counter else _UNITS
    return Panel(
        title,
        description or metric.help,
        (Query(expression, _legend(metric)),),
        units[metric.unit],
        width=width,
        **more,
    )


def panels_json(rows: Sequence[Row]) -> list[Json]:
    """The rows with their panels, placed from left to right and top to bottom, ids counted from 1."""
    return [{"id": number, **body} for number, body in enumerate(_placed(rows), start=1)]


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    top = 0
    for row in rows:
        yield {
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
        }
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            yield _panel(panel) | {"gridPos": {"h": panel.height, "w": panel.width, "x": left, "y": top}}
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(panel: Panel) -> Json:
    style = _STYLES[panel.type]
    custom = {**style.get("custom", {}), **panel.custom}
    defaults = {"unit": panel.unit, **style.get("defaults", {}), **panel.defaults}
    return {
        "type": panel.type,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "targets": [_target(panel, place, query) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": {**defaults, "custom": custom}, "overrides": list(panel.overrides)},
        "options": {**style["options"], **panel.options},
        "transformations": list(panel.transformations),
    }


def _target(panel: Panel, place: int, query: Query) -> Json:
    instant = panel.type in {"stat", "table", "bargauge"}
    return {
        "refId": chr(ord("A") + place),
        "datasource": DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "instant": instant,
        "range": not instant,
        "format": "table" if panel.type == "table" else "time_series",
    }


def _legend(metric: Metric) -> str:
    shown = [label for label in metric.labels if label not in _GPU_LABELS]
    if set(metric.labels) >= _GPU_LABELS:
        return " ".join((GPU_LEGEND, *(f"{{{{{label}}}}}" for label in shown)))
    return " ".join(("{{instance}}", *(f"{{{{{label}}}}}" for label in shown)))


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_STYLES: dict[PanelType, Json] = {
    "timeseries": {
        "custom": {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 8,
            "showPoints": "never",
            "spanNulls": False,
            "axisSoftMin": 0,
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    },
    "stat": {
        "options": {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "textMode": "auto",
            "orientation": "auto",
            "reduceOptions": _LAST,
        },
    },
    "bargauge": {
        "defaults": {"min": 0, "max": 1},
        "options": {"displayMode": "basic", "orientation": "horizontal", "showUnfilled": True, "reduceOptions": _LAST},
    },
    "table": {"options": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}},
    "state-timeline": {
        "custom": {"fillOpacity": 70, "lineWidth": 0},
        "options": {
            "showValue": "never",
            "mergeValues": True,
            "rowHeight": 0.85,
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    },
}
