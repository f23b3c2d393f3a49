"""The chunk encoder, the templates, gzip: processor time a line by stage, compiled and plain; memory.

    python -m bench.engine [--quick]

Lines of an inference server, 145 bytes on average, every other one with something to escape. Times are of the
process, the best of several rounds, on a chunk of about 1 MB; gzip is isal's level 1. Bytes of both are compared.
Memory is that of a process whose four threads encode, find templates and compress; compilation is in a fresh folder.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from bench.engine_child import Cost, cost
from bench.engine_lines import LINES, NOW, REST, chunk
from bench.machine import describe
from bench.report import Figure, Report, Table, Within
from logship.engine.compress import packed
from logship.engine.documents import pieces_of
from logship.engine.encoder import Body, Encoder
from logship.engine.hand import SLACK
from logship.engine.times import Carried
from logship.patterns.compiled import AVAILABLE
from logship.patterns.miner import Miner, line_starts

ROUNDS = {True: 25, False: 5}
_RATIO = "ratio of gzip"


def best(work: Callable[[], Any], rounds: int) -> float:
    """Nanoseconds of processor time a line."""
    work()
    least = float("inf")
    for _ in range(rounds):
        before = time.process_time_ns()
        work()
        least = min(least, time.process_time_ns() - before)
    return round(least / LINES, 1)


def measure(text: bytes, rounds: int, *, fast: bool) -> tuple[dict[str, float], bytes]:
    """Nanoseconds a line of each stage, and the body."""
    encoder = Encoder(
        "0123456789abcdef", 0, "/var/log/server.log", REST, zone=UTC, longest=1 << 16, cap=8 << 20, fast=fast
    )
    data = np.frombuffer(bytearray(text) + bytes(SLACK), np.uint8)
    out, templates = np.zeros(encoder.room, np.uint8), np.arange(LINES, dtype=np.int32) % 44
    miner, starts = Miner(fast=fast), line_starts(text)

    def encode() -> Body:
        return encoder.encode(
            data, len(text), 10**9, out, carried=Carried(), read_ms=NOW, seen_ms=NOW, templates=templates
        )

    size = encode().size
    body = memoryview(out)[:size]
    ends = encoder.ends(data, len(text)).copy()
    stages = {
        "line ends": best(lambda: encoder.ends(data, len(text)), rounds),
        "pieces": best(lambda: pieces_of(data, len(text), ends, 1 << 16), rounds),
        "encoding, with these": best(encode, rounds),
        "templates": best(lambda: miner.feed("bench", data, starts), rounds),
        "gzip": best(lambda: packed(body), rounds),
    }
    stages[_RATIO] = round(size / len(packed(body)), 2)
    return stages, bytes(body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no compilation")
    options = parser.parse_args(arguments)
    report = Report("engine", describe(Path(), {}), options.quick)
    text = chunk()
    found: dict[str, dict[str, float]] = {}
    bodies = {}
    for name, fast in (("plain", False), ("compiled", True)):
        if fast and not AVAILABLE:
            continue
        rounds = 3 if options.quick else ROUNDS[fast]
        found[name], bodies[name] = measure(text, rounds, fast=fast)
    if len(set(bodies.values())) > 1:
        raise SystemExit("the compiled engine and the plain one wrote different bytes")
    report.raw.update(found, lines=LINES, bytes_a_line=round(len(text) / LINES, 1), load=os.getloadavg())
    _report(report, found)
    if AVAILABLE:
        with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
            costs = {"from nothing": cost(folder)} if not options.quick else {}
            costs["from what is kept"] = cost(folder)
        _costs(report, costs)
    report.finish()
    return 1 if report.missed else 0


def _report(report: Report, found: dict[str, dict[str, float]]) -> None:
    plain, compiled = found["plain"], found.get("compiled")
    if compiled is not None:
        report.add(
            Figure("encoding, compiled", compiled["encoding, with these"], "ns a line", 80.0),
            Figure("templates of known lines, compiled", compiled["templates"], "ns a line", 150.0),
            Figure(
                "both, compiled",
                round(compiled["encoding, with these"] + compiled["templates"], 1),
                "ns a line",
                200.0,
            ),
        )
    whole = plain["encoding, with these"] + plain["gzip"]
    report.add(
        Figure("gzip", plain["gzip"], "ns a line", note=f"ratio {plain[_RATIO]}"),
        Figure(
            "encoding, plain",
            round(1e9 / plain["encoding, with these"]),
            "lines/s",
            Within(least=500_000),
            stretch=Within(least=800_000),
        ),
        Figure("encoding with gzip, plain", round(1e9 / whole), "lines/s"),
    )
    names = list(plain)
    rows = [[name, *(f"{stages[name]}" for stages in found.values())] for name in names]
    report.tables.append(Table("ns a line, by stage", ["stage", *found], rows))


def _costs(report: Report, costs: dict[str, Cost]) -> None:
    kept = costs["from what is kept"]
    report.add(Figure("memory of four threads at full speed, PSS", kept.pss_mib, "MiB", 200.0))
    for name, one in costs.items():
        report.add(Figure(f"until the first body, machine code {name}", one.cpu_seconds, "CPU s"))
    report.raw["costs"] = {name: one._asdict() for name, one in costs.items()}


if __name__ == "__main__":
    raise SystemExit(main())
