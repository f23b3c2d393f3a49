"""Which tests share a process where several processes run tests: those that share a fixture, so that it is made once.

xdist's own ``loadgroup`` hands the groups over inside of node ids, which pytest 9.2 no longer lets it change.
"""

import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

_FILE = "groups.json"


def group_of(item: pytest.Item) -> str:
    """The group that the test names, or the module whose fixture it shares; those that run alone follow one another."""
    assert isinstance(item, pytest.Function)
    if (named := item.get_closest_marker("xdist_group")) is not None:
        return str(named.args[0])
    found = [each for defs in item._fixtureinfo.name2fixturedefs.values() for each in defs[-1:]]
    shared = [each for each in found if each.scope != "function" and each.func.__module__.startswith("tests.")]
    shared.sort(key=lambda each: (each.scope != "session", each.func.__module__))
    return shared[0].func.__module__ if shared else "alone" if item.get_closest_marker("alone") else ""


def write_groups(items: Sequence[pytest.Item], folder: Path) -> None:
    """Tell the process that hands tests out, which collects none itself."""
    groups = {item.nodeid: group for item in items if (group := group_of(item))}
    scratch = folder / f"{_FILE}.{os.getpid()}"
    scratch.write_text(json.dumps(groups))
    scratch.replace(folder / _FILE)


class Together(LoadScopeScheduling):
    """Hands tests out by group, the largest first, and those of none one by one."""

    @cached_property
    def _groups(self) -> dict[str, str]:
        groups: dict[str, str] = json.loads((self.config._tmp_path_factory.getbasetemp() / _FILE).read_text())
        return groups

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid, nodeid)
