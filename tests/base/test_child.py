"""The end of a child, from outside: a real process at the other end of the pipes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from forewarn.base import frames

PROGRAM = """
import time
from forewarn.base.child import serve

def main(parent):
    parent.send({"kind": "up"})
    parent.stopping.wait(300)
    %s

serve(main)
"""


def child(after: str = "return") -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM % after],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "FOREWARN_PARENT_PID"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(frames.encode({"log_level": "INFO"}))
    process.stdin.flush()
    assert frames.read(process.stdout) == {"kind": "up"}
    return process


@pytest.mark.parametrize("sent", [b"", frames.encode({"a": 1})[:-1], b"\x00\x00\x00\x02no", b"\xff\xff\xff\xff"])
def test_it_ends_with_its_input_whatever_the_last_of_it_was(sent: bytes) -> None:
    with child() as process:
        started = time.monotonic()
        process.communicate(sent, timeout=250)
        assert time.monotonic() - started < 60


def test_sigterm_ends_it() -> None:
    with child() as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_one_that_goes_on_is_ended_after_the_grace() -> None:
    with child("time.sleep(300)") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
