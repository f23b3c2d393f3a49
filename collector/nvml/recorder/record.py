"""One recording: the rounds that the nvml child would make, a sweep over everything else, and the checks.

The file holds JSON lines: a header, one line a call, and at the end ``{"checks": [...]}``. Its name decides whether it
is compressed (``.gz``).
"""

import ctypes
import gzip
import json
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO, Final

import pynvml

from collector.nvml.codes import NvmlError
from collector.nvml.devices import take_inventory
from collector.nvml.health.absence import AbsentError
from collector.nvml.library import Nvml
from collector.nvml.recorder.checks import Check, checks
from collector.nvml.recorder.library import LIBRARY, Line, RecordingLibrary
from collector.nvml.recorder.masks import Masks
from collector.nvml.recorder.sweep import sweep
from collector.nvml.session import Session
from forewarn.base.clock import rfc3339
from forewarn.base.errors import ForewarnError

FORMAT: Final = 1
_NEVER: Final = float("inf")


class RecordError(ForewarnError):
    """There is nothing to record, or nowhere to write it."""


def record(path: Path, *, rounds: int, interval: float, source: str, say: Callable[[str], None]) -> list[Check]:
    """Record this machine's NVML into a file that does not exist yet.

    The process must not have used NVML before, and not use it afterwards: nvidia-ml-py keeps the library.

    Args:
        path: the file.
        rounds: how many of the child's rounds to record.
        interval: seconds between two.
        source: what answers, for the header: a machine, or the tests' fake.
        say: told how it goes on.

    Returns:
        The checks.

    Raises:
        RecordError: NVML does not answer, there is no GPU, or the file cannot be written.
    """
    library = _library()
    with _new_file(path) as file:

        def write(line: Line) -> None:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")

        write(_header(rounds, interval, source, _driver_version(library)))
        pynvml.nvmlLib = RecordingLibrary(library, write, Masks(socket.gethostname()))
        nvml = Nvml()
        try:
            _rounds(nvml, rounds, interval, say)
            found = _rest(nvml, say)
        except AbsentError as absent:
            raise RecordError(f"there is no GPU to record: {absent}", hint="does nvidia-smi see one?") from absent
        except NvmlError as error:
            raise RecordError(f"the driver failed: {error}", hint="does nvidia-smi work?") from error
        write({"checks": [check.as_json() for check in found]})
    return found


def _rounds(nvml: Nvml, rounds: int, interval: float, say: Callable[[str], None]) -> None:
    say(f"{rounds} rounds, {interval:g} s apart")
    session = Session(nvml, lambda _: None, look_again=_NEVER, lists_every=interval).open()
    try:
        for number in range(rounds):
            time.sleep(interval if number else 0)
            session.round()
    finally:
        session.close()


def _rest(nvml: Nvml, say: Callable[[str], None]) -> list[Check]:
    say("everything else that can be asked")
    nvml.call("nvmlInitWithFlags", 0)
    try:
        devices = list(take_inventory(nvml).devices)
        sweep(devices)
        say("checks")
        return checks(nvml, devices)
    finally:
        nvml.call("nvmlShutdown")


def _library() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise RecordError(f"cannot load {LIBRARY}: {error}", hint="install the NVIDIA driver") from error


def _driver_version(library: ctypes.CDLL) -> str:
    """Asked for past the recording: the header comes first."""
    text = ctypes.create_string_buffer(pynvml.NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE)
    if library.nvmlInitWithFlags(0):
        return ""
    library.nvmlSystemGetDriverVersion(text, len(text))
    library.nvmlShutdown()
    return text.value.decode(errors="replace")


def _header(rounds: int, interval: float, source: str, driver_version: str) -> Line:
    return {
        "format": FORMAT,
        "source": source,
        "time": rfc3339(time.time_ns() // 1_000_000),
        "rounds": rounds,
        "interval": interval,
        "driver_version": driver_version,
        "nvidia_ml_py": metadata.version("nvidia-ml-py"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "uid": os.geteuid(),
    }


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    """A file that takes its name once it is whole."""
    if path.exists():
        raise RecordError(f"{path} exists", hint="name another file, or remove it")
    scratch = path.with_name(f".{path.name}.new")
    try:
        with _opened(scratch, compressed=path.suffix == ".gz") as file:
            yield file
        scratch.replace(path)
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}", hint="is there room, and may you write?") from error
    finally:
        scratch.unlink(missing_ok=True)


def _opened(path: Path, *, compressed: bool) -> IO[str]:
    path.touch(mode=0o600)
    return gzip.open(path, "wt", encoding="utf-8") if compressed else path.open("w", encoding="utf-8")
