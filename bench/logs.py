"""Shipping logs: lines a second, processor time, memory, latency, idleness and catching up, beside other shippers.

    python -m bench.logs [--quick] [--no-peers] [--only PART ...]

A file of an inference server's lines goes to a sink on the same cores, which unpacks every request and marks every
line by its number: lines that are missing or came twice are told. Forewarn ships with its defaults: gzip, exact
offsets, ids, templates, redaction. The peers are set for speed; what they leave out stands beside them.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import describe
from bench.peers.servers import PeerError
from bench.report import Figure, Report, Table, Within, say
from bench.shipping import runs
from bench.shipping.elastic import into_elasticsearch
from bench.shipping.shippers import PEERS, Peer, forewarn
from bench.shipping.workload import Block, write
from logship.patterns.compiled import keep_in, note_made, users_folder
from logship.warm import warm

PER_SECOND = 50_000
QUIET_FILES = 1_000


@dataclass(frozen=True)
class Sizes:
    """How much the parts take: lines of the file, of a peer's, of the outage; seconds of a steady rate, of quiet."""

    lines: int
    peer_lines: int
    spooled_lines: int
    outage_lines: int
    paced_seconds: float
    quiet_seconds: float
    elastic_lines: int


WHOLE = Sizes(60_000_000, 4_000_000, 12_000_000, 30_000_000, 15.0, 30.0, 1_000_000)
QUICK = Sizes(6_000_000, 1_000_000, 4_000_000, 3_000_000, 5.0, 10.0, 400_000)


@dataclass(frozen=True)
class Bench:
    """What the parts share."""

    report: Report
    folder: Path
    sizes: Sizes
    block: Block

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """A folder for one run."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            yield Path(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where a figure is missed."""
    options = _options(arguments)
    keep_in(users_folder())  # machine code is made once, not in each run
    warm()
    note_made()
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-", dir=options.folder) as name:
        report = Report("logs", describe(Path(name), {}), options.quick)
        bench = Bench(report, Path(name), QUICK if options.quick else WHOLE, Block())
        for part, run in PARTS.items():
            if part in options.only and not (part == "peers" and options.no_peers):
                run(bench)
    report.finish(options.results)
    return 1 if report.missed else 0


def _ours(**settings: object) -> runs.Start:
    return lambda file, port, folder: forewarn(file, f"http://127.0.0.1:{port}", folder, **settings)


def _sustained(bench: Bench) -> None:
    """A file in the cache, and the same from the disk."""
    report, lines = bench.report, bench.sizes.lines
    with bench.room() as folder:
        file = folder / "server.log"
        say(f"writing {lines:,} lines")
        write(file, lines, bench.block)
        say("shipping them from the page cache")
        with bench.room() as own:
            warm = runs.throughput(_ours(), file, lines, own)
        say("and from the disk")
        runs.forget_cache(file)
        with bench.room() as own:
            cold = runs.throughput(_ours(), file, lines, own)
    conditions = f"{lines / 1e6:.0f} M lines in {warm.seconds:.0f} s, gzip, offsets, ids, templates, redaction"
    report.add(
        Figure(
            "sustained, file in the cache", warm.steady_per_s / 1e6, "M lines/s", _least(1.5), conditions, _least(2.0)
        ),
        Figure("sustained, file from the disk", cold.steady_per_s / 1e6, "M lines/s", _least(1.2), "", _least(1.6)),
        Figure("CPU, start left out", warm.steady_cpu_s_per_million, "s per M lines", 0.7, "", Within(most=0.5)),
        Figure("memory at full speed (PSS)", warm.pss_mib * 1.048576, "MB", 200.0, "", Within(most=60.0)),
        Figure(
            "lines missing or there twice", float(sum((warm.missing, warm.again, cold.missing, cold.again))), "", 0.0
        ),
    )
    report.raw["sustained"] = {"warm": warm.to_dict(), "cold": cold.to_dict()}


def _spooled(bench: Bench) -> None:
    """Every byte through the encrypted spool, beside the same without."""
    report, lines = bench.report, bench.sizes.spooled_lines
    with bench.room() as folder:
        file = folder / "server.log"
        write(file, lines, bench.block)
        found = {}
        for what in ("off", "everything"):
            say(f"spool: {what}")
            with bench.room() as own:
                found[what] = runs.throughput(_ours(spool={"what": what}), file, lines, own)
    slower = 100 * (found["everything"].seconds / found["off"].seconds - 1)
    note = f"{found['off'].steady_per_s / 1e6:.2f} M lines/s without, {found['everything'].steady_per_s / 1e6:.2f} with"
    report.add(Figure("every byte spooled and encrypted: slower by", slower, "%", 15.0, note, Within(most=8.0)))
    report.raw["spooled"] = {what: one.to_dict() for what, one in found.items()}


