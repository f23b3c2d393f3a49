"""Documents into VictoriaLogs by Elasticsearch's bulk API."""

from pathlib import Path

import pytest

from logship.elastic.product import connect
from logship.elastic.setup import Setup
from logship.settings import LogsSettings
from tests.support.logship import lines, shipping, wait_for
from tests.support.victorialogs import KINDS


@pytest.mark.parametrize("kind", list(KINDS))
def test_documents_arrive_without_any_set_up(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    path, written = tmp_path / "server.log", lines(500)
    path.write_bytes(b"\n".join(written) + b"\n")
    with KINDS[kind](folder) as (url, messages):
        settings = LogsSettings.model_validate({"url": url, "file": [{"path": str(path)}]})
        product, caller = connect(settings)
        assert product.name == "VictoriaLogs"
        plan = Setup(settings, product, caller).plan(settings.streams)
        caller.close()
        assert plan.requests == ()
        assert "no templates" in plan.notes[0]
        with shipping({"url": url, "file": [{"path": str(path)}]}, tmp_path / "data") as child:
            wait_for(lambda: child.value("forewarn_logs_lines_total", outcome="acknowledged") == 500, "documents", 120)
        assert messages() == [line.decode() for line in written]
