"""Data streams that may not be written to, beside others that may."""

import threading
import time
from pathlib import Path

import pytest

from logship.delivery.crew import Crew
from tests.support.bulk_sink import BulkSink
from tests.support.logship import shipping, wait_for

ROUNDS = 12


def put(path: Path, line: str) -> None:
    with path.open("a") as log:
        log.write(line + "\n")


@pytest.mark.parametrize(("connections", "forbidden"), [(4, 3), (1, 5)])
def test_forbidden_streams_do_not_hold_up_the_others(tmp_path: Path, connections: int, forbidden: int) -> None:
    names = ["app", *(f"no{number}" for number in range(forbidden))]
    files = {name: tmp_path / f"{name}.log" for name in names}
    with BulkSink() as sink:
        sink.forbidden = {f"logs-{name}-default" for name in names[1:]}
        entries = [{"path": str(files[name]), "dataset": name} for name in names]
        settings = {"url": sink.url, "file": entries, "connections": connections}
        with shipping(settings, tmp_path / "data") as child:
            for number in range(ROUNDS):
                for path in files.values():
                    put(path, f"line {number}")
                time.sleep(0.2)
            wait_for(lambda: len(sink.documents) == ROUNDS, "all that may be written")
            wait_for(lambda: child.value("forewarn_logs_up") == 0, "its notice of the others")
            sink.forbidden = set()
            wait_for(lambda: len(sink.documents) == len(names) * ROUNDS, "the rest")
            wait_for(lambda: child.value("forewarn_logs_up") == 1, "its notice")
    told = (tmp_path / "data" / "stderr.log").read_text()
    assert sum("does not take logs-" in line for line in told.splitlines()) == 1
    assert "unauthorized" in told
    assert "takes logs-" in told


def test_a_key_that_was_replaced_is_read_where_single_documents_are_forbidden(tmp_path: Path) -> None:
    path, key = tmp_path / "app.log", tmp_path / "key"
    put(path, "first")
    key.write_text("old")
    with BulkSink() as sink:
        sink.forbidden, sink.rightful_key = {"logs-app-default"}, "new"
        settings = {"url": sink.url, "api_key_file": str(key), "file": [{"path": str(path), "dataset": "app"}]}
        with shipping(settings, tmp_path / "data") as child:
            wait_for(lambda: child.value("forewarn_logs_up") == 0, "its notice")
            key.write_text("new")
            wait_for(lambda: len(sink.documents) == 1, "what waited")


def test_who_waits_is_stood_in_for_up_to_a_number() -> None:
    inside, over = threading.Semaphore(0), threading.Event()

    def work() -> None:
        with crew.away():
            inside.release()
            over.wait(200)

    crew = Crew(work, count=2, most=5)
    crew.start()
    assert all(inside.acquire(timeout=60) for _ in range(5))
    assert not inside.acquire(timeout=0.2)
    over.set()
    for thread in crew.threads:
        thread.join(60)
    assert len(crew.threads) == 5
