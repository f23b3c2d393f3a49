"""kill -9 at the worst moments: an alert arrives at least once, and always as the same one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.listener import NEVER, listening

ROOT = Path(__file__).parents[2]


@contextmanager
def process(path: Path, url: str, *more: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.support.alert_process", str(path), url, *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "evaluated\n"
            yield child
        finally:
            child.send_signal(signal.SIGKILL)


def identity(payload: Any) -> tuple[str, str, str]:
    [alert] = payload["alerts"]
    return payload["groupKey"], alert["fingerprint"], alert["startsAt"]


def test_killed_between_evaluation_and_delivery(tmp_path: Path) -> None:
    with listening() as listener:
        with process(tmp_path / "state.db", listener.url):
            pass
        assert listener.requests == []
        with process(tmp_path / "state.db", listener.url, "deliver"):
            [request] = listener.wait_for(1)
    assert request.json()["notification_reason"] == "first notification"


def test_killed_while_the_receiver_has_not_answered(tmp_path: Path) -> None:
    with listening(200, NEVER) as listener:
        with process(tmp_path / "state.db", listener.url, "deliver"):
            listener.wait_for(1)
        with process(tmp_path / "state.db", listener.url, "deliver"):
            first, second = (request.json() for request in listener.wait_for(2))
    assert identity(first) == identity(second)
