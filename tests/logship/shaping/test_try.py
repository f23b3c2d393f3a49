"""forewarn logs try."""

import gzip
import json
from pathlib import Path

import pytest
from backports import zstd
from typer.testing import CliRunner

from forewarn.base.errors import UsageError
from forewarn.cli.app import app

LINES = (
    b"2026-03-01 10:00:00,000 INFO [api.py:1] password=hunter2\n"
    b"2026-03-01 10:00:01,000 ERROR died\n"
    b"Traceback (most recent call last):\n"
    b'  File "x.py", line 1\n'
    b"ValueError: x\n"
    b'{"ts":1770000000,"level":"warn","msg":"hello","n":1}\n'
)


def run(*arguments: str, given: bytes = b"") -> str:
    result = CliRunner().invoke(app, ["logs", "try", *arguments], input=given)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_table_and_the_documents(tmp_path: Path) -> None:
    path, config = tmp_path / "server.log", tmp_path / "forewarn.toml"
    path.write_bytes(LINES)
    config.write_text(f'[[logs.file]]\npath = "{tmp_path}/*.log"\nservice = "vllm"\ntimezone = "UTC"\n')
    table = run(str(path), "--config", str(config))
    assert "hunter2" not in table
    for part in ("masked by password", "4 lines, error ValueError", "JSON, 4 fields", "2026-03-01T10:00:01.000Z"):
        assert part in table
    first, second, third = json.loads(run(str(path), "--config", str(config), "--dataset", "other", "--json"))
    assert first["message"].endswith("password=*******")
    assert first["service"] == {"name": "vllm"}
    assert first["event"] == {"dataset": "other"}
    assert second["error"]["type"] == "ValueError"
    assert third["json"]["n"] == 1
    assert len(json.loads(run(str(path), "--config", str(config), "--json", "--limit", "1"))) == 1
    assert path.read_bytes() == LINES


@pytest.mark.parametrize("text", [b"", bytes(5000), bytes(10) + b"\n"])
def test_a_file_without_text(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "empty.log"
    path.write_bytes(text)
    assert json.loads(run(str(path), "--json")) == []
    assert run(str(path)) == ""


def test_compressed_ones_and_standard_input_are_read_as_plain_ones(tmp_path: Path) -> None:
    plain = tmp_path / "server.log"
    plain.write_bytes(LINES)
    wanted = json.loads(run(str(plain), "--json"))
    for name, data in {"a.log.gz": gzip.compress(LINES), "a.log.1": zstd.compress(LINES)}.items():
        (tmp_path / name).write_bytes(data)
        found = json.loads(run(str(tmp_path / name), "--json"))
        assert [one["message"] for one in found] == [one["message"] for one in wanted]
    found = json.loads(run("-", "--json", given=LINES))
    assert [one["message"] for one in found] == [one["message"] for one in wanted]


def test_a_data_set_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(LINES)
    for name in ("Bad Name", "", "-x"):
        result = CliRunner().invoke(app, ["logs", "try", str(path), "--dataset", name])
        assert isinstance(result.exception, UsageError), name


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["logs", "try", str(tmp_path / "none.log")])
    assert isinstance(result.exception, UsageError)
    assert "none.log" in result.exception.message
