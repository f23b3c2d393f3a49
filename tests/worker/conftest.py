import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import urllib3

from tests.support.worker_process import WorkerProcess, running_worker

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """Imported by the tests that use it, not by the modules: it costs seconds and 400 MB in every process."""
    pytest.importorskip("transformers")
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def load(torch: ModuleType) -> Any:
    """``worker.checkpoint.load``."""
    from worker.checkpoint import load

    return load


@pytest.fixture(scope="session")
def worker_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker-data")


@pytest.fixture(scope="session")
def worker(worker_data_dir: Path) -> Iterator[WorkerProcess]:
    if find_spec("torch") is None or find_spec("transformers") is None:
        pytest.skip("torch and transformers are not installed")
    with running_worker(worker_data_dir, {"max_waiting": 100}) as process:
        process.ready = process.first_frame()
        yield process


@pytest.fixture(scope="session")
def url(worker: WorkerProcess) -> str:
    return worker.ready["url"]


@pytest.fixture(scope="session")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=80, retries=False, timeout=200) as pool:
        yield pool
