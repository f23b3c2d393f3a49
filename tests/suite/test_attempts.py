"""One that claims how long something takes is tried a few times; whatever else fails, fails at once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TRIED = """
import pathlib
import pytest

tried = pathlib.Path(__file__).with_name("tried")

@pytest.fixture
def fresh(tmp_path):
    assert not list(tmp_path.iterdir())
    (tmp_path / "used").touch()
    yield
    assert {teardown}

{mark}
def test_quick_the_second_time(fresh):
    with tried.open("a") as out:
        out.write("x")
    assert len(tried.read_text()) >= {good}
"""
TIMED = "@pytest.mark.timed"


@pytest.mark.parametrize(
    ("mark", "good", "teardown", "tries", "outcome"),
    [
        (TIMED, 1, True, 1, "1 passed"),
        (TIMED, 2, True, 2, "1 passed"),
        (TIMED, 9, True, 4, "1 failed"),
        (TIMED, 2, False, 1, "1 failed, 1 error"),
        ("", 2, True, 1, "1 failed"),
    ],
)
def test_the_best_of_a_few_attempts_counts(  # noqa: PLR0917
    tmp_path: Path,
    mark: str,
    good: int,
    teardown: bool,  # noqa: FBT001
    tries: int,
    outcome: str,
) -> None:
    (tmp_path / "test_it.py").write_text(TRIED.format(mark=mark, good=good, teardown=teardown))
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.attempts", "-p", "no:xdist", "--rootdir", tmp_path]
    done = subprocess.run([*command, tmp_path], capture_output=True, text=True, timeout=120, check=False)
    assert re.search(rf"\b{outcome} in ", done.stdout), done.stdout
    assert len((tmp_path / "tried").read_text()) == tries