def _latency(bench: Bench) -> None:
    say(f"{PER_SECOND:,} lines a second")
    with bench.room() as folder:
        found = runs.latency(_ours(), bench.block, folder, PER_SECOND, bench.sizes.paced_seconds)
    note = f"median {found.ms['p50']:.0f} ms, {found.cpu_percent:.1f} % of a core, {found.missing} missing"
    name = f"write to arrival at {PER_SECOND:,} lines/s, p99"
    bench.report.add(Figure(name, found.ms["p99"], "ms", 150.0, note, Within(most=75.0)))
    bench.report.raw["latency"] = asdict(found)


def _idle(bench: Bench) -> None:
    say(f"{QUIET_FILES} quiet files")
    with bench.room() as folder:
        percent = runs.idle(forewarn, folder, QUIET_FILES, bench.sizes.quiet_seconds)
    name = f"CPU while {QUIET_FILES:,} files are quiet"
    bench.report.add(Figure(name, percent, "% of a core", 0.5, "", Within(most=0.1)))


def _outage(bench: Bench) -> None:
    lines = bench.sizes.outage_lines
    say(f"the server is away while {lines:,} lines are written")
    with bench.room() as folder:
        found = runs.catch_up(_ours(), bench.block, folder, lines)
    note = f"{found.missing} missing, {found.again} twice"
    name = f"catching up with {lines / 1e6:.0f} M lines"
    goal = 40.0 * lines / WHOLE.outage_lines
    bench.report.add(Figure(name, found.seconds, "s", goal, note, Within(most=goal / 2)))
    bench.report.raw["outage"] = asdict(found)


def _elasticsearch(bench: Bench) -> None:
    say("into a real Elasticsearch")
    with bench.room() as folder:
        found = into_elasticsearch(bench.block, bench.sizes.elastic_lines, folder)
    if found is None:
        bench.report.add(Figure("share of the CPU into Elasticsearch", None, "%", 5.0, "no server can be had here"))
        return
    note = f"start left out; {found.per_second:,.0f} documents/s; bodies made beforehand: {found.limit_per_second:,.0f}"
    bench.report.add(
        Figure("share of the CPU into Elasticsearch", found.share_percent, "%", 5.0, note, Within(most=2.5)),
        Figure(
            "speed into it beside bodies made beforehand", found.per_second / found.limit_per_second, "", _least(0.95)
        ),
        Figure("documents in it that should not be, or lack", float(found.wrong), "", 0.0),
    )
    bench.report.raw["elasticsearch"] = asdict(found)


def _peers(bench: Bench) -> None:
    lines = bench.sizes.peer_lines
    rows = []
    with bench.room() as folder:
        file = folder / "server.log"
        write(file, lines, bench.block)
        rows.append(_row(bench, "Forewarn", "gzip, ids, offsets, templates, redaction", _ours(), file))
        rows += [_row(bench, peer.name, _told(peer), _peer(peer), file) for peer in PEERS if peer.command]
    header = [
        "shipper",
        "lines/s, start included",
        "steady",
        "CPU s per M lines",
        "PSS MB",
        "p99 ms",
        "missing",
        "twice",
    ]
    bench.report.tables.append(
        Table(f"{lines / 1e6:.0f} M lines, and {PER_SECOND:,} a second", [*header, "remark"], rows)
    )
    missing = [peer.name for peer in PEERS if not peer.command]
    if missing:
        say(f"not installed, left out: {', '.join(missing)}")


def _peer(peer: Peer) -> runs.Start:
    return peer.running


def _told(peer: Peer) -> str:
    return f"{peer.version}; {peer.note}"


def _row(bench: Bench, name: str, note: str, start: runs.Start, file: Path) -> list[str]:
    say(name)
    lines = bench.sizes.peer_lines
    try:
        with bench.room() as folder:
            found = runs.throughput(start, file, lines, folder)
        with bench.room() as folder:
            late = runs.latency(start, bench.block, folder, PER_SECOND, bench.sizes.paced_seconds / 2)
    except PeerError as error:
        return [name, *["-"] * 7, f"{error.message}: {error.hint}; {note}"]
    bench.report.raw[name] = {**found.to_dict(), "latency": asdict(late)}
    return [
        name,
        f"{lines / found.seconds:,.0f}",
        f"{found.steady_per_s:,.0f}",
        f"{found.cpu_s_per_million:.2f}",
        f"{found.pss_mib * 1.048576:.0f}",
        f"{late.ms['p99']:.0f}",
        str(found.missing),
        str(found.again),
        note,
    ]


def _least(value: float) -> Within:
    return Within(least=value)


PARTS: dict[str, Callable[[Bench], None]] = {
    "sustained": _sustained,
    "spooled": _spooled,
    "latency": _latency,
    "idle": _idle,
    "outage": _outage,
    "elasticsearch": _elasticsearch,
    "peers": _peers,
}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.logs", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short, to see that all of it works")
    parser.add_argument("--no-peers", action="store_true", help="measure Forewarn alone")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts alone")
    parser.add_argument("--folder", type=Path, help="where the logs are written; 8 GB")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where the JSON goes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
