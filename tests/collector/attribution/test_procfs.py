"""Looking processes up: in a folder that looks like /proc, and in the real one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.attribution.cgroups import Home
from collector.attribution.procfs import Missing, Process, ProcFs
from tests.support.gpu_processes import FakeProc

HIDDEN = """
import ctypes, os, subprocess
from collector.attribution.procfs import ProcFs
other = subprocess.Popen(["sleep", "60"])
ended = subprocess.Popen(["true"])
ended.wait()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x20000) == 0  # CLONE_NEWNS
assert libc.mount(None, b"/", None, 0x44000, None) == 0  # MS_REC | MS_PRIVATE
assert libc.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=2") == 0, os.strerror(ctypes.get_errno())
proc = ProcFs()
seen = [type(proc.look(other.pid)).__name__]
pid = os.fork()
if pid == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    print(*seen, proc.look(other.pid), proc.look(ended.pid), type(proc.look(os.getpid())).__name__, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
other.kill()
other.wait()
"""


def test_a_process(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(4711, "VLLM::Engine (0)", uid=1001, cgroup="0::/system.slice/vllm.service", started=90.5)
    found = ProcFs(tmp_path).look(4711)
    assert found == Process(90.5, 1001, "VLLM::Engine (0)", Home("vllm.service"))
    assert ProcFs(tmp_path).boot_time() == FakeProc.BOOT


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(7, "python")
    stat = tmp_path / "7/stat"
    stat.write_bytes(stat.read_bytes().replace(b"python", b"\x1b[31m\xff)\n("))
    found = ProcFs(tmp_path).look(7)
    assert isinstance(found, Process)
    assert found.command == "?[31m�)?("


def test_a_process_that_proc_does_not_show_is_hidden_or_gone(tmp_path: Path) -> None:
    FakeProc(tmp_path)
    assert ProcFs(tmp_path, lambda _: True).look(4711) is Missing.HIDDEN
    assert ProcFs(tmp_path, lambda _: False).look(4711) is Missing.GONE


def test_this_process() -> None:
    found = ProcFs().look(os.getpid())
    assert isinstance(found, Process)
    assert found.uid == os.geteuid()
    assert found.command == Path("/proc/self/comm").read_text().rstrip("\n")
    boot_time = ProcFs().boot_time()
    assert boot_time is not None
    assert 0 <= time.time() - (boot_time + found.started) < 7200


def test_a_process_that_ends_while_it_is_read_is_gone(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    for pid, name in ((7, "stat"), (8, "status")):
        proc.add(pid, "python")
        (tmp_path / f"{pid}/{name}").write_text("")
        assert ProcFs(tmp_path, lambda _: False).look(pid) is Missing.GONE


def test_a_machine_that_does_not_tell_when_it_started(tmp_path: Path) -> None:
    FakeProc(tmp_path)
    (tmp_path / "stat").write_text("cpu  1 2 3\n")
    assert ProcFs(tmp_path).boot_time() is None
    assert ProcFs(tmp_path / "none").boot_time() is None


def test_arguments_are_never_told() -> None:
    with subprocess.Popen(["sleep", "60.125"]) as other:
        deadline = time.monotonic() + 60
        while getattr(found := ProcFs().look(other.pid), "command", "") != "sleep" and time.monotonic() < deadline:
            time.sleep(0.01)
        other.kill()
    assert "60.125" not in repr(found)
    assert isinstance(found, Process)
    assert found.command == "sleep"


def test_a_process_that_ended_is_gone() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert ProcFs().look(ended.pid) is Missing.GONE


def test_the_namespace_of_process_numbers(tmp_path: Path) -> None:
    FakeProc(tmp_path / "machine")
    FakeProc(tmp_path / "container", namespace="pid:[4026532999]")
    assert not ProcFs(tmp_path / "machine").in_own_namespace()
    assert ProcFs(tmp_path / "container").in_own_namespace()
    (tmp_path / "old").mkdir()
    assert not ProcFs(tmp_path / "old").in_own_namespace()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_real_proc_that_hides_others_is_not_taken_for_a_machine_of_dead_processes() -> None:
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run([sys.executable, "-c", HIDDEN], capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout.split() == ["Process", "Missing.HIDDEN", "Missing.GONE", "Process"], done.stderr
