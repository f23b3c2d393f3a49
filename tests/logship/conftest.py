"""What every test of the log shipper gets."""

from pathlib import Path

import pytest

from tests.support import machine_code

HERE = Path(__file__).parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Machine code is made before the tests, which have a minute for what it takes two to make."""
    if not session.config.option.collectonly and any(HERE in item.path.parents for item in session.items):
        machine_code.make()
