"""Runs a command and, however it ends, ends what it has left running: ``python -m tests.support.leftovers COMMAND``.

Tests start servers, some in sessions of their own. A run that is interrupted, killed or timed out cannot end them
itself. This process adopts them (PR_SET_CHILD_SUBREAPER) and outlives the run; a run that leaves any behind has failed.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

import psutil

PR_SET_CHILD_SUBREAPER = 36
SI_KERNEL = 0x80
"""The origin of a signal that a key raised: the terminal has sent it to the command as well."""
ENDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
HEARD = ENDS | {signal.SIGCHLD}
TO_END_SECONDS = int(os.environ.get("LEFTOVERS_SECONDS", "60"))
"""What is about to end may: a busy machine takes its time."""
TO_DIE_SECONDS = 60


def run(command: Sequence[str]) -> int:
    """The command's exit status, as a shell has it; 1 where that is 0 and processes were left behind."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    # A shell lets what it runs in the background ignore SIGINT, the signal that pytest takes its leave on.
    status = _wait(os.posix_spawnp(command[0], command, os.environ, setsigmask=(), setsigdef=ENDS))
    left = _left(TO_END_SECONDS)
    status = status or int(bool(left))
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            sys.stderr.write(f"left behind: {process.pid} {' '.join(process.cmdline()[:6])}\n")
    for _ in range(TO_DIE_SECONDS):  # what dies may have started another
        if not left:
            break
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        left = _left(1)
    return status


def _wait(pid: int) -> int:
    """Reap whatever ends until the command has; the first request to end is handed on to it, the second ends it."""
    requests = 0
    while True:
        heard = signal.sigwaitinfo(HEARD)
        if heard.si_signo in ENDS:
            requests += 1
            if heard.si_code != SI_KERNEL:
                os.kill(pid, signal.SIGINT if requests == 1 else signal.SIGKILL)
        for ended, status in _reap():
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def _reap() -> list[tuple[int, int]]:
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(found)
    return ended


def _left(seconds: int) -> list[psutil.Process]:
    """What still runs after so many seconds."""
    for _ in range(10 * seconds):
        _reap()
        if not psutil.Process().children(recursive=True):
            return []
        signal.sigtimedwait({signal.SIGCHLD}, 0.1)
    return psutil.Process().children(recursive=True)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
