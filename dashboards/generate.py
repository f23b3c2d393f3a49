"""Writes the dashboard and the provisioning files: ``python -m dashboards.generate``.

The files in ``dashboards/generated`` are what this makes of the catalogue; they are for Grafana, not for hands.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards import hardware, node
from dashboards.panels import DATASOURCE, Row, panels_json

TARGET = Path(__file__).parent / "generated"
NODE_INFO = "forewarn_build_info"


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: its identifier, which is its file's name too, what it is called, and its rows."""

    uid: str
    title: str
    description: str
    rows: Callable[[], tuple[Row, ...]]


NODE = Board(
    "forewarn-node",
    "Forewarn node",
    "What the GPU nodes record, what is expected within three days, and what alerts.",
    node.rows,
)
HARDWARE = Board(
    "forewarn-hardware",
    "Forewarn hardware",
    "What is wrong with GPUs, who uses them, and how their links, the host, its disks and networks do.",
    hardware.rows,
)
BOARDS = (NODE, HARDWARE)


def dashboard(board: Board = NODE) -> dict[str, Any]:
    """A dashboard in Grafana's classic JSON."""
    return {
        "id": None,
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["forewarn", "gpu", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "",
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [
            _link("Last 24 hours", board.uid, "from=now-24h&to=now"),
            _link("Three days back and ahead", board.uid, "from=now-3d&to=now%2B3d"),
            *(_link(other.title, other.uid) for other in BOARDS if other is not board),
        ],
        "templating": {"list": _variables()},
        "panels": panels_json(board.rows()),
    }


def files() -> dict[str, str]:
    """Every generated file's text by its path below ``generated``."""
    return {
        **{f"{board.uid}.json": json.dumps(dashboard(board), indent=2, ensure_ascii=False) + "\n" for board in BOARDS},
        "provisioning/dashboards/forewarn.yaml": DASHBOARD_PROVIDER,
        "provisioning/datasources/forewarn.yaml": DATASOURCE_PROVIDER,
        "prometheus.yml": SCRAPE_CONFIG,
    }


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboard and its provisioning files.")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder to write to")
    target: Path = parser.parse_args().target
    for name, text in files().items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _link(title: str, uid: str, span: str = "") -> dict[str, Any]:
    """A link that keeps the chosen nodes; without a span it keeps the time too."""
    return {
        "type": "link",
        "title": title,
        "url": f"/d/{uid}?{span}" if span else f"/d/{uid}",
        "includeVars": True,
        "keepTime": not span,
        "targetBlank": False,
        "icon": "dashboard",
        "tags": [],
        "tooltip": "",
        "asDropdown": False,
    }


def _variables() -> list[dict[str, Any]]:
    node = 'job=~"$job",instance=~"$instance"'
    return [
        {
            "type": "datasource",
            "name": "datasource",
            "label": "Data source",
            "query": "prometheus",
            "current": {},
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "refresh": 1,
            "regex": "",
        },
        _variable("job", "Job", f"label_values({NODE_INFO}, job)"),
        _variable("instance", "Instance", f'label_values({NODE_INFO}{{job=~"$job"}}, instance)'),
        _variable("hostname", "Host name", f"label_values(forewarn_gpu_up{{{node}}}, hostname)"),
        _variable("gpu", "GPU", f'label_values(forewarn_gpu_up{{{node},hostname=~"$hostname"}}, gpu)'),
        _variable(
            "target",
            "Capacity",
            f"label_values(forewarn_forecast_limit{{{node}}}, target)",
            several=False,
            regex="/^([^{]+)/",
        ),
    ]


def _variable(name: str, label: str, query: str, *, several: bool = True, regex: str = "") -> dict[str, Any]:
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": f"variable-{name}"},
        "regex": regex,
        "current": everything if several else {},
        "includeAll": several,
        "allValue": ".*" if several else None,
        "multi": several,
        "refresh": 2,
        "sort": 3,
        "hide": 0,
    }


DASHBOARD_PROVIDER = """\
# Grafana reads this from /etc/grafana/provisioning/dashboards.
# Put the dashboards' JSON where `path` says. To change the dashboard, save a copy: the file's own is written anew.
apiVersion: 1
providers:
  - name: forewarn
    folder: Forewarn
    type: file
    disableDeletion: false
    allowUiUpdates: false
    updateIntervalSeconds: 30
    options:
      path: /var/lib/grafana/dashboards/forewarn
"""

DATASOURCE_PROVIDER = """\
# Grafana reads this from /etc/grafana/provisioning/datasources.
apiVersion: 1
datasources:
  - name: Prometheus
    type: prometheus
    access: proxy
    url: http://127.0.0.1:9090
    jsonData:
      httpMethod: POST
      timeInterval: 15s
      incrementalQuerying: false # it caches ranges up to now, and the forecast lies ahead
"""

SCRAPE_CONFIG = """\
# A Prometheus that scrapes Forewarn. On the node itself it reaches 127.0.0.1:7470; from elsewhere, give the node
# a second socket ([metrics] listen = "10.0.0.7:7472" in forewarn.toml) and name that.
global:
  scrape_interval: 15s
scrape_configs:
  - job_name: forewarn
    static_configs:
      - targets: ["127.0.0.1:7470"]
"""


if __name__ == "__main__":
    main()
