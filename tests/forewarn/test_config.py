import os
import tomllib
from pathlib import Path

import orjson
import pytest

from forewarn.base.errors import ConfigError
from forewarn.config import Config, fields_of, load_config
from forewarn.redact import redacted, to_toml
from tests.support.daemon import forewarn


def written(folder: Path, text: str) -> Path:
    path = folder / "forewarn.toml"
    path.write_text(text)
    return path


def test_defaults_need_no_file() -> None:
    config = load_config(None)
    assert config.api.listen == "127.0.0.1:7470"
    assert config.collector.interval == 5


def test_flag_then_variable_then_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, '[api]\nlisten = "127.0.0.1:1"\n[collector]\ninterval = "7s"\n')
    assert load_config(path).api.listen == "127.0.0.1:1"
    assert load_config(path).collector.interval == 7
    monkeypatch.setenv("FOREWARN_API__LISTEN", "127.0.0.1:2")
    assert load_config(path).api.listen == "127.0.0.1:2"
    assert load_config(path, {"api": {"listen": "127.0.0.1:3"}}).api.listen == "127.0.0.1:3"
    assert load_config(path).collector.interval == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[collector]\nintervall = 3", "collector.intervall: unknown key; did you mean collector.interval?"),
        ("[colector]", "colector: unknown key; did you mean collector?"),
        ("[collector]\ninterval = 0.5", "collector.interval: Input should be greater than or equal to 1 (got 0.5)"),
        ("[collector]\ninterval = '5 parsecs'", "'5 parsecs' is no duration"),
        ("[[target]]\nmatch = 'a{b}'\nlimit = 1", "target.0.match: 'a{b}' is no series"),
        ("[[target]]\nmatch = 'a'\nlimt = 1", "target.0.limt: unknown key; did you mean target.limit?"),
        ("[api]\nlisten = '0.0.0.0:7470'", "loopback only"),
        ("this is no toml", "forewarn.toml"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_known(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_an_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_API__LISTN", "127.0.0.1:2")
    with pytest.raises(ConfigError, match=r"FOREWARN_API__LISTN; did you mean FOREWARN_API__LISTEN\?"):
        load_config(None)


def test_every_key_has_a_description() -> None:
    assert [key for key, field in fields_of(Config) if not field.description] == []


def test_check_exits_0_or_2(tmp_path: Path) -> None:
    good = forewarn("config", "check", "--config", str(written(tmp_path, "[collector]\ninterval = 2\n")))
    assert (good.returncode, good.stdout) == (0, "")
    bad = forewarn("config", "check", "--config", str(written(tmp_path, "[collector]\nintervall = 2\n")))
    assert bad.returncode == 2
    assert bad.stderr.startswith("error: ")
    assert bad.stderr.count("\n") == 1
    missing = forewarn("config", "check", "--config", str(tmp_path / "none.toml"))
    assert missing.returncode == 2
    assert "none.toml" in missing.stderr


def test_a_file_of_the_folder_is_read_or_said_to_be_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "[collector]\ninterval = 2\n")
    monkeypatch.chdir(tmp_path)
    said = forewarn("config", "check").stderr
    assert ("as root ./forewarn.toml is not read" in said) == (os.geteuid() == 0)
    assert ("forewarn.toml is right" in said) == (os.geteuid() != 0)
    assert "as root" not in forewarn("config", "check", "--config", "forewarn.toml").stderr


def test_show_hides_secrets_and_can_be_read_back(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[[alerts.receiver]]\nname = "a"\nurl = "https://hooks.example/T0/secretpart"\n'
        '[logs]\nurl = "http://127.0.0.1:9200"\n[[logs.file]]\npath = "/var/log/a \\"b\\".log"\n',
    )
    shown = forewarn("config", "show", "--config", str(path))
    assert shown.returncode == 0, shown.stderr
    assert "secretpart" not in shown.stdout
    again = tomllib.loads(shown.stdout)
    assert again["logs"]["file"][0]["path"] == '/var/log/a "b".log'
    as_json = orjson.loads(forewarn("config", "show", "--config", str(path), "--json").stdout)
    assert as_json["collector"]["interval"] == again["collector"]["interval"]


def test_schema_describes_the_file() -> None:
    schema = orjson.loads(forewarn("config", "schema").stdout)
    assert set(schema["properties"]) == set(Config.model_fields)


def test_credentials_in_addresses_are_hidden() -> None:
    given = {"a": ["http://user:pw@host/x?token=abc&n=1", "plain"], "b": {"c": None}}
    assert redacted(given) == {"a": ["http://<redacted>@host/x?token=<redacted>&n=1", "plain"], "b": {"c": None}}
    assert to_toml({"a": None, "t": {"x": True, "l": ["a"]}}) == '# a is not set\n\n[t]\nx = true\nl = ["a"]'


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "forewarn.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"forewarn\.toml: 'utf-8' codec"):
        load_config(file)
