"""The daemon's account of itself, for the API and for ``forewarn status``."""

from collections.abc import Callable, Iterable
from typing import Any

from collector.series import Sample
from forewarn import __version__
from forewarn.base.clock import rfc3339
from forewarn.foundation import Foundation
from forewarn.rooms import Rooms
from forewarn.supervise import Child

_COLLECTOR = "forewarn_collector_"


class Status:
    """Reports on one daemon: its databases, its rooms of the moment, and where it listens."""

    def __init__(self, base: Foundation, rooms: Callable[[], Rooms], url: str) -> None:
        self._base = base
        self._rooms = rooms
        self._url = url
        self._started = base.clock.monotonic()

    def report(self) -> dict[str, Any]:
        """Version, GPUs, collectors, children, store, receivers; ``healthy`` is false where one of them is not well."""
        base, rooms = self._base, self._rooms()
        last = rooms.collector.last
        collectors = collector_rows(last.samples if last else ())
        children = [child_row(child) for child in rooms.children]
        ended = [row for row in children if row["state"] == "down"]
        failing = [row for row in collectors if not row["success"]]
        gpus = rooms.furniture.nvml.health.report() if rooms.furniture.nvml else None
        ill = [each for each in gpus["conditions"] if each["severity"] != "hint"] if gpus else []
        return {
            "version": __version__,
            "uptime_seconds": round(base.clock.monotonic() - self._started, 1),
            "url": self._url,
            "data_dir": str(base.data.path),
            "healthy": not (ended or failing or ill) and base.writable and base.state_writable and base.config_good,
            "config_good": base.config_good,
            "gpus": gpus,
            "collectors": collectors,
            "children": children,
            "store": base.store_report(),
            "forecasts": forecast_row(rooms),
            "receivers": [receiver.name for receiver in rooms.config.alerts.receiver],
        }


def forecast_row(rooms: Rooms) -> dict[str, Any]:
    """Whether forecasts are made, and the last run."""
    runs = rooms.forecasts
    return {
        "enabled": rooms.config.forecast.enabled,
        "last_run": None if runs.last_run_ms is None else rfc3339(runs.last_run_ms),
        "seconds": runs.last_seconds,
        "targets": len({made.target for made in runs.latest()}),
    }


def collector_rows(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    """Each collector's health, from the samples of a round."""
    rows: dict[str, dict[str, Any]] = {}
    for sample in samples:
        if not sample.key.name.startswith(_COLLECTOR):
            continue
        name = sample.key.label("collector")
        row = rows.setdefault(name, {"name": name, "success": False, "last_success": None, "errors": {}})
        match sample.key.name.removeprefix(_COLLECTOR):
            case "success":
                row["success"] = sample.value == 1.0
            case "last_success_timestamp_seconds":
                row["last_success"] = rfc3339(round(sample.value * 1000))
            case "duration_seconds":
                row["duration_seconds"] = sample.value
            case "errors_total":
                row["errors"][sample.key.label("code")] = int(sample.value)
    return sorted(rows.values(), key=lambda row: str(row["name"]))


def child_row(child: Child) -> dict[str, Any]:
    """A child's state: up, down, paused, or finished where it ended because it had nothing to do."""
    state = "finished" if child.finished else "up" if child.up else "paused" if child.held else "down"
    return {"name": child.spec.name, "state": state, "pid": child.pid, "restarts": child.restarts}
