"""Globs find what Python's own find, links that lead back aside, and say of any path whether they would find it."""

import os
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.files.globs import Pattern, Patterns

NAMES = ["a", "b", "ab", "a.log", "b.log", ".a", ".log", "a-1.log", "[a]"]
PARTS = [*NAMES, "*", "?", "*.log", ".*", "a*", "[ab]", "[!a]*", "[[]a]", "**", "a**", "*-[0-9].log", "["]

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)
globs = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4)


@given(st.lists(paths, max_size=8), st.lists(globs, min_size=1, max_size=6))
def test_they_mean_what_pythons_own_mean(tree: list[list[str]], patterns: list[list[str]]) -> None:
    with TemporaryDirectory() as directory:
        top = Path(directory)
        for *above, name in tree:
            folder = top.joinpath(*above)
            if not any(part.is_file() for part in (folder, *folder.parents)) and not (folder / name).is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).touch()
        there = [top, *top.rglob("*")]
        for parts in patterns:
            pattern = Pattern(str(top.joinpath(*parts)))
            names = glob(str(top.joinpath(*parts)), recursive=True)  # noqa: PTH207  what is to be equalled
            own = {Path(name) for name in names if not name.endswith("/")}  # ``a/**`` names ``a/`` too, be it a file
            found = pattern.find(os.listdir)
            assert len(found) == len(set(found))
            assert set(found) == own
            assert {path for path in there if pattern.matches(path)} == own


def test_a_star_stays_in_its_folder(tmp_path: Path) -> None:
    system, vllm, deep = (Pattern(f"{tmp_path}/{text}") for text in ("*.log", "vllm/*.log", "**/*.log"))
    path = tmp_path / "vllm" / "v.log"
    assert [pattern.matches(path) for pattern in (system, vllm, deep)] == [False, True, True]
    assert deep.matches(tmp_path / "v.log")
    assert Patterns([f"{tmp_path}/*.log", f"{tmp_path}/vllm/*.log"]).first(path) == 1
    assert Patterns([f"{tmp_path}/*.log"]).first(path) is None


def test_links_that_lead_back_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "logs" / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name in ("logs/a.log", "logs/sub/b.log", "out/c.log"):
        (tmp_path / name).touch()
    for name, target in (("l1", "."), ("l2", "."), ("up", ".."), ("to", "to"), ("elsewhere", "../out")):
        (tmp_path / "logs" / name).symlink_to(target)
    logs = tmp_path / "logs"
    for text in ("logs/**/*.log", "logs/**/**/*.log"):
        found = Pattern(str(tmp_path / text)).find(os.listdir)
        assert sorted(path.name for path in found) == ["a.log", "b.log", "c.log"]
        assert {logs / "a.log", logs / "sub" / "b.log"} < set(found)
    (tmp_path / "link").symlink_to("logs/sub")
    for text in ("link/**/*.log", "link/*.log", "lin?/*.log"):
        assert Pattern(str(tmp_path / text)).find(os.listdir) == [tmp_path / "link" / "b.log"]


@pytest.mark.parametrize(
    ("patterns", "name", "live", "apart"),
    [
        (["vllm.log", "vllm-1.log"], "vllm-1.log", "vllm.log", True),
        (["*.log", "vllm-1.log"], "vllm-1.log", "vllm.log", True),
        (["vllm.log", "vllm-*.log"], "vllm-1.log", "vllm.log", True),
        (["*.log", "vllm-*.log"], "vllm-1.log", "vllm.log", True),
        (["vllm.log", "vllm.log.1"], "vllm.log.1", "vllm.log", True),
        (["vllm.log"], "vllm-1.log", "vllm.log", False),
        (["*.log*"], "vllm-1.log", "vllm.log", False),
        (["vllm*.log", "*.log"], "vllm-1.log", "vllm.log", False),
        (["vllm.log*"], "vllm.log.1", "vllm.log", False),
        (["vllm.log", "vllm.log.*"], "vllm.log.1", "vllm.log", False),
        (["vllm.log", "*.gz"], "vllm-2026.log.gz", "vllm.log", False),
        (["messages", "messages-*"], "messages-20260101", "messages", False),
    ],
)
def test_whose_generation_a_path_is(patterns: list[str], name: str, live: str, *, apart: bool) -> None:
    named = Patterns(f"/var/log/{each}" for each in patterns)
    assert named.apart(Path("/var/log", name), Path("/var/log", live)) is apart
