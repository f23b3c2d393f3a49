"""The daemon at one round a second on eight fake GPUs, beside nvitop-exporter and node_exporter.

    python -m bench.collector [--quick] [--no-peers]

Memory, processor time, a request for /metrics, hours of rounds, and what happens when a driver call or a mount hangs.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import footprint, hangs
from bench.machine import describe
from bench.measure import percentiles, rounded
from bench.peers import exporters
from bench.peers.servers import PeerError
from bench.report import Figure, Report, say
from forewarn.base.errors import ForewarnError
from tests.support.dead_mount import can_mount
from tests.support.nvml import FakeNvml, build_fake

PSS_MIB, RSS_MIB = 85.0, 90.0
CPU_PERCENT, CPU_STRETCH = 2.5, 1.3
REQUEST_MS = 15.0
FLAT_PERCENT = 3.0
ALERT_SECONDS = 15.0
_PEERS = (exporters.NVITOP, exporters.NODE)


@dataclass(frozen=True)
class Lengths:
    """How long the parts take: seconds to settle, seconds to measure, requests, simulated hours."""

    settle: float
    measure: float
    requests: int
    hours: float


WHOLE, QUICK = Lengths(60.0, 180.0, 1_000, 6.0), Lengths(10.0, 15.0, 100, 0.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where a figure is missed."""
    options = _options(arguments)
    lengths = QUICK if options.quick else WHOLE
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as name:
        folder = Path(name)
        nvml = FakeNvml(folder / "state", build_fake(folder / "fake"))
        nvml.set_gpus(8)
        versions = {peer.name: peer.version for peer in _PEERS}
        report = Report("collector", describe(folder, versions), options.quick)
        _warm_up(folder, nvml)
        _footprint(report, folder, nvml, lengths)
        for peer in () if options.no_peers else _PEERS:
            _peer(report, folder, nvml, peer, lengths)
        flat_line(report, lengths.hours)
        _hangs(report, folder, nvml)
    report.finish(options.results)
    return 1 if report.missed else 0


def _warm_up(folder: Path, nvml: FakeNvml) -> None:
    """Compile every module once, so that nothing measured contains a compiler's leftovers."""
    say("warming up")
    footprint.measure(folder / "warm", nvml, settle=2, seconds=1, requests=1)


def _footprint(report: Report, folder: Path, nvml: FakeNvml, lengths: Lengths) -> None:
    say(f"Forewarn, 8 fake GPUs, a round and a scrape a second, {lengths.settle + lengths.measure:.0f} s")
    found = footprint.measure(folder, nvml, settle=lengths.settle, seconds=lengths.measure, requests=lengths.requests)
    requests = percentiles(found.requests_ms)
    size = f"{found.series:,} samples, {found.page_kib:.0f} KiB"
    shares = f"parent {found.parent.cpu_percent:.2f} %, child {found.child.cpu_percent:.2f} %"
    report.add(
        Figure("memory of parent and nvml child (PSS)", found.both.pss_mib, "MiB", PSS_MIB, note=size),
        Figure("memory of the parent (RSS)", found.parent.rss_mib, "MiB", RSS_MIB),
        Figure("CPU of parent and nvml child", found.both.cpu_percent, "% of a core", CPU_PERCENT, note=shares),
        Figure("the same, stretch", found.both.cpu_percent, "% of a core", CPU_STRETCH),
        Figure("a request for /metrics", requests["p99"], "ms", REQUEST_MS, note=f"p99 of {lengths.requests}"),
    )
    report.raw["forewarn"] = found.to_dict()
    report.raw["request_ms"] = requests


def _peer(report: Report, folder: Path, nvml: FakeNvml, peer: exporters.Exporter, lengths: Lengths) -> None:
    say(f"{peer.name}, scraped once a second")
    try:
        cost = exporters.measure(
            peer, folder, dict(nvml.environ()), settle=lengths.settle / 2, seconds=lengths.measure / 2
        )
    except PeerError as error:
        report.add(Figure(f"{peer.name}: memory (PSS)", None, "MiB", note=f"{error.message}; {error.hint}"))
        return
    report.add(
        Figure(f"{peer.name}: memory (PSS)", cost.pss_mib, "MiB", note=f"RSS {cost.rss_mib:.0f} MiB"),
        Figure(f"{peer.name}: CPU", cost.cpu_percent, "% of a core"),
    )
    report.raw[peer.name] = rounded(cost)


def flat_line(report: Report, hours: float) -> None:
    """Resident size over simulated hours: the last quarter beside the second.

    Raises:
        ForewarnError: the process that drives them failed.
    """
    say(f"{hours:g} simulated hours, a round a second, as fast as they go")
    done = subprocess.run([sys.executable, "-m", "bench.flat", str(hours)], capture_output=True, check=False)
    if done.returncode != 0:
        raise ForewarnError("the simulated hours failed", hint=done.stderr.decode()[-500:])
    found = orjson.loads(done.stdout)
    sizes = found["rss_mib"]
    quarter = len(sizes) // 4
    second, last = (sum(part) / len(part) for part in (sizes[quarter : 2 * quarter], sizes[-quarter:]))
    growth = 100 * (last / second - 1)
    note = f"{second:.1f} MiB in the second quarter, {last:.1f} in the last, {found['series']} series"
    report.add(Figure(f"growth over {hours:g} simulated hours", abs(growth), "%", FLAT_PERCENT, note=note))
    report.raw["flat_line"] = found


def _hangs(report: Report, folder: Path, nvml: FakeNvml) -> None:
    say("a driver call that never comes back")
    _hang(report, "a GPU driver call that hangs", hangs.driver(folder, nvml))
    if not can_mount():
        report.add(Figure("a mount that hangs: alerted", None, "s", note="mounting needs root and /dev/fuse"))
        return
    say("a mount that never answers")
    _hang(report, "a mount that hangs", hangs.mount(folder))


def _hang(report: Report, what: str, watch: hangs.Watch) -> None:
    note = f"looked at {watch.rounds} times"
    report.add(
        Figure(f"{what}: seen", watch.seen, "s", ALERT_SECONDS),
        Figure(f"{what}: named in the log", watch.named, "s", ALERT_SECONDS),
        Figure(f"{what}: alerted", watch.alerted, "s", ALERT_SECONDS),
        Figure(f"{what}: failures of other sources", float(len(watch.others)), "", 0.0, note=note),
    )
    report.raw[what] = watch.to_dict()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.collector", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short, to see that all of it works")
    parser.add_argument("--no-peers", action="store_true", help="measure Forewarn alone")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where the JSON goes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
