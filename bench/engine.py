"""The chunk encoder: processor time a line, by stage and as a whole, compiled and plain.

    python -m bench.engine [--out RESULT.json]

Lines of an inference server, 145 bytes on average, every other one with something to escape. Times are of the
process, the best of several rounds, on a chunk of about 1 MB; gzip is isal's level 1. Bytes of both are compared.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import describe
from logship.engine.compress import Gzip
from logship.engine.documents import pieces_of, surroundings
from logship.engine.encoder import SLACK, Body, Encoder, make_hand
from logship.engine.times import Carried, Clockwork, Start
from logship.patterns.compiled import AVAILABLE

LINES = 8000
ROUNDS = {True: 15, False: 3}
GOALS = {"compiled_ns_a_line": 60, "plain_with_gzip_lines_per_s": 800_000}
NOW = 1_770_000_000_000
_LEVELS = ("INFO", "INFO", "INFO", "INFO", "DEBUG", "WARNING", "ERROR")
_TEXTS = (
    'Received request cmpl-{a:08x}: prompt: "Hello", params: SamplingParams(n=1, temperature=0.{b}), seq={c:08d}',
    "Avg prompt throughput: {b}.{b} tokens/s, Running: {b} reqs, Waiting: 0 reqs, KV cache usage: {b}%, seq={c:08d}",
    "Finished request cmpl-{a:08x} after {b} ms with {b} tokens, seq={c:08d}, stop reason length",
    '10.0.0.{b}:{b} - "POST /v1/chat/completions HTTP/1.1" 200 OK seq={c:08d} trace={a:08x}',
)


def chunk() -> bytes:
    rnd = random.Random(1)
    lines = []
    for n in range(LINES):
        text = rnd.choice(_TEXTS).format(a=rnd.getrandbits(32), b=rnd.randrange(10, 100), c=n)
        clock = f"2026-02-02 02:40:{n // 400 % 60:02d},{n * 5 // 2 % 1000:03d}"
        lines.append(f"{clock} {rnd.choice(_LEVELS)} [engine.py:{rnd.randrange(100, 999)}] {text}\n")
    return "".join(lines).encode()


def best(work: Callable[[], Any], rounds: int) -> float:
    """Nanoseconds of processor time a line."""
    work()
    least = float("inf")
    for _ in range(rounds):
        before = time.process_time_ns()
        work()
        least = min(least, time.process_time_ns() - before)
    return round(least / LINES, 1)


def measure(text: bytes, *, fast: bool) -> tuple[dict[str, Any], bytes]:
    rest = {"host": {"name": "node"}, "event": {"dataset": "bench"}, "ecs": {"version": "8.17.0"}}
    name, path = "0123456789abcdef", "/var/log/server.log"
    encoder = Encoder(name, 0, path, rest, zone=UTC, longest=1 << 16, cap=8 << 20, fast=fast)
    data = np.frombuffer(text + bytes(SLACK), np.uint8)
    out, templates = np.zeros(encoder.room, np.uint8), np.arange(LINES, dtype=np.int32) % 44
    hand = make_hand(surroundings(name, 0, path, rest), fast=fast)
    clock, gzips, rounds = Clockwork(UTC), Gzip(), ROUNDS[fast]

    def encode() -> Body:
        return encoder.encode(
            data, len(text), 10**9, out, carried=Carried(), read_ms=NOW, seen_ms=NOW, templates=templates
        )

    size = encode().size
    body = memoryview(out)[:size]
    ends = hand.ends(data, len(text))
    pieces = pieces_of(data, len(text), ends, 1 << 16)
    start = Start(Carried(), b"2026-02-02T00:00:00Z", b"2026-02-02T00:00:00Z")
    times = hand.times(data, pieces, clock, start)
    stages = {
        "line_ends": best(lambda: hand.ends(data, len(text)), rounds),
        "pieces": best(lambda: pieces_of(data, len(text), ends, 1 << 16), rounds),
        "times": best(lambda: hand.times(data, pieces, clock, start), rounds),
        "documents": best(lambda: hand.write(data, pieces, times, templates, 10**9, out, 8 << 20), rounds),
        "gzip": best(lambda: gzips.compress(body), rounds),
    }
    whole = best(encode, rounds)
    return {
        "stages_ns_a_line": stages,
        "ns_a_line": whole,
        "lines_per_s": round(1e9 / whole),
        "with_gzip_lines_per_s": round(1e9 / (whole + stages["gzip"])),
        "gzip_ratio": round(size / len(gzips.compress(body)), 1),
    }, bytes(body)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    text = chunk()
    result: dict[str, Any] = {
        "machine": describe(Path(), {}),
        "load": [round(one, 2) for one in os.getloadavg()],
        "lines": LINES,
        "bytes_a_line": round(len(text) / LINES, 1),
        "goals": GOALS,
    }
    result["plain"], plain = measure(text, fast=False)
    if AVAILABLE:
        result["compiled"], compiled = measure(text, fast=True)
        if compiled != plain:
            raise SystemExit("the compiled engine and the plain one wrote different bytes")
    answer = json.dumps(result, indent=2) + "\n"
    if given.out:
        given.out.write_text(answer)
    print(answer, end="")


if __name__ == "__main__":
    main()
