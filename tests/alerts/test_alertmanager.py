"""A real Alertmanager says the same as we do: keys of the payload, fingerprint, group key."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.fingerprint import fingerprint
from alerts.payload import group_key, webhook_body
from tests.alerts.test_payload import alert
from tests.support.listener import Listener, listening
from tests.support.ports import free_port

pytestmark = pytest.mark.alertmanager

LABELS = {"alertname": "Hot", "gpu": "0", "severity": "warning"}
ODD = {"alertname": "Odd", "path": 'C:\\models "x"\n', "name": "größe"}
CONFIG = """
route: {{receiver: ops, group_by: [alertname, path], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: ops, webhook_configs: [{{url: '{url}'}}]}}]
"""


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[tuple[str, Listener]]:
    port = free_port()
    program = shutil.which("prometheus-alertmanager")
    assert program is not None
    with listening() as listener:
        (tmp_path / "am.yml").write_text(CONFIG.format(url=listener.url))
        command = [
            program,
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                wait_ready(f"http://127.0.0.1:{port}/-/ready")
                yield f"http://127.0.0.1:{port}", listener
            finally:
                process.terminate()
                process.wait(60)


def wait_ready(url: str) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            assert time.monotonic() < end, "Alertmanager did not start"
            time.sleep(0.05)


def push(address: str, *alerts: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{address}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def test_payload_fingerprint_and_group_key(alertmanager: tuple[str, Listener]) -> None:
    address, listener = alertmanager
    starts = datetime.now(UTC).isoformat()
    push(
        address, *({"labels": labels, "annotations": {"summary": "s"}, "startsAt": starts} for labels in (LABELS, ODD))
    )
    theirs = {body["groupLabels"]["alertname"]: body for body in (r.json() for r in listener.wait_for(2))}
    ours = json.loads(webhook_body([alert("0", summary="s")], receiver="ops", group_labels={}, reason="none"))

    assert set(ours) - set(theirs["Hot"]) == {"notification_reason"}
    assert set(theirs["Hot"]) <= set(ours)
    assert list(ours["alerts"][0]) == list(theirs["Hot"]["alerts"][0])
    assert [key for key in ours if key in theirs["Hot"]] == list(theirs["Hot"])
    assert ours["alerts"][0]["endsAt"] == theirs["Hot"]["alerts"][0]["endsAt"]
    assert ours["alerts"][0]["fingerprint"] == theirs["Hot"]["alerts"][0]["fingerprint"] == fingerprint(LABELS)
    assert theirs["Odd"]["alerts"][0]["fingerprint"] == fingerprint(ODD)
    for body in theirs.values():
        assert group_key(body["groupLabels"]) == body["groupKey"]
        assert (body["version"], body["truncatedAlerts"], body["status"]) == ("4", 0, "firing")
