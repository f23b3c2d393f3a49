"""What commands say, and what becomes of signals while they start."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from forewarn.datadir import DataDir
from tests.support.daemon import FOREWARN, forewarn


def history(path: Path, series: str, samples: int) -> Path:
    newest = int(time.time()) // 300 * 300
    lines = (f'"{series}",{newest - 300 * back},{back % 7}\n' for back in range(samples))
    path.write_text("series,timestamp,value\n" + "".join(lines))
    return path


@pytest.mark.parametrize("text", ["nonsense", "", "1e400", "1e15", "nan"])
def test_what_is_no_time_is_wrong_usage(tmp_path: Path, text: str) -> None:
    done = forewarn("forecast", "--as-of", text, "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"error: {text!r} is no time", "hint: write it like 2026-01-31T12:00:00Z"]


def test_a_pipe_gets_names_whole_and_messages_without_a_bar(tmp_path: Path) -> None:
    name = f"load{{place='{'x' * 300}'}}"
    config = tmp_path / "forewarn.toml"
    config.write_text('[[target]]\nmatch = "forewarn_imported_value"\nlimit = 9\n')
    where = ("--data-dir", str(tmp_path / "data"), "--config", str(config))
    loaded = forewarn("backfill", str(history(tmp_path / "history.csv", name, 12)), *where)
    assert (loaded.returncode, loaded.stderr) == (0, "")
    shown = forewarn("forecast", *where)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert name in shown.stdout


def test_a_forecast_says_how_probable_a_breach_is_and_when(tmp_path: Path) -> None:
    days = np.arange(10 * 288) / 288
    rows = {"rising": 10 * days, "steady": np.full(days.size, 5.0), "over": np.full(days.size, 200.0)}
    path = tmp_path / "history.csv"
    begin = int(time.time()) // 300 * 300 - days.size * 300
    lines = [f"{name},{begin + 300 * row},{value}" for name, values in rows.items() for row, value in enumerate(values)]
    path.write_text("\n".join(["series,timestamp,value", *lines]) + "\n")
    config = tmp_path / "forewarn.toml"
    config.write_text('[[target]]\nmatch = "forewarn_imported_value"\nlimit = 115\nkind = "fill"\n')
    where = ("--data-dir", str(tmp_path / "data"), "--config", str(config))
    assert forewarn("backfill", str(path), *where).returncode == 0
    shown = forewarn("forecast", *where)
    assert (shown.returncode, shown.stderr) == (0, "")
    told = {line.split('"')[1]: " ".join(line.split()[1:]) for line in shown.stdout.splitlines() if " mean " in line}
    assert re.match(r"mean fill 115 1[23]\d .* over 99 % as likely as not in 1 d 1\d h \(\w{3} \d\d ", told["rising"])
    assert re.match(r"mean fill 115 5 (under 1 % ){3}not within 72 h", told["steady"])
    assert re.search(r"115 200 already over the limit of 115 since ", told["over"])
    rising = forewarn("forecast", "--explain", 'forewarn_imported_value{series=~"rising|over"}', *where)
    assert (rising.returncode, rising.stderr) == (0, "")
    blocks = {block.partition("\n")[0]: block for block in rising.stdout.split("\n\n")}
    assert "already over the limit of 115" in blocks['forewarn_imported_value{series="over"}, hourly mean']
    block = blocks['forewarn_imported_value{series="rising"}, hourly mean']
    facts = {line[2:14].strip(): line[14:] for line in block.splitlines()[1:]}
    assert facts["forecast"] == "fill, from 10 days of history"
    assert re.match(r"▁.*█  under 1 % in 24 h, over 99 % in 48 h, over 99 % in 72 h", facts["reached"])
    assert re.match(r"▁.*█  (99\.\d|100) to (129|130)", facts["trend"])
    assert (facts["so far"], facts["plain rule"]) == ("not scored yet", "it crossed in the last 72 h: no")
    nothing = forewarn("forecast", "--explain", "nothing", *where)
    assert (nothing.returncode, nothing.stderr.splitlines()[0]) == (2, "error: no capacity target is nothing")


def test_a_time_before_all_records_has_no_targets(tmp_path: Path) -> None:
    path = history(tmp_path / "h.csv", "load", 1)
    assert forewarn("backfill", str(path), "--data-dir", str(tmp_path)).returncode == 0
    done = forewarn("forecast", "--data-dir", str(tmp_path), "--as-of", "2020-01-01")
    assert done.stdout == "no capacity targets at 2020-01-01T00:00:00Z: nothing with a limit was being recorded\n"


def test_an_extra_that_a_forecast_misses_is_named_once(tmp_path: Path) -> None:
    config = tmp_path / "forewarn.toml"
    config.write_text("[forecast]\nmodel = 'prophet'\n[[target]]\nmatch = 'forewarn_imported_value'\nlimit = 9\n")
    where = ("--data-dir", str(tmp_path / "data"), "--config", str(config))
    assert forewarn("backfill", str(history(tmp_path / "history.csv", "load", 8 * 288)), *where).returncode == 0
    without = "import sys; sys.modules['prophet'] = None; from forewarn.cli import main; main()"
    command = [sys.executable, "-P", "-c", without, "forecast", *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout.count("prophet_map") == 2
    assert done.stderr.count("pip install 'forewarn[forecast]'") == 1


def test_a_load_that_is_interrupted_says_how_to_go_on(tmp_path: Path) -> None:
    path, data = history(tmp_path / "history.csv", "load", 400_000), tmp_path / "data"
    with subprocess.Popen(
        [FOREWARN, "backfill", str(path), "--data-dir", str(data)], stderr=subprocess.PIPE, text=True
    ) as load:
        wait_until((data / "metrics.db").exists)
        load.send_signal(signal.SIGINT)
        _, said = load.communicate(timeout=120)
    assert load.returncode == 1
    assert said == "error: stopped\nhint: the same command goes on where this one stopped\n"
    assert forewarn("backfill", str(path), "--data-dir", str(data)).returncode == 0


@contextlib.contextmanager
def importing(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon that has heard of signals and is far from serving."""
    command = [str(FOREWARN), "run", "--data-dir", str(data), "--listen", "127.0.0.1:0"]
    env = {**os.environ, "FOREWARN_WORKER__ENABLED": "false"}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as daemon:
        wait_until(lambda: catches(daemon.pid, signal.SIGTERM))
        assert not data.exists()
        yield daemon
        _, said = daemon.communicate(timeout=120)
    assert daemon.returncode == 0
    assert "Traceback" not in said


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_ends_a_daemon_that_is_still_imported(tmp_path: Path, signum: signal.Signals) -> None:
    with importing(tmp_path / "data") as daemon:
        daemon.send_signal(signum)


