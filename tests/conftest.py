"""What every test gets."""

import os
import shutil

import pytest

PROGRAMS = {
    "prometheus": ("prometheus", "promtool"),
    "alertmanager": ("prometheus-alertmanager",),
    "victoriametrics": ("victoria-metrics",),
    "browser": ("chromium",),
    "systemd": ("systemd-analyze",),
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's shell reaches a test."""
    for variable in list(os.environ):
        if variable.startswith("FOREWARN_") or variable in {"NOTIFY_SOCKET", "STATE_DIRECTORY", "WATCHDOG_USEC"}:
            monkeypatch.delenv(variable)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a server that is not installed; in CI as root that is a failure, not a skip."""
    strict = os.environ.get("CI") == "true" and os.geteuid() == 0
    for item in items:
        for marker, programs in PROGRAMS.items():
            if item.get_closest_marker(marker) is None:
                continue
            missing = [program for program in programs if shutil.which(program) is None]
            if missing and not strict:
                item.add_marker(pytest.mark.skip(reason=f"{', '.join(missing)} not installed"))
