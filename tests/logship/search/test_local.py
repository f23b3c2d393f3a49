"""The node's own files, searched from their end."""

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from forewarn.base.clock import SystemClock, parse_time, rfc3339
from forewarn.base.errors import UsageError
from forewarn.cli.app import app
from logship.patterns.compiled import AVAILABLE
from logship.search.asked import Asked, Line
from logship.search.backwards import decompressed, from_end
from logship.search.errors import SearchError
from logship.search.local import Local
from logship.settings import LogsSettings
from tests.logship.shaping.test_forms import LINES
from tests.support.engine_chunks import NOW
from tests.support.ports import free_port
from tests.support.times import read

BEGIN = parse_time("2026-03-01T10:00:00Z")


def settings_for(path: Path | str, **more: Any) -> LogsSettings:
    return LogsSettings.model_validate({"file": [{"path": str(path), "timezone": "UTC"}], **more})


def local(path: Path | str, **more: Any) -> Local:
    return Local(settings_for(path, **more), "node-1", SystemClock())


def row(number: int, text: str, level: str = "INFO") -> str:
    return f"{rfc3339(BEGIN + number * 1000)[:19].replace('T', ' ')} {level} {text}\n"


def messages(lines: list[Line]) -> list[str]:
    return [line.message.split(" ", 3)[3] for line in lines]


def test_words_all_occur_whole_and_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(
        row(0, "CUDA out of memory", "ERROR")
        + row(1, "cuda is fine, memory is too, out of")
        + row(2, "CUDA outofmemory")
        + row(3, "barracuda out of memory")
        + row(4, "memory; OUT, cuda_error")
    )
    found = local(path).search(Asked("CUDA out memory"))
    assert [line.offset for line in found] == [
        0,
        len(row(0, "CUDA out of memory", "ERROR")),
        path.stat().st_size - len(row(4, "memory; OUT, cuda_error")),
    ]
    assert len(local(path).search(Asked('"out of memory"'))) == 2
    (line,) = local(path).search(Asked("cuda", level="error"))
    assert line.as_json() | {"more": 0} == {
        "message": "2026-03-01 10:00:00 ERROR CUDA out of memory",
        "level": "error",
        "host": "node-1",
        "dataset": "forewarn",
        "file": str(path),
        "offset": 0,
        "template": None,
        "context": False,
        "time": "2026-03-01T10:00:00Z",
        "more": 0,
    }


def test_the_newest_are_shown_in_the_order_of_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text("".join(row(number, f"hit {number}") for number in range(0, 100, 2)))
    two.write_text("".join(row(number, f"hit {number}") for number in range(1, 100, 2)))
    found = local(tmp_path / "*.log").search(Asked("hit", limit=7))
    assert messages(found) == [f"hit {number}" for number in range(93, 100)]


def test_times_bound_the_search(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(row(number, f"hit {number}") for number in range(10)))
    asked = Asked("hit", since_ms=BEGIN + 3000, until_ms=BEGIN + 6000)
    assert messages(local(path).search(asked)) == ["hit 3", "hit 4", "hit 5"]


