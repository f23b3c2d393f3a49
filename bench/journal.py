"""The journal: entries a second and core from journal files to compressed bulk bodies, beside what else reads journals.

    python -m bench.journal [--quick]

A systemd-journald of its own writes 200,000 entries of an inference server, about 20 fields each, by its native
protocol; needs root. Ours reads, masks, mines templates, writes documents with ids, compresses and keeps its account.
The peers read only: journalctl to the export format and to JSON, python-systemd to dictionaries. Times are processor
times; of ours the best of three runs after one that compiles.
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine import describe
from bench.report import Figure, Report, Within, say
from forewarn.base.clock import SystemClock
from logship.engine.compress import packed
from logship.templates import Templates
from tests.support.journal_rig import Rig
from tests.support.journald import Journald, refusal

ENTRIES, QUICK = 200_000, 30_000
ROUNDS = 3
_PYTHON = "/usr/bin/python3"
_READ = """
import sys, time
from systemd import journal
reader = journal.Reader(files=sys.argv[1:])
began, count = time.process_time(), 0
for entry in reader:
    count += 1
print(count, time.process_time() - began)
"""
_TEXTS = (
    'Received request cmpl-{a:08x}: prompt: "Hello", params: SamplingParams(n=1, temperature=0.{b}), seq={c:08d}',
    "Avg prompt throughput: {b}.{b} tokens/s, Running: {b} reqs, Waiting: 0 reqs, KV cache usage: {b}%, seq={c:08d}",
    "Finished request cmpl-{a:08x} after {b} ms with {b} tokens, seq={c:08d}, stop reason length",
    '10.0.0.{b}:{b} - "POST /v1/chat/completions HTTP/1.1" 200 OK seq={c:08d} trace={a:08x}',
)


def write(journald: Journald, count: int) -> float:
    """Entries; seconds that journald took."""
    chance = random.Random(1)
    began = time.monotonic()
    for number in range(count):
        text = chance.choice(_TEXTS).format(a=chance.getrandbits(32), b=chance.randrange(10, 100), c=number)
        journald.send(
            text, PRIORITY=chance.choice((3, 4, 6, 6, 6)), SYSLOG_IDENTIFIER="vllm", CODE_FILE="engine.py",
            CODE_LINE=number % 40, REQUEST_ID=f"cmpl-{number}",
        )  # fmt: skip
    journald.sync()
    return time.monotonic() - began


def ours(folder: Path, data: Path, *, fast: bool, templates: bool) -> tuple[int, float]:
    """Documents and processor seconds."""
    clock = SystemClock()
    miner = Templates(data.with_name(f"{data.name}-templates"), clock) if templates else None
    settings = {"bulk_bytes": 3_000_000, "templates": templates}
    with Rig([folder], data, fast=fast, miner=miner, **settings) as rig:
        began = time.process_time()
        documents = rig.drain(compress=packed)
        return documents, time.process_time() - began


def command(arguments: list[str]) -> float:
    """Processor seconds of a command."""
    before = os.times()
    subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def python_systemd(files: list[str]) -> tuple[int, float] | None:
    """Entries and processor seconds; None where it is not installed."""
    done = subprocess.run([_PYTHON, "-c", _READ, *files], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        return None
    count, seconds = done.stdout.split()
    return int(count), float(seconds)


def best(work: Callable[[], tuple[int, float]], rounds: int) -> float:
    """Entries a second."""
    return max(count / seconds for count, seconds in (work() for _ in range(rounds)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer entries")
    quick = parser.parse_args().quick
    if reason := refusal():
        raise SystemExit(f"cannot run a journald here: {reason}")
    count = QUICK if quick else ENTRIES
    folder = Path(tempfile.mkdtemp(prefix="jb"))
    report = Report("journal", describe(folder, {"journalctl": ["journalctl", "--version"]}), quick)
    journald = Journald(folder / "j", size="128M")
    try:
        with journald.running():
            journald.flush()
            took = write(journald, count)
        say(f"journald took {took:.1f} s for {count:,} entries")
        measure(report, journald, folder, count, rounds=ROUNDS)
        report.raw = {
            "entries": count,
            "journald_seconds": round(took, 1),
            "load": [round(x, 2) for x in os.getloadavg()],
        }
        report.finish()
    finally:
        journald.close()
        shutil.rmtree(folder)


def measure(report: Report, journald: Journald, folder: Path, count: int, *, rounds: int) -> None:
    """All figures."""
    runs = iter(range(100))

    def run(*, fast: bool, templates: bool) -> tuple[int, float]:
        return ours(journald.lasting, folder / f"data{next(runs)}", fast=fast, templates=templates)

    run(fast=True, templates=True)
    files = [str(path) for path in journald.files]
    named = [f"--file={path}" for path in files]
    export = best(lambda: (count, command(["journalctl", *named, "--output=export"])), 2)
    said = best(lambda: (count, command(["journalctl", *named, "--output=json"])), 1)
    reader = python_systemd(files)
    peers = {"journalctl -o export": f"{export:,.0f}", "journalctl -o json": f"{said:,.0f}"}
    if reader is not None:
        peers["python-systemd"] = f"{reader[0] / reader[1]:,.0f}"
    goal, stretch = Within(least=150_000), Within(least=250_000)
    unit = "entries/s/core"
    report.add(
        Figure(
            "journal files to compressed bulk bodies, templates on",
            best(lambda: run(fast=True, templates=True), rounds), unit, goal,
            "prompts in a quarter of the lines masked, ids and the account included; peers read only", stretch, peers,
        ),
        Figure("the same without templates", best(lambda: run(fast=True, templates=False), rounds), unit, goal),
        Figure("the same without the extra fast", best(lambda: run(fast=False, templates=True), 1), unit),
    )  # fmt: skip


if __name__ == "__main__":
    main()
