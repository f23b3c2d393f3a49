from pathlib import Path

import pytest

from tests.support.nvml import FakeNvml, build_fake


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp().parent / "fake-nvml"


@pytest.fixture
def fake(builds: Path, tmp_path: Path) -> FakeNvml:
    return FakeNvml(tmp_path / "nvml.state", build_fake(builds))
