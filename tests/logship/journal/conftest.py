import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.journald import Journald, refusal


@pytest.fixture
def journald() -> Iterator[Journald]:
    """A journald of its own, not yet started."""
    if reason := refusal():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="jd") as folder:  # a socket's path must be short
        one = Journald(Path(folder) / "j", size="8M")
        yield one
        one.stop()
        one.close()
