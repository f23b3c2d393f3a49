"""Refused documents sent again to a real Elasticsearch, once its mapping was mended."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from forewarn.base.clock import SystemClock
from forewarn.cli.app import app
from logship.delivery.bulk import Bulk
from logship.settings import LogsSettings
from logship.spool.keys import KeyRing
from logship.spool.letters import DeadLetters
from logship.spool.settings import SpoolSettings
from tests.support.elasticsearch import Server

pytestmark = [pytest.mark.elasticsearch]


def map_rank(server: Server, dataset: str, kind: str) -> None:
    server.call(
        "PUT",
        f"/_index_template/{dataset}",
        {
            "index_patterns": [f"logs-{dataset}-default"],
            "data_stream": {},
            "priority": 900,
            "template": {"mappings": {"properties": {"labels": {"properties": {"rank": {"type": kind}}}}}},
        },
    )


def test_a_mended_mapping_takes_them(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    stream = f"logs-{dataset}-default"
    map_rank(elasticsearch, dataset, "long")
    ranks = ["1", "first", "second", "2"]
    documents = [
        b'{"create":{"_id":"a-%d"}}\n%s\n'
        % (number, orjson.dumps({"@timestamp": "2026-01-01T00:00:00Z", "labels": {"rank": rank}}))
        for number, rank in enumerate(ranks)
    ]
    answer = Bulk(LogsSettings(url=(elasticsearch.url,), gzip=False)).post(stream, b"".join(documents), 4)
    refused = [(document, item) for document, item in zip(documents, answer.items, strict=True) if item.fate == "dead"]
    assert len(refused) == 2
    data = tmp_path / "data"
    data.mkdir()
    DeadLetters(data, 10**6, KeyRing(SpoolSettings(), data, {}), SystemClock()).write(stream, refused)
    config = tmp_path / "forewarn.toml"
    config.write_text(f'[logs]\nurl = "{elasticsearch.url}"\n')
    again = ["logs", "replay", "--json", "--config", str(config), "--data-dir", str(data)]
    done = CliRunner().invoke(app, again)
    assert (done.exit_code, orjson.loads(done.stdout)["refused"]) == (1, {"document_parsing_exception": 2})
    map_rank(elasticsearch, dataset, "keyword")
    elasticsearch.call("POST", f"/{stream}/_rollover")
    done = CliRunner().invoke(app, again)
    assert (done.exit_code, orjson.loads(done.stdout)["arrived"]) == (0, 2), done.output
    assert elasticsearch.count(stream) == 4
    done = CliRunner().invoke(app, again)
    assert orjson.loads(done.stdout)["arrived"] == 0
