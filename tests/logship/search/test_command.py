"""forewarn logs search: what it refuses, and what it says where nothing is found."""

from pathlib import Path

import pytest

from tests.support.daemon import forewarn
from tests.support.ports import free_port


def searched(tmp_path: Path, config: str, *arguments: str) -> tuple[int, str]:
    (tmp_path / "forewarn.toml").write_text(config)
    done = forewarn("logs", "search", *arguments, "--config", str(tmp_path / "forewarn.toml"))
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no logs are configured"),
        (("--local",), "no logs are configured"),
        (("--follow",), "no logs are configured"),
    ],
)
def test_without_logs(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    status, told = searched(tmp_path, "", *arguments)
    assert status == 2
    assert said in told


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--template", "1"), 2, "templates are known to Elasticsearch only"),
        (("--host", "elsewhere"), 2, "the logs of elsewhere"),
        (("--dataset", "nope"), 2, "no log file is of the data set nope"),
        (("--file", "other.log"), 2, "no log file is called other.log"),
        (("--follow",), 2, "--follow"),
        (("--since", "2200-01-01"), 0, "--since lies in the future"),
        (("nothing",), 0, "--since reaches further back"),
    ],
)
def test_of_the_files(arguments: tuple[str, ...], status: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00 INFO x\n")
    config = f'[[logs.file]]\npath = "{tmp_path}/a.log"\n'
    assert searched(tmp_path, config, *arguments, "--local")[0] == status
    found, told = searched(tmp_path, config, *arguments)
    assert found == status
    assert said in told or arguments == ("--follow",)


def test_what_only_the_server_knows_while_it_is_away_is_no_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00 INFO x\n")
    config = f'[logs]\nurl = "http://127.0.0.1:{free_port()}"\n[[logs.file]]\npath = "{tmp_path}/a.log"\n'
    status, told = searched(tmp_path, config, "--template", "1")
    assert status == 1
    assert "nor the files: templates are known to Elasticsearch only" in told
