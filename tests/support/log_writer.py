"""A program that writes a log at a rate and rotates it: ``python -m tests.support.log_writer '{"path": ...}'``.

Every line ends with its number; where each line stands in its file is kept beside, eight bytes a line.
"""

import contextlib
import json
import os
import shutil
import sys
import time
from array import array
from pathlib import Path
from typing import IO, Any

_TICK_SECONDS = 0.01
_TEXTS = (
    'POST /v1/completions HTTP/1.1" 200 in {n} ms',
    "Finished request cmpl-{n:08x}: {n} tokens, prompt throughput: {n}.5 tokens/s",
    'GPU KV cache usage: {n}%, path "C:\\models\\{n}"\tand a tab',
    "Größe der Warteschlange: {n}, 队列长度 {n}",
)
REPEATED = b"2026-03-01 00:00:00,000 INFO [engine.py:7] nothing new\n"


def line(number: int) -> bytes:
    """One of the lines."""
    text = _TEXTS[number % len(_TEXTS)].format(n=number * 7919 % 10_000)
    moment = f"2026-03-01 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d},{number % 1000:03d}"
    return f"{moment} INFO [engine.py:7] {text} seq={number:08d}\n".encode()


def is_open(process: int, path: Path) -> bool:
    """Whether a process has a file open."""
    status = path.stat()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            if os.path.samestat(descriptor.stat(), status):
                return True
    return False


class Writer:
    """Writes and rotates as it was told.

    Args:
        path: the log.
        first: number of the first line.
        lines: how many.
        rate: lines a second.
        every: lines between two rotations, 0 for none.
        way: rename, copytruncate, or recreate.
        keep: generations that stay.
        places: file that takes where each line stands.
        repeated: whether all lines are alike.
        reader: process that must have a log open before it is removed; 0 where nobody is waited for.
    """

    def __init__(
        self,
        path: str,
        places: str,
        *,
        first: int,
        lines: int,
        rate: int,
        every: int = 0,
        way: str = "rename",
        keep: int = 5,
        repeated: bool = False,
        reader: int = 0,
    ) -> None:
        self._path, self._places = Path(path), Path(places)
        self._first, self._lines, self._rate = first, lines, rate
        self._every, self._keep, self._repeated, self._reader = every, keep, repeated, reader
        self._rotate = {"rename": self._rename, "copytruncate": self._copy_and_cut_off, "recreate": self._recreate}[way]

    def run(self) -> None:
        """Write everything."""
        log, offsets, written = self._open(), array("q"), 0
        size, began = log.tell(), time.monotonic()
        while written < self._lines:
            due = min(self._lines, int((time.monotonic() - began + _TICK_SECONDS) * self._rate))
            if self._every:
                due = min(due, (written // self._every + 1) * self._every)
            lines = [REPEATED if self._repeated else line(n) for n in range(self._first + written, self._first + due)]
            for one in lines:
                offsets.append(size)
                size += len(one)
            log.write(b"".join(lines))
            written = due
            if self._every and written % self._every == 0 and written < self._lines:
                log = self._rotate(log)
                size = 0
            time.sleep(max(0.0, began + written / self._rate - time.monotonic()))
        log.close()
        with self._places.open("ab") as places:
            places.write(offsets.tobytes())

    def _open(self) -> IO[bytes]:
        return self._path.open("ab", buffering=0)

    def _rename(self, log: IO[bytes]) -> IO[bytes]:
        log.close()
        self._path.rename(self._shift())
        return self._open()

    def _copy_and_cut_off(self, log: IO[bytes]) -> IO[bytes]:
        shutil.copyfile(self._path, self._shift())
        os.truncate(self._path, 0)
        return log

    def _recreate(self, log: IO[bytes]) -> IO[bytes]:
        log.close()
        while self._reader and not is_open(self._reader, self._path):
            time.sleep(0.002)
        self._path.unlink()
        return self._open()

    def _shift(self) -> Path:
        names = [self._path.with_name(f"{self._path.name}.{number}") for number in range(1, self._keep + 1)]
        names[-1].unlink(missing_ok=True)
        for older, newer in zip(names[::-1], names[-2::-1], strict=False):
            if newer.exists():
                newer.rename(older)
        return names[0]


if __name__ == "__main__":
    told: dict[str, Any] = json.loads(sys.argv[1])
    Writer(**told).run()
