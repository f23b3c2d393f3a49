import csv
import gzip
import json
from pathlib import Path

from typer.testing import CliRunner

from forewarn.base.errors import ForewarnError, UsageError
from forewarn.cli.app import app
from forewarn.cli.logs_templates import CHUNK_BYTES

NAMES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")


def run(*args: str | Path) -> str:
    done = CliRunner().invoke(app, ["logs", *map(str, args)])
    assert done.exit_code == 0, done.output
    return done.stdout


def log(path: Path, count: int, names: tuple[str, ...] = NAMES) -> Path:
    lines = [
        f"2026-01-02 03:04:{i % 60:02d} INFO app.server: loading model {names[i % len(names)]} now"
        for i in range(count)
    ]
    text = "\n".join(lines).encode() + b"\n"
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_templates(tmp_path: Path) -> None:
    first, second = log(tmp_path / "a.log", 50, NAMES[:1]), log(tmp_path / "b.log.gz", 70)
    out = tmp_path / "out.csv"
    shown = run("templates", first, second, "--out", out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["line"]) for row in rows] == list(range(1, 121))
    assert {(row["id"], row["template"]) for row in rows} == {("1", "loading model <*> now")}
    assert "120 lines, 1 templates" in shown


def test_templates_as_json(tmp_path: Path) -> None:
    found = json.loads(run("templates", log(tmp_path / "a.log", 60, NAMES[:2]), "--json"))
    assert found["lines"] == 60
    assert [(one["count"], one["template"]) for one in found["templates"]] == [
        (30, "loading model alpha now"),
        (30, "loading model bravo now"),
    ]


def test_templates_of_a_file_of_several_chunks(tmp_path: Path) -> None:
    count = CHUNK_BYTES // 60
    found = json.loads(run("templates", log(tmp_path / "a.log", count), "--json"))
    assert found["lines"] == sum(one["count"] for one in found["templates"]) == count


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["logs", "templates", str(tmp_path / "none.log")])
    assert "none.log" in str(done.exception)


def test_a_file_that_is_cut_off_or_damaged_is_named(tmp_path: Path) -> None:
    whole = log(tmp_path / "whole.log.gz", 2000).read_bytes()
    torn = whole[: len(whole) // 2]
    for name, data in {"torn.gz": torn, "bad.gz": torn[:300] + bytes(200) + torn[500:], "wrong": whole + b"x"}.items():
        (tmp_path / name).write_bytes(data)
        done = CliRunner().invoke(app, ["logs", "templates", str(tmp_path / name)])
        assert isinstance(done.exception, UsageError), name
        assert f"{name} is cut off or damaged" in done.exception.message


def test_what_is_written_takes_the_place_of_no_log(tmp_path: Path) -> None:
    path = log(tmp_path / "a.log", 30)
    before = path.read_bytes()
    (tmp_path / "link").symlink_to(path)
    for out in (path, tmp_path / "link"):
        done = CliRunner().invoke(app, ["logs", "templates", str(path), "--out", str(out)])
        assert isinstance(done.exception, UsageError)
    assert path.read_bytes() == before


def test_where_it_is_written_is_looked_at_first_and_never_holds_half(tmp_path: Path) -> None:
    path, out = log(tmp_path / "a.log", 30), tmp_path / "out.csv"
    done = CliRunner().invoke(app, ["logs", "templates", str(path), "--out", str(tmp_path / "none" / "out.csv")])
    assert isinstance(done.exception, ForewarnError)
    assert "out.csv" in done.exception.message
    out.write_text("earlier")
    done = CliRunner().invoke(app, ["logs", "templates", str(path), str(tmp_path / "none.log"), "--out", str(out)])
    assert done.exit_code
    assert out.read_text() == "earlier"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.log", "out.csv"]
    run("templates", path, "--out", "/dev/null")
    assert Path("/dev/null").is_char_device()


def test_sequences(tmp_path: Path) -> None:
    train, test, bad = tmp_path / "train", tmp_path / "test", tmp_path / "bad"
    train.write_text("".join(f"r{i},1 2 {'3 ' * (i % 4)}4\n" for i in range(60)))
    test.write_text("a,1 2 3 4\nb,1 9 9 9\n")
    bad.write_text("c,7 7 7\n")
    found = json.loads(run("sequences", "--train", train, "--test", test, "--json"))
    assert found["sequences"] == 2
    assert [one["id"] for one in found["flagged"]] == ["b"]
    assert found["scores"] is None
    scored = json.loads(run("sequences", "--train", train, "--test", test, "--abnormal", bad, "--json"))["scores"]
    assert scored["recall"] == 1
    assert scored["false_positive_rate"] == 0.5
    assert "2 of 3 sequences flagged" in run("sequences", "--train", train, "--test", test, "--abnormal", bad)


def test_a_missing_file_of_sequences_is_named_first(tmp_path: Path) -> None:
    (tmp_path / "few").write_text("1 2\n")
    done = CliRunner().invoke(app, ["logs", "sequences", "--train", str(tmp_path / "few"), "--test", "/nope"])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == "/nope: No such file or directory"
