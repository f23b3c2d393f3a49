"""What every test gets."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from logship.patterns.compiled import keep_in, users_folder
from tests.support import attempts
from tests.support.elasticsearch import dataset, each_elasticsearch, elasticsearch, elasticsearch_servers
from tests.support.opensearch_server import opensearch
from tests.support.turns import Turns

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the child that forecasts; idle threads of BLAS wait by computing
import numpy as np

del os.environ["OPENBLAS_NUM_THREADS"]

keep_in(users_folder())  # shippers that tests start would make machine code each for itself

# Defined once: each folder that did so had a server of its own.
__all__ = ["dataset", "each_elasticsearch", "elasticsearch", "elasticsearch_servers", "opensearch"]

PROGRAMS = {
    "prometheus": ("prometheus", "promtool"),
    "alertmanager": ("prometheus-alertmanager",),
    "victoriametrics": ("victoria-metrics",),
    "browser": ("chromium",),
    "systemd": ("systemd-analyze",),
}
DRAWN: dict[str, Any] = {}
"""By module, how its generator stood before its first test."""
TURNS = pytest.StashKey[Turns]()
# How long an example takes says nothing where other tests run beside it.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's shell reaches a test."""
    for variable in list(os.environ):
        if variable.startswith("FOREWARN_") or variable in {"NOTIFY_SOCKET", "STATE_DIRECTORY", "WATCHDOG_USEC"}:
            monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def _same_numbers(request: pytest.FixtureRequest) -> None:
    """A module's RANDOM draws the same in every test, whichever ran before it in this process."""
    random = getattr(request.module, "RANDOM", None)
    if isinstance(random, np.random.Generator):
        generator = random.bit_generator
        generator.state = DRAWN.setdefault(request.module.__name__, generator.state)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(attempts)


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        session.config.stash[TURNS] = Turns(_shared_folder(session.config))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Where several processes run tests: one that measures runs while no other does."""
    turns = item.config.stash.get(TURNS, None)
    if turns is None:
        return (yield)
    alone = _is_alone(item)
    with turns.turn(alone=alone, stays=alone and nextitem is not None and _is_alone(nextitem)):
        return (yield)


def _shared_folder(config: pytest.Config) -> Path:
    """A folder that the processes which run tests share."""
    return config._tmp_path_factory.getbasetemp().parent


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out_what_cannot_be(items)
    if hasattr(config, "workerinput"):
        from tests.support.together import write_groups

        write_groups(items, _shared_folder(config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Whatever ``--dist`` says, for tests are written to share what their modules and the session hold."""
    from tests.support.together import Together

    return Together(config, log)


def _leave_out_what_cannot_be(items: list[pytest.Item]) -> None:
    """Leave out what needs a server that is not installed; in CI as root that is a failure, not a skip."""
    strict = os.environ.get("CI") == "true" and os.geteuid() == 0
    for item in items:
        for marker, programs in PROGRAMS.items():
            if item.get_closest_marker(marker) is None:
                continue
            missing = [program for program in programs if shutil.which(program) is None]
            if missing and not strict:
                item.add_marker(pytest.mark.skip(reason=f"{', '.join(missing)} not installed"))