def test_generations_are_searched_compressed_ones_too(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for number, name in enumerate(["a.log.3.gz", "a.log.2.gz", "a.log.1", "a.log"]):
        data = "".join(row(number * 10 + each, f"hit {number * 10 + each}") for each in range(10)).encode()
        file = tmp_path / name
        file.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        os.utime(file, (BEGIN / 1000 + number * 10 + 10, BEGIN / 1000 + number * 10 + 10))
    found = local(path).search(Asked("hit", limit=1000))
    assert messages(found) == [f"hit {number}" for number in range(40)]
    assert {line.file for line in found} == {str(path)}
    assert messages(local(path).search(Asked("hit", limit=25))) == [f"hit {number}" for number in range(15, 40)]


def test_lines_without_a_stamp_take_the_time_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(row(0, "failed", "ERROR") + "Traceback\n  File x\nRuntimeError: CUDA\n" + row(9, "go on"))
    (line,) = local(path).search(Asked("RuntimeError"))
    assert line.time_ms == BEGIN


def test_json_lines_name_their_time_and_level(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    text = {"ts": "2026-03-01T10:00:05Z", "level": "error", "message": "CUDA out of memory"}
    path.write_text("plain\n" + json.dumps(text) + "\n" + json.dumps({**text, "level": "info"}) + "\n")
    (line,) = local(path).search(Asked("cuda", level="warning"))
    assert line.level == "error"
    assert line.time_ms == BEGIN + 5000


@pytest.mark.parametrize("fast", [True, False])
def test_times_are_those_of_the_documents(tmp_path: Path, *, fast: bool) -> None:
    """Forms of programs; dates without a year; a zone that is named, and durations that are no times."""
    lines = [
        *(line for line, _ in LINES[:-1]),
        b"app.log 2026-02-02 02:40:08.5 UTC [7] x",
        b"- 1770000009 2026.02.02 R02 x",
        b"260202 024010 148 INFO x",
        b"[02.01 02:40:11] chrome.exe",
        b"[02-Feb-2026 02:40:12 GMT] PHP Warning: x",
        b"2026-02-02 02:40:13 -03 [123] LOG: x",
        b'{"msg":"done","time":250000,"timestamp":"2026-02-02T02:40:14Z"}',
        b"Dec 10 06:55:46 LabSZ sshd[24200]: x",
    ]
    path = tmp_path / "a.log"
    for line in lines:
        path.write_bytes(line + b"\n")
        os.utime(path, (NOW / 1000 + 6 * 3600, NOW / 1000 + 6 * 3600))
        ((shipped, _),) = read([line], [NOW], fast=fast and AVAILABLE, objects=True)
        (found,) = local(path).search(Asked())
        assert rfc3339(found.time_ms) == rfc3339(parse_time(shipped))
        assert local(path).search(Asked(since_ms=found.time_ms + 1)) == []
        assert local(path).search(Asked(since_ms=found.time_ms)) == [found]


def test_what_shipping_masks_is_masked(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    key = "sk-" + "a1B2" * 12
    path.write_text(row(0, f"using key {key} now"))
    (line,) = local(path).search(Asked("using"))
    assert key not in line.message
    assert "***" in line.message
    assert local(path).search(Asked(key)) == []
    (line,) = local(path, redact={"enabled": False}).search(Asked("using"))
    assert key in line.message


def test_context_is_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(
        "".join(row(number, f"{'hit' if number in {3, 5, 9} else 'line'} {number}") for number in range(10))
    )
    found = local(path).search(Asked("hit", context=1))
    assert messages(found) == ["line 2", "hit 3", "line 4", "hit 5", "line 6", "line 8", "hit 9"]
    assert [line.context for line in found] == [True, False, True, False, True, True, False]


def test_a_line_beside_tells_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(row(0, "before") + row(10, "hit") + "  its trace\n" + row(30, "after"))
    found = local(path).search(Asked("hit", context=2))
    assert [line.time_ms - BEGIN for line in found] == [0, 10_000, 10_000, 30_000]


def test_a_data_set_may_be_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(row(0, "hit"))
    files = local(path, dataset="vllm.access")
    assert len(files.search(Asked("hit", dataset="vllm.*"))) == 1
    with pytest.raises(SearchError, match="no log file is of the data set vllm"):
        files.search(Asked("hit", dataset="vllm"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "1h", "--until", "2h"], "--until lies before --since"),
        (["--dataset", "../_search"], "is no data set"),
        (["--dataset", "vllm,nginx"], "is no data set"),
        (["--level", "loud"], "is no level"),
    ],
)
def test_wrong_usage_is_said(tmp_path: Path, options: list[str], said: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[[logs.file]]\npath = "{tmp_path}/a.log"\n')
    answer = CliRunner().invoke(app, ["logs", "search", "x", "--config", str(config), *options])
    assert isinstance(answer.exception, UsageError)
    assert said in answer.exception.message


def test_what_only_the_server_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(row(0, "x"))
    for asked in (Asked(template=3), Asked(host="other"), Asked(file="b.log"), Asked(dataset="other")):
        with pytest.raises(SearchError):
            local(path).search(asked)


def test_blocks_put_together_are_the_file(tmp_path: Path) -> None:
    chance = random.Random(3)
    for number in range(60):
        lines = ["x" * chance.choice([0, 1, 5, 70, 300]) for _ in range(chance.randrange(40))]
        data = "\n".join(lines).encode() + (b"\n" if chance.random() < 0.7 and lines else b"")
        path, packed = tmp_path / f"{number}.log", tmp_path / f"{number}.log.gz"
        path.write_bytes(data)
        packed.write_bytes(gzip.compress(data))
        blocks = list(from_end(path, 64))
        forwards = list(decompressed(packed, 64))
        for found in (blocks[::-1], forwards):
            assert b"".join(block.data for block in found) == data
            assert all(block.start == sum(len(b.data) for b in found[:i]) for i, block in enumerate(found))
            assert all(block.data.endswith(b"\n") for block in found[:-1])


def test_a_damaged_archive_gives_what_it_holds(tmp_path: Path) -> None:
    whole = gzip.compress("".join(row(number, f"hit {number}") for number in range(5000)).encode())
    (tmp_path / "a.log.1.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a.log").write_text(row(5000, "hit 5000"))
    found = local(tmp_path / "a.log").search(Asked("hit", limit=10_000))
    assert 100 < len(found) < 5000


def test_any_search_agrees_with_reading_all_lines(tmp_path: Path) -> None:
    chance = random.Random(11)
    words = ["cuda", "CUDA", "memory", "out", "of", "token", "größe", "a-b", "x_y"]
    levels = ["INFO", "ERROR", "WARNING", "DEBUG"]
    path = tmp_path / "a.log"
    texts = [" ".join(chance.choices(words, k=4)) for _ in range(3000)]
    rows = [row(number, text, chance.choice(levels)) for number, text in enumerate(texts)]
    path.write_text("".join(rows))
    for _ in range(25):
        asked = Asked(
            " ".join(chance.choices([word.lower() for word in words], k=chance.randrange(3))),
            level=chance.choice([None, "warning", "error"]),
            limit=10_000,
        )
        wanted = [
            line.rstrip("\n")
            for line in rows
            if all(expression.search(line) for expression in asked.expressions())
            and (asked.level is None or line[20:].partition(" ")[0].lower() in asked.levels)
        ]
        assert [line.message for line in local(path).search(asked)] == wanted


def test_the_command_says_what_was_asked(tmp_path: Path) -> None:
    path, config = tmp_path / "a.log", tmp_path / "forewarn.toml"
    path.write_text(row(0, "CUDA \x1b[31mout of memory", "ERROR"))
    config.write_text(
        f'[logs]\nurl = "http://127.0.0.1:{free_port()}"\n[[logs.file]]\npath = "{path}"\ntimezone = "UTC"\n'
    )
    told = CliRunner().invoke(app, ["logs", "search", "cuda", "--since", "2026-01-01", "--config", str(config)])
    assert told.exit_code == 0, told.output
    assert "Elasticsearch does not answer" in told.stderr
    assert "this node's files were searched" in told.stderr
    assert "2026-03-01T10:00:00Z error" in told.stdout
    assert "\x1b" not in told.stdout
    as_json = CliRunner().invoke(
        app, ["logs", "search", "cuda", "--since", "2026-01-01", "--local", "--json", "--config", str(config)]
    )
    assert json.loads(as_json.stdout)["level"] == "error"
    wrong = CliRunner().invoke(app, ["logs", "search", "--level", "loud", "--config", str(config)])
    assert wrong.exit_code != 0
