import importlib.util
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import urllib3

from tests.support.worker_process import WorkerProcess, running_worker
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


def test_the_child_imports_no_torch_before_it_must() -> None:
    code = "import sys, worker.child; print(sorted({'torch', 'transformers', 'numpy', 'uvicorn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_it_names_the_extra_and_ends_in_order(tmp_path: Path) -> None:
    site = Path(importlib.util.find_spec("orjson").origin).parents[1]
    bare = tmp_path / "site"
    bare.mkdir()
    for path in site.iterdir():
        if not path.name.startswith(("torch", "transformers", "safetensors")):
            (bare / path.name).symlink_to(path)
    with running_worker(tmp_path, {}, {"PYTHONPATH": f"{bare}:{ROOT}"}, "-S") as process:
        frame = process.first_frame()
        assert frame["kind"] == "unavailable"
        assert "worker" in frame["reason"]
        assert "forewarn[worker]" in frame["hint"]
        process.ended_after()
        assert process.process.returncode == 0


def test_a_taken_port_is_named_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with running_worker(tmp_path, {"listen": address}) as process:
            frame = process.first_frame()
            process.ended_after()
    assert not (tmp_path / "worker").exists()  # said before the model was made
    assert frame["kind"] == "failed"
    assert address in frame["reason"]
    assert "worker.listen" in frame["hint"]
    assert process.process.returncode == 1
    (line,) = process.log
    assert json.loads(line)["level"].lower() == "error"


def test_wrong_settings_are_named_with_exit_2(tmp_path: Path) -> None:
    with running_worker(tmp_path, {"listen": "0.0.0.0:7471"}) as process:
        frame = process.first_frame()
        process.ended_after()
    assert frame["kind"] == "failed"
    assert "worker.listen" in frame["reason"]
    assert process.process.returncode == 2


NICENESS_AT_EACH_IMPORT = """
import os, sys

def heard(event, arguments):
    if event == "import" and arguments[0] in ("torch", "numpy", "uvicorn"):
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        with open(os.environ["NICENESS"], "a") as out:
            out.write(f"{arguments[0]} {niceness}\\n")

sys.addaudithook(heard)
"""


@needs_torch
def test_it_is_nice_before_it_does_anything_that_takes_long(tmp_path: Path) -> None:
    heard = tmp_path / "niceness"
    (tmp_path / "sitecustomize.py").write_text(NICENESS_AT_EACH_IMPORT)
    environment = {"PYTHONPATH": str(tmp_path), "NICENESS": str(heard)}
    with running_worker(tmp_path, {"nice": WorkerSettings().nice}, environment) as process:
        assert process.first_frame()["kind"] == "ready"
    lines = [line.split() for line in heard.read_text().splitlines()]
    assert {module for module, _ in lines} == {"torch", "numpy", "uvicorn"}
    assert {niceness for _, niceness in lines} == {"19"}


@needs_torch
def test_it_opens_no_gpu(worker: WorkerProcess) -> None:
    pid = worker.process.pid
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    assert [link for link in links if "nvidia" in link] == []
    assert "libcuda.so" not in Path(f"/proc/{pid}/maps").read_text()


@needs_torch
def test_the_random_model_is_said_once_and_kept(worker: WorkerProcess, worker_data_dir: Path) -> None:
    made = [json.loads(line) for line in worker.log if "made a small model" in line]
    said = [json.loads(line) for line in worker.log if "random weights, its text means nothing" in line]
    assert (len(made), len(said)) == (1, 1)
    (directory,) = (worker_data_dir / "worker").iterdir()
    assert {path.name for path in directory.iterdir()} >= {"config.json", "model.safetensors"}
    assert {path.stat().st_mode & 0o077 for path in directory.iterdir()} == {0}


def stuffed(url: str) -> threading.Thread:
    """Work that would take many seconds, begun and under way."""

    def ask() -> None:
        body = {"prompt": ["long"] * 60, "max_tokens": 256, "temperature": 0, "ignore_eos": True}
        try:
            http.request("POST", f"{url}/v1/completions", json=body)
        except urllib3.exceptions.HTTPError:
            return

    http = urllib3.PoolManager(retries=False)
    thread = threading.Thread(target=ask)
    thread.start()
    end = time.monotonic() + 120
    while b'requests_running{model_name="forewarn-random-llama"} 0.0' in http.request("GET", f"{url}/metrics").data:
        assert time.monotonic() < end
    return thread


@pytest.mark.timed
@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize("how", ["end of file", "SIGTERM"])
def test_it_ends_within_two_seconds_in_mid_batch(worker_data_dir: Path, how: str) -> None:
    with running_worker(worker_data_dir) as process:
        client = stuffed(process.first_frame()["url"])
        if how == "SIGTERM":
            process.process.send_signal(signal.SIGTERM)
        else:
            process.process.stdin.close()
        assert process.ended_after() < 2.0
        assert process.process.returncode == 0
        client.join()


@pytest.mark.timed
@needs_torch
@pytest.mark.parametrize("how", ["end of file", "SIGTERM"])
@pytest.mark.parametrize("after", [0.8, 3.0])
def test_it_ends_within_two_seconds_while_it_starts(worker_data_dir: Path, how: str, after: float) -> None:
    with running_worker(worker_data_dir) as process:
        time.sleep(after)
        if how == "SIGTERM":
            process.process.send_signal(signal.SIGTERM)
        else:
            process.process.stdin.close()
        assert process.ended_after() < 2.0
