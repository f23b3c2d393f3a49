"""What the shipper leaves in the data directory about templates and anomalies, as others read it.

Nothing heavy is imported here: the daemon reads these files too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVENTS = "log-anomalies.jsonl"
"""A document in each line; the newest of an anomaly says how it stands."""
KEPT = 3
"""Earlier files of the same, numbered from 1."""
TEMPLATES = "log-templates.json"
NAMES = frozenset(
    {
        "id",
        "kind",
        "score",
        "dataset",
        "what",
        "template",
        "text",
        "templates",
        "reason",
        "observed",
        "expected",
        "window_seconds",
        "examples",
        "started",
        "seen",
        "ended",
    }
)
"""What is said of an anomaly; what another version wrote may lack some, and is passed over."""


def rows(directory: Path) -> list[dict[str, Any]]:
    """Every anomaly that is still written down as it stands now, the newest first.

    Raises:
        OSError: the files cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in _written(directory):
        found[str(row["id"])] = row
    return sorted(found.values(), key=lambda row: (str(row["started"]), str(row["id"])), reverse=True)


def templates(directory: Path) -> dict[str, Any] | None:
    """What the log templates of this node say: ``time`` and ``templates``; None where there are none yet.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        found: dict[str, Any] = json.loads((directory / TEMPLATES).read_bytes())
    except FileNotFoundError:
        return None
    return found


def _written(directory: Path) -> Iterator[dict[str, Any]]:
    names = [f"{EVENTS}.{number}" for number in range(KEPT, 0, -1)] + [EVENTS]
    for name in names:
        try:
            lines = (directory / name).read_bytes().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            try:
                row = json.loads(line)["anomaly"]
            except (ValueError, KeyError, TypeError):
                continue  # half a line, of which a power cut kept the rest
            if isinstance(row, dict) and row.keys() >= NAMES:
                yield row
