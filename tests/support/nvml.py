"""The fake libnvidia-ml.so.1: built with gcc into a cache, told what its GPUs are like through a text file."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SOURCES = Path(__file__).resolve().parents[1] / "fakes" / "nvml"
EVERY = "*"


def build_fake(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """Compile the library unless it is there; returns the folder for LD_LIBRARY_PATH.

    Args:
        folder: where builds are kept; each combination of source and arguments gets a folder of its own.
        without: symbols that the library shall not have, as an older driver.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + repr(sorted(without)).encode())
    target = folder / digest.hexdigest()[:16]
    library = target / "libnvidia-ml.so.1"
    if not library.exists():
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target) as scratch:
            built = Path(scratch) / library.name
            command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
            command += ["-fvisibility=hidden", f"-Wl,-soname,{library.name}"]
            command += [f"-D{symbol}=hidden_{symbol}" for symbol in without]
            subprocess.run([*command, "-o", built, *SOURCES.glob("*.c"), "-lm", "-lpthread"], check=True)
            built.replace(library)
    return target


def shared_fake(factory: "pytest.TempPathFactory", *, without: Sequence[str] = ()) -> Path:
    """``build_fake`` in a folder that all processes of a test run share."""
    return build_fake(factory.getbasetemp().parent / "fake-nvml", without=without)


class FakeNvml:
    """What the library shows; every change is seen by its next call."""

    def __init__(self, state: Path, library: Path) -> None:
        self.state = state
        self.library = library
        self._lines: list[str] = []
        self._serial = 0
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        """What the process that loads the library needs in its environment."""
        return {"LD_LIBRARY_PATH": str(self.library), "FAKE_NVML_STATE": str(self.state)}

    def environ(self) -> Mapping[str, str]:
        """This process's environment with the library in it, and a place to compile pynvml to once for all tests."""
        bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.library.parent / "bytecode")}
        return {**os.environ, **self.environment, **bytecode}

    def set_gpus(self, count: int) -> None:
        """How many GPUs there are, at most 16."""
        self.add(f"gpus {count}")

    def set(self, key: str, value: float, gpu: int | str = EVERY) -> None:
        """Hold a value (keys in values.c), in the driver's own unit; "key.3" is that of the third link or instance."""
        self.add(f"set {key} {gpu} {value!r}", first=True)

    def text(self, key: str, value: str, gpu: int | str = EVERY) -> None:
        """Give a GPU another uuid, name, serial or vbios_version."""
        self.add(f"text {key} {gpu} {value}", first=True)

    def lose(self, gpu: int | str, code: int = 15) -> None:
        """Let a GPU fall off the bus: everything about it fails, its handle included."""
        self.add(f"broken {gpu} {code}")

    def hang(self, call: str, gpu: int | str = EVERY) -> None:
        """Let a call never come back (until ``clear``)."""
        self.add(f"hang {call} {gpu}")

    def slow(self, call: str, milliseconds: float, gpu: int | str = EVERY) -> None:
        """Let a call take longer."""
        self.add(f"slow {call} {gpu} {milliseconds}")

    def fail(self, call: str, code: int, gpu: int | str = EVERY) -> None:
        """Let a call fail with an error number; 3 is "not supported"."""
        self.add(f"fail {call} {gpu} {code}")

    def fail_field(self, number: int, code: int, gpu: int | str = EVERY) -> None:
        """Let one field of nvmlDeviceGetFieldValues fail."""
        self.add(f"field {number} {gpu} {code}")

    def fail_init(self, code: int) -> None:
        """Let the initialisation fail: 9 no driver, 18 driver of another version."""
        self.add(f"init {code}")

    def fail_everything(self, code: int) -> None:
        """Let every call fail, as after the driver was unloaded (9) or replaced (18)."""
        self.add(f"error {code}")

    def mig(self, gpu: int, *slices: tuple[str, int, int]) -> None:
        """Turn MIG mode on, with these slices: profile, id of the GPU instance, id of the compute instance."""
        self.set("mig_mode", 1, gpu)
        for profile, instance, compute in slices:
            self.add(f"mig {profile} {gpu} {instance} {compute}")

    def xid(self, gpu: int, code: int) -> None:
        """Report an XID error, once."""
        self._serial += 1
        self.add(f"xid {gpu} {code} {self._serial}")

    def clear(self) -> None:
        """Forget everything that was said."""
        self._lines = []
        self._write()

    def add(self, line: str, *, first: bool = False) -> None:
        """Add one instruction (see state.h); of two for the same value the first one counts."""
        self._lines.insert(0 if first else len(self._lines), line)
        self._write()

    def _write(self) -> None:
        scratch = self.state.with_suffix(".new")
        scratch.write_text("".join(f"{line}\n" for line in self._lines), encoding="utf-8")
        scratch.replace(self.state)
