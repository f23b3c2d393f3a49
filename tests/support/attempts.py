"""Tests of how long something takes, marked ``timed``: the best of a few attempts counts.

A busy machine makes anything late, and nothing early: what is quick enough once is quick enough, what is too slow is so
every time. Each attempt has fixtures of its own; those of the module and of the session are shared.
"""

from collections.abc import Sequence

import pytest
from _pytest.runner import runtestprotocol

_ATTEMPTS = 4


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "timed: claims, or takes for granted, how long something takes; the best of a few attempts counts"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Try such a test again where nothing but its own claim has failed; every other one runs as ever."""
    if item.get_closest_marker("timed") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(1, _ATTEMPTS + 1):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if attempt == _ATTEMPTS or not _missed(reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _missed(reports: Sequence[pytest.TestReport]) -> bool:
    """Whether the test failed, and not what was made for it."""
    return [report.when for report in reports if report.failed] == ["call"]
