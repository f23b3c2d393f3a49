"""The series store, beside VictoriaMetrics and Prometheus: bytes a sample, durable appends, questions.

    python -m bench.store [--quick] [--series FILE]...

Everything is written below a temporary folder (``TMPDIR`` says on which disk), which is named in the result.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.keeping import ask_raw, ask_rollup, load, opened, packed_bytes, scrape_in, settled_bytes
from bench.machine import describe
from bench.measure import percentiles
from bench.peers import prometheus_blocks, victoria_metrics
from bench.peers.servers import PeerError
from bench.report import Figure, Report, say
from bench.workload import Column, from_file, generated
from collector.series import SeriesKey
from forewarn.base.clock import DAY, MINUTE

SHARE_OF_VICTORIA_METRICS, SHARE_OF_PROMETHEUS = 0.60, 0.25
ROLLUP_MS = RAW_MS = APPEND_MS = 10.0
_PEERS: tuple[tuple[str, Callable[[Sequence[Column], Path], int], float], ...] = (
    ("VictoriaMetrics", victoria_metrics.stored_bytes, SHARE_OF_VICTORIA_METRICS),
    ("Prometheus blocks", prometheus_blocks.stored_bytes, SHARE_OF_PROMETHEUS),
)
_RAW_SERIES, _MONTH_SERIES = "forewarn_gpu_power_watts", "bench_month"


@dataclass(frozen=True)
class Lengths:
    """How much is stored and asked: hours of the generator, scrapes of a thousand series, times of each question."""

    hours: float
    scrapes: int
    questions: int


WHOLE, QUICK = Lengths(24.0, 2_000, 300), Lengths(2.0, 300, 50)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where a figure is missed."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as name:
        folder = Path(name)
        versions = {"VictoriaMetrics": victoria_metrics.VERSION, "Prometheus": prometheus_blocks.VERSION}
        report = Report("store", describe(folder, versions), options.quick)
        run(report, folder, files=options.series, peers=not options.no_peers)
    report.finish(options.results)
    return 1 if report.missed else 0


def run(report: Report, folder: Path, *, files: Sequence[Path], peers: bool) -> None:
    """All parts, one after another."""
    end_ms = int(time.time() * 1000) // DAY * DAY
    lengths = QUICK if report.quick else WHOLE
    columns = generated(end_ms, lengths.hours)
    say(f"{len(columns)} series of 8 simulated GPUs, {lengths.hours:g} h at 1 s, scrape by scrape")
    with opened(folder / "generated", end_ms) as (store, clock):
        appended = scrape_in(store, clock, columns, _progress)
        question = "last hour of 8 series, raw"  # asked while its last scrapes still lie as rows
        _ask(report, question, ask_raw(store.path, _RAW_SERIES, end_ms, lengths.questions), RAW_MS)
    report.raw["append_136_series_ms"] = percentiles(appended)
    _append(report, folder / "wide", end_ms, lengths)
    _density(report, "8 GPUs, shipped generator", columns, folder / "generated", end_ms, peers=peers)
    for number, file in enumerate(files):
        own = from_file(file, end_ms)
        with opened(folder / f"file{number}", end_ms) as (store, _):
            load(store, own)
        _density(report, f"{len(own)} series of {file.name}", own, folder / f"file{number}", end_ms, peers=peers)


def _density(report: Report, what: str, columns: Sequence[Column], place: Path, end_ms: int, *, peers: bool) -> None:
    """Bytes a sample of Forewarn's whole file, roll-ups and free pages included, and of the peers' folders."""
    samples = sum(len(column.times) for column in columns)
    size = settled_bytes(place, end_ms)
    found = {"Forewarn": size, "samples": samples, "series": len(columns)}
    parts = ", ".join(f"{name} {part / samples:.2f}" for name, part in packed_bytes(place).items())
    note = f"{samples:,} samples, {size:,} bytes; of which {parts}"
    report.add(Figure(f"{what}: bytes a sample", size / samples, "bytes", note=note))
    for name, stored_bytes, share in _PEERS if peers else ():
        say(f"  {name} stores the same samples")
        figure = f"{what}: share of {name}"
        shelf = place.with_name(f"{place.name}-peers")
        shelf.mkdir(exist_ok=True)
        try:
            found[name] = stored_bytes(columns, shelf)
        except PeerError as error:
            report.add(Figure(figure, None, "", share, note=f"{error.message}; {error.hint}"))
        else:
            note = f"{name} takes {found[name] / samples:.2f} bytes a sample"
            report.add(Figure(figure, size / found[name], "", share, note=note))
        shutil.rmtree(shelf)
    report.raw[what] = found


def _ask(report: Report, name: str, durations: list[float], target: float) -> None:
    """A question of a reader of its own, as the API asks it."""
    found = percentiles(durations)
    report.add(Figure(name, found["p50"], "ms", target, note=f"median of {len(durations)}; p99 {found['p99']} ms"))
    report.raw[name] = found


def _append(report: Report, place: Path, end_ms: int, lengths: Lengths) -> None:
    """Durable appends of a thousand series, background work in between as in the daemon; then a month of one series."""
    scrapes = lengths.scrapes
    times = np.arange(end_ms - scrapes * 1000, end_ms, 1000, dtype=np.int64)
    level = 50 + 10 * np.sin(np.arange(scrapes) / 60)
    noise = np.random.default_rng(7)
    columns = [
        Column(SeriesKey.of("bench_gauge", number=str(number)), times, np.rint(level + noise.normal(0, 5, scrapes)))
        for number in range(1_000)
    ]
    with opened(place, end_ms) as (store, clock):
        load(store, [_month(end_ms)])
        found = percentiles(scrape_in(store, clock, columns))
        month = ask_rollup(store.path, _MONTH_SERIES, end_ms, lengths.questions)
    disk = report.machine["disk"]
    note = f"p99 of {scrapes}; median {found['p50']} ms; {disk['device']} ({disk['model']}), {disk['filesystem']}"
    report.add(Figure("durable append of 1,000 series", found["p99"], "ms", APPEND_MS, note=note))
    report.raw["append_1000_series_ms"] = found
    _ask(report, "30 days of one series at 5 min", month, ROLLUP_MS)


def _month(end_ms: int) -> Column:
    times = np.arange(end_ms - 30 * DAY, end_ms, MINUTE, dtype=np.int64)
    return Column(SeriesKey(_MONTH_SERIES), times, np.rint(60 + 20 * np.sin(times / DAY * 2 * np.pi)))


def _progress(number: int) -> None:
    if number and number % 3_600 == 0:
        say(f"  {number // 3_600} h")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small amounts, to see that all of it works")
    parser.add_argument("--series", type=Path, action="append", default=[], metavar="FILE", help="a CSV of series")
    parser.add_argument("--no-peers", action="store_true", help="measure Forewarn alone")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where the JSON goes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
