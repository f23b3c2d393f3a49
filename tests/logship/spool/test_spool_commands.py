"""forewarn logs spool status, rotate-key."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forewarn.base.errors import ConfigError
from forewarn.cli.app import app
from logship.delivery.answers import Item
from logship.spool.keys import KeyRing
from logship.spool.letters import DeadLetters
from logship.spool.losses import FILE_NAME, Loss
from logship.spool.settings import SpoolSettings
from tests.logship.spool.test_spool import content, opened, put
from tests.support.hand_clock import HandClock


def run(directory: Path, *arguments: str, config: str = "") -> str:
    (directory / "forewarn.toml").write_text(config)
    places = ["--config", str(directory / "forewarn.toml"), "--data-dir", str(directory)]
    done = CliRunner().invoke(app, ["logs", "spool", *arguments, *places])
    if done.exception is not None and done.exit_code:
        raise done.exception
    return done.stdout


def test_status_makes_nothing(tmp_path: Path) -> None:
    answer = json.loads(run(tmp_path, "status", "--json"))
    assert answer["spool"] == {"segments": 0, "bytes": 0, "lines": 0, "oldest": None, "keys": []}
    assert answer["key"] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["forewarn.toml"]


def test_status_tells_what_there_is_also_beside_a_shipper(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        put(spool, "a", 0, b"one\ntwo\n")
        spool.sync()
        answer = json.loads(run(tmp_path, "status", "--json"))
    key = KeyRing(SpoolSettings(), tmp_path, {}).current.name
    assert (answer["spool"]["lines"], answer["spool"]["keys"], answer["key"]) == (2, [key], key)
    assert answer["spool"]["oldest"] == "2027-01-15T08:00:00Z"
    assert answer["missing_keys"] == []
    assert key in run(tmp_path, "status")


def test_a_list_of_losses_with_a_torn_line_is_read(tmp_path: Path) -> None:
    loss = Loss("a", "/log", 0, 5, 1, 5, "gone")
    with opened(tmp_path) as spool:
        spool.losses.add([loss])
        with (tmp_path / "spool" / FILE_NAME).open("ab") as file:
            file.write(b'{"time":"2027-01')
        spool.losses.add([replace(loss, start=10, end=15), replace(loss, start=20, end=25)])
        spool.losses.add_unless_known(loss)
    assert [row["start"] for row in json.loads(run(tmp_path, "status", "--json"))["losses"]] == [0, 20]


def test_a_new_key_seals_all_anew(tmp_path: Path) -> None:
    keys = KeyRing(SpoolSettings(), tmp_path, {})
    before = keys.current.name
    DeadLetters(tmp_path, 10**6, keys, HandClock()).write("s", [(b'{"create":{"_id":"1"}}\n{}\n', Item(400, "t", "r"))])
    with opened(tmp_path) as spool:
        put(spool, "a", 0, b"one\n")
        beside = json.loads(run(tmp_path, "rotate-key", "--json"))
        assert not beside["sealed_anew"]
        spool.tend()
    answer = json.loads(run(tmp_path, "rotate-key", "--json"))
    assert answer["sealed_anew"]
    assert answer["key"] not in {before, beside["key"]}
    status = json.loads(run(tmp_path, "status", "--json"))
    assert status["spool"]["keys"] == status["dead"]["keys"] == [answer["key"]]
    assert sorted(path.name for path in tmp_path.glob("spool.key*")) == ["spool.key"]
    with opened(tmp_path) as spool:
        assert content(spool, "a") == b"one\n"
    assert len(list(DeadLetters(tmp_path, 10**6, KeyRing(SpoolSettings(), tmp_path, {}), HandClock()).letters())) == 1


def test_a_key_from_a_file_is_replaced_there(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(range(32)))
    with pytest.raises(ConfigError, match="old_key_files"):
        run(tmp_path, "rotate-key", config=f'[logs.spool]\nkey_file = "{tmp_path}/key"\n')