def test_a_reload_asked_for_too_early_ends_nothing(tmp_path: Path) -> None:
    with importing(tmp_path / "data") as daemon:
        daemon.send_signal(signal.SIGHUP)
        wait_until((tmp_path / "data" / "control.sock").exists)
        daemon.terminate()


def test_a_demo_that_is_ended_early_leaves_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([FOREWARN, "demo", "--listen", "127.0.0.1:0"], env=env, stderr=subprocess.DEVNULL) as demo:
        wait_until(lambda: any(tmp_path.glob("forewarn-demo-*/metrics.db")))
        demo.terminate()
        assert demo.wait(120) == 0
    assert not list(tmp_path.glob("forewarn-demo-*"))


def catches(pid: int, signum: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1]
    return bool(int(mask, 16) >> (signum - 1) & 1)


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_of_two_backfills_the_second_is_told_to_wait(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data"):
        path = tmp_path / "a.csv"
        path.write_text("series,timestamp,value\na,2026-01-01T00:00:00Z,1\n")
        refused = forewarn("backfill", "--data-dir", str(tmp_path / "data"), "--shift-to-now", str(path))
    assert refused.returncode == 1
    assert "another forewarn" in refused.stderr
    assert "wait until it is done" in refused.stderr


def test_a_data_directory_of_ours_is_closed_and_any_other_left_as_it_is(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    for folder in (ours, other):
        folder.mkdir(mode=0o755)
    (other / "somebody's").touch()
    for folder in (ours, other):
        with DataDir(folder):
            pass
    assert ours.stat().st_mode & 0o777 == 0o700
    assert other.stat().st_mode & 0o777 == 0o755


def test_config_check_names_the_file_it_read_and_answers_in_json(tmp_path: Path) -> None:
    path = tmp_path / "forewarn.toml"
    path.write_text("[collector]\nintervall = 1\n")
    answer = forewarn("config", "check", "--config", str(path), "--json")
    assert answer.returncode == 2
    told = orjson.loads(answer.stdout)
    assert told["ok"] is False
    assert "did you mean collector.interval?" in told["error"]
    path.write_text("[collector]\ninterval = 1\n")
    assert orjson.loads(forewarn("config", "check", "--config", str(path), "--json").stdout)["file"] == str(path)


def test_a_demo_on_a_taken_port_writes_nothing_first() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = forewarn("demo", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert refused.returncode == 1
    assert "Address already in use" in refused.stderr
    assert "writing" not in refused.stderr
