"""The daemon's account of itself, for the API and for ``forewarn status``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from collector.series import Sample
from forewarn import __version__
from forewarn.base.clock import rfc3339
from forewarn.supervise import Child

if TYPE_CHECKING:
    from forewarn.daemon import Daemon

_COLLECTOR = "forewarn_collector_"


class Status:
    """Reports on one daemon."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self._started = daemon.clock.monotonic()

    def report(self) -> dict[str, Any]:
        """Version, collectors, children, store, receivers; ``healthy`` is false where one of them is not well."""
        daemon, rooms = self._daemon, self._daemon.rooms
        last = rooms.collector.last
        collectors = collector_rows(last.samples if last else ())
        children = [child_row(child) for child in rooms.children]
        ended = [row for row in children if row["state"] == "down"]
        failing = [row for row in collectors if not row["success"]]
        return {
            "version": __version__,
            "uptime_seconds": round(daemon.clock.monotonic() - self._started, 1),
            "url": daemon.url,
            "data_dir": str(daemon.base.data.path),
            "healthy": not (ended or failing) and daemon.base.writable and daemon.base.config_good,
            "config_good": daemon.base.config_good,
            "collectors": collectors,
            "children": children,
            "store": daemon.base.store_report(),
            "forecasts": self._forecasts(),
            "receivers": [receiver.name for receiver in rooms.config.alerts.receiver],
        }

    def _forecasts(self) -> dict[str, Any]:
        runs = self._daemon.rooms.forecasts
        return {
            "enabled": self._daemon.config.forecast.enabled,
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
    """A child's state: up, down, or finished where it ended because it had nothing to do."""
    state = "finished" if child.finished else "up" if child.up else "down"
    return {"name": child.spec.name, "state": state, "pid": child.pid, "restarts": child.restarts}
