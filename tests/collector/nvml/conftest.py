from pathlib import Path

import pytest

from tests.support.nvml import FakeNvml, shared_fake


@pytest.fixture
def fake(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> FakeNvml:
    return FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
