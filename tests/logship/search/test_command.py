"""forewarn logs search: what it refuses, and what it says where nothing is found."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import FOREWARN, forewarn
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


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv")
def test_a_folder_that_may_not_be_searched_is_named_and_the_others_are_searched(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    for path in (tmp_path / "a.log", closed / "b.log"):
        path.write_text("2026-01-01 00:00:00 INFO x\n")
    os.chown(closed, 1234, 1234)
    closed.chmod(0o700)
    config = tmp_path / "forewarn.toml"
    config.write_text(f'[[logs.file]]\npath = "{tmp_path}/a.log"\n[[logs.file]]\npath = "{closed}/b.log"\n')
    less_rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", str(FOREWARN)]
    asked = ["logs", "search", "x", "--local", "--since", "2025-12-31", "--config", str(config)]
    done = subprocess.run([*less_rights, *asked], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert "a.log" in done.stdout
    assert f"cannot search {closed}/b.log: Permission denied" in done.stderr


def test_what_only_the_server_knows_while_it_is_away_is_no_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00 INFO x\n")
    config = f'[logs]\nurl = "http://127.0.0.1:{free_port()}"\n[[logs.file]]\npath = "{tmp_path}/a.log"\n'
    status, told = searched(tmp_path, config, "--template", "1")
    assert status == 1
    assert "nor the files: templates are known to Elasticsearch only" in told
