"""GET /v1/logs of a running daemon."""

from pathlib import Path

import pytest
import urllib3

from forewarn.base.clock import SystemClock, rfc3339
from tests.support.daemon import running
from tests.support.elasticsearch import Server
from tests.support.ports import free_port


def written(path: Path) -> None:
    now_ms = SystemClock().now_ms()
    rows = [
        f"{rfc3339(now_ms - 60_000 + number * 100)} {'ERROR' if number % 10 == 0 else 'INFO'} step {number} of CUDA\n"
        for number in range(200)
    ]
    path.write_text("".join(rows))


def asked(url: str, **fields: str) -> tuple[int, dict[str, object]]:
    answer = urllib3.request("GET", f"{url}/v1/logs", fields=fields, retries=False, timeout=40)
    return answer.status, answer.json()


def test_files_are_searched_while_no_server_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    written(path)
    config = (
        f'[collector]\ninterval = 1\n[logs]\nurl = "http://127.0.0.1:{free_port()}"\n[[logs.file]]\npath = "{path}"\n'
    )
    with running(tmp_path / "data", config=config) as daemon:
        status, found = asked(daemon.url, q="cuda", level="error", limit="3")
        assert status == 200, found
        assert found["place"] == "local"
        assert "refused" in str(found["reason"])
        lines = found["lines"]
        assert isinstance(lines, list)
        assert [line["message"].rpartition(" step ")[2] for line in lines] == [f"{n} of CUDA" for n in (170, 180, 190)]
        assert found["truncated"] is True
        status, found = asked(daemon.url, q="nothing of this")
        assert (status, found["lines"], found["truncated"]) == (200, [], False)
        assert asked(daemon.url, since="yesterday")[0] == 400
        assert asked(daemon.url, level="loud")[0] == 422
        assert asked(daemon.url, host="elsewhere")[0] == 503
        assert asked(daemon.url, limit="1000000")[0] == 422
        assert asked(daemon.url, template=str(10**30))[0] == 422
        assert asked(daemon.url, q="x " * 10_000)[0] == 422
        assert asked(daemon.url, dataset="../_search")[0] == 422
        for fields in (
            {"local": "true"},
            {"source": "local", "dataset": "nope"},
            {"source": "local", "host": "elsewhere"},
            {"source": "local", "template": "1"},
        ):
            status, found = asked(daemon.url, **fields)
            assert status == 422, fields
            assert found["error"]["hint"], fields  # type: ignore[index]
        status, found = asked(daemon.url, since="2026-02-01T00:00:00Z", until="2026-01-01T00:00:00Z")
        assert (status, found["error"]["message"]) == (400, "until lies before since")  # type: ignore[index]
        assert asked(daemon.url, since="2026-02-01T00:00:00Z", until="2026-02-02T00:00:00Z")[0] == 200
        for path in ("templates", "anomalies"):
            assert urllib3.request("GET", f"{daemon.url}/v1/logs/{path}", fields={"x": "1"}).status == 422
            assert urllib3.request("GET", f"{daemon.url}/v1/logs/{path}").status == 200


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    config = "[collector]\ninterval = 1\n[api]\nlog_search = false\n"
    with running(tmp_path / "data", config=config) as daemon:
        assert asked(daemon.url)[0] == 404


@pytest.mark.elasticsearch
@pytest.mark.slow
def test_what_the_daemon_ships_is_found_through_it(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    written(path)
    config = (
        "[collector]\ninterval = 1\n"
        f'[logs]\nurl = "{elasticsearch.url}"\ndataset = "{dataset}"\n[[logs.file]]\npath = "{path}"\n'
    )
    stream = f"logs-{dataset}-default"
    with running(tmp_path / "data", config=config) as daemon:
        daemon.wait_for(lambda: elasticsearch.exists(stream) and elasticsearch.count(stream) == 200, 180)
        status, found = asked(daemon.url, q='"of cuda" step', limit="2")
        assert status == 200, found
        assert found["place"] == "elasticsearch"
        lines = found["lines"]
        assert isinstance(lines, list)
        assert [line["offset"] is not None and line["file"] for line in lines] == [str(path), str(path)]
