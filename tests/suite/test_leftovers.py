"""The run's own watch: what a run leaves behind is named, ended, and a failure."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

LEAVES = "import subprocess; print(subprocess.Popen(['sleep', '300'], start_new_session=True).pid, flush=True)"
WAITS = f"import time\ntry:\n    {LEAVES}\n    time.sleep(300)\nexcept KeyboardInterrupt:\n    raise SystemExit(2)\n"


def watched(*command: str) -> "subprocess.Popen[str]":
    line = [sys.executable, "-m", "tests.support.leftovers", *command]
    env = {**os.environ, "LEFTOVERS_SECONDS": "2"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(line, **pipes, text=True, start_new_session=True, env=env)


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 5", 5), ("kill -9 $$", 137)])
def test_the_status_is_that_of_the_command(script: str, status: int) -> None:
    run = watched("sh", "-c", script)
    assert run.communicate(timeout=200) == ("", "")
    assert run.returncode == status


def test_what_is_left_behind_is_named_and_ended_and_a_failure() -> None:
    run = watched(sys.executable, "-c", LEAVES)
    pid, said = run.communicate(timeout=200)
    assert run.returncode == 1
    assert said == f"left behind: {pid.strip()} sleep 300\n"
    assert not psutil.pid_exists(int(pid))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_interrupted_takes_its_leave_and_leaves_nothing(signum: signal.Signals) -> None:
    run = watched(sys.executable, "-c", WAITS)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    run.send_signal(signum)
    run.communicate(timeout=200)
    assert run.returncode == 2
    assert not psutil.pid_exists(pid)


def test_one_that_does_not_heed_is_killed_on_the_second_request() -> None:
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    run = watched(sys.executable, "-c", deaf + WAITS)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    run.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert run.poll() is None
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=200)
    assert run.returncode == 128 + signal.SIGKILL
    assert not psutil.pid_exists(pid)
