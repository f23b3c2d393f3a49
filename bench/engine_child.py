"""A process whose threads encode, find templates and compress as a shipper's do; what it costs.

python -m bench.engine_child
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.engine_lines import NOW, REST, chunk
from logship.engine.compress import packed
from logship.engine.encoder import Encoder
from logship.engine.hand import SLACK
from logship.engine.times import Carried
from logship.patterns.miner import Miner, line_starts

WORKERS = 4
SECONDS = 3.0
RAW, BODY = 1 << 20, 3 << 20


class Cost(NamedTuple):
    """What a process took.

    Attributes:
        cpu_seconds: until the first body was written.
        pss_mib: memory while it works.
        most_mib: the most that was resident at any time.
        lines_per_s: lines of all threads in a second.
    """

    cpu_seconds: float
    pss_mib: float
    most_mib: float
    lines_per_s: float


def cost(folder: str) -> Cost:
    """Of a fresh process that keeps its machine code in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.engine_child"],
        env={**os.environ, "NUMBA_CACHE_DIR": folder, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout))


def main() -> None:
    """Print the cost."""
    text = chunk()[:RAW].rpartition(b"\n")[0] + b"\n"
    starts, miner, lock = line_starts(text), Miner(), threading.Lock()

    def worker() -> Callable[[], None]:
        encoder = Encoder("0123456789abcdef", 0, "/a", REST, zone=None, longest=1 << 16, cap=BODY)
        data = np.frombuffer(bytearray(text) + bytes(SLACK), np.uint8)
        out = np.zeros(encoder.room, np.uint8)

        def work() -> None:
            with lock:
                templates = miner.feed("bench", data, starts)
                body = encoder.encode(
                    data, len(text), 0, out, carried=Carried(), read_ms=NOW, seen_ms=NOW, templates=templates
                )
            packed(memoryview(out)[: body.size])

        return work

    workers = [worker() for _ in range(WORKERS)]
    workers[0]()
    first = time.process_time()
    stop, rounds = time.monotonic() + SECONDS, [0] * WORKERS

    def run(n: int) -> None:
        while time.monotonic() < stop:
            workers[n]()
            rounds[n] += 1

    threads = [threading.Thread(target=run, args=(n,)) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS * 0.8)
    pss = _kib("/proc/self/smaps_rollup", "Pss")
    for thread in threads:
        thread.join()
    lines = sum(rounds) * (len(starts) - 1) / SECONDS
    result = Cost(round(first, 2), round(pss / 1024, 1), round(_kib("/proc/self/status", "VmHWM") / 1024, 1), lines)
    print(json.dumps(result._asdict()))


def _kib(path: str, name: str) -> int:
    lines = Path(path).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
