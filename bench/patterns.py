"""Log templates and sequences on labelled data: grouping, distinctness, processor time.

    python -m bench.patterns --data DIR [--quick]

DIR holds loghub/<system>/<system>_2k.log and ..._structured.csv, and ait_sequences/. Lines are mined whole, with
one setting for all systems. GA is the share of lines whose group is exactly the truth's, FGA the F1 of exactly
right groups over templates. Speeds are lines per second of processor time, the best of several rounds.
"""

import argparse
import csv
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.report import Figure, Report, Table, Within
from logship.patterns.compiled import AVAILABLE
from logship.patterns.groups import Groups
from logship.patterns.miner import Miner, line_starts
from logship.patterns.sequences import Known, read_sequences, scores
from logship.patterns.tokens import tokens_of

ROUNDS = 5
REPEATED = 20
RANDOM_LINES = 50_000
RATE = 0.0025
RARE_LINES, RARE_LOOKS = 20_000, b"!#$%&*+-./"


def grouping(truth: Sequence[Hashable], found: Sequence[Hashable]) -> dict[str, float]:
    """GA and FGA."""
    expected, given = defaultdict(set), defaultdict(set)
    for line, (one, other) in enumerate(zip(truth, found, strict=True)):
        expected[one].add(line)
        given[other].add(line)
    right = [lines for lines in expected.values() if given[found[next(iter(lines))]] == lines]
    ga = sum(map(len, right)) / len(truth)
    return {"ga": round(ga, 4), "fga": round(2 * len(right) / (len(expected) + len(given)), 4)}


def read_truth(folder: Path) -> tuple[list[bytes], list[str]]:
    system = folder.name
    lines = (folder / f"{system}_2k.log").read_bytes().splitlines()
    with (folder / f"{system}_2k.log_structured.csv").open(encoding="utf-8") as file:
        return lines, [row["EventId"] for row in csv.DictReader(file)]


def mined(lines: Sequence[bytes], *, fast: bool = AVAILABLE) -> list[int]:
    miner = Miner(fast=fast)
    return miner.resolve(miner.feed("bench", b"\n".join(lines) + b"\n")).tolist()


def systems(folders: Sequence[Path]) -> dict[str, Any]:
    found = {folder.name: grouping(truth, mined(lines)) for folder in folders for lines, truth in [read_truth(folder)]}
    for score in ("ga", "fga"):
        found.setdefault("mean", {})[score] = round(
            sum(found[folder.name][score] for folder in folders) / len(folders), 4
        )
    return found


def shuffled(folders: Sequence[Path]) -> dict[str, float]:
    rows = [(line, (folder.name, event)) for folder in folders for line, event in zip(*read_truth(folder), strict=True)]
    random.Random(0).shuffle(rows)
    return grouping([event for _, event in rows], mined([line for line, _ in rows]))


def distinct(path: Path) -> dict[str, float]:
    """Of a list of true templates, the share that stays apart, each filled with numbers at its holes."""
    rnd = random.Random(1)
    listed = dict.fromkeys(path.read_text(encoding="utf-8", errors="replace").splitlines())
    tokens = [tokens_of(re.sub(r"<\*>", lambda _: str(rnd.randrange(10, 9999)), text)) for text in listed]
    different = list(dict.fromkeys(tokens))
    groups, ranks = Groups(), list(range(len(different)))
    for slot, one in enumerate(different):
        groups.put(slot, one, ranks)
    left = len({groups.root(slot) for slot in ranks})
    return {
        "listed": len(tokens),
        "different_tokens": len(different),
        "groups": left,
        "share_of_listed": round(left / len(tokens), 4),
        "share_of_different": round(left / len(different), 4),
    }


def cpu_seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def speed(folders: Sequence[Path], *, fast: bool) -> dict[str, int]:
    """Known lines a second: of each system, and of all together."""
    found, seconds, total = {}, 0.0, 0
    repeated = REPEATED if fast else 2
    for folder in folders:
        data = b"\n".join(read_truth(folder)[0] * repeated) + b"\n"
        starts, miner = line_starts(data), Miner(fast=fast)
        miner.feed("bench", data, starts)
        took = cpu_seconds(lambda m=miner, d=data, s=starts: m.feed("bench", d, s))
        found[folder.name] = round((len(starts) - 1) / took)
        seconds, total = seconds + took, total + len(starts) - 1
    return {**found, "all": round(total / seconds)}


def random_words(*, fast: bool) -> dict[str, int]:
    rnd = random.Random(1)
    words = [
        "".join(rnd.choices("abcdefghijklmnopqrstuvwxyz", k=rnd.randrange(4, 10))) for _ in range(2 * RANDOM_LINES)
    ]
    data = "".join(
        f"2026-01-01 10:00:{i % 60:02d} INFO app.Server: request of {words[2 * i]} for model {words[2 * i + 1]} "
        f"took {i} ms on host gpu{i % 8}\n"
        for i in range(RANDOM_LINES)
    ).encode()
    miners = [Miner(fast=fast) for _ in range(3)]
    took = min(cpu_seconds(lambda m=miner: m.feed("bench", data), 1) for miner in miners)
    return {"lines_per_second": round(RANDOM_LINES / took), "templates_before_merging": len(miners[0].ids)}


def beside_rare(*, fast: bool) -> dict[str, float]:
    """How much longer known lines take beside lines of shapes that came once, and never again."""
    body = b"".join(
        b"2026-02-02 02:40:%02d INFO engine: request %d done in %d ms\n" % (i % 60, i, i % 977)
        for i in range(RARE_LINES)
    )
    shapes = [b"1%c2%c3 banner\n" % (one, other) for one in RARE_LOOKS for other in RARE_LOOKS]
    took = {}
    for count in (0, 1, len(shapes)):
        miner = Miner(fast=fast)
        miner.feed("bench", b"".join(shapes[:count]) + body)
        took[count] = cpu_seconds(lambda m=miner: m.feed("bench", body))
    return {f"{count} shapes": round(seconds / took[0], 3) for count, seconds in took.items() if count}


def unseen(path: Path, *, fast: bool) -> dict[str, float]:
    """Processor time of a signature that was never seen."""
    lines = path.read_bytes().splitlines()
    data = b"\n".join(b"2026-01-01 10:00:00 INFO app: %b" % line for line in lines) + b"\n"
    miners = [Miner(fast=fast) for _ in range(3)]
    took = min(cpu_seconds(lambda m=miner: m.feed("bench", data), 1) for miner in miners)
    return {"signatures": miners[0].unseen, "microseconds": round(took / miners[0].unseen * 1e6, 1)}


def sequences(folder: Path) -> dict[str, Any]:
    """OpenStack requests of Kalaki et al."""
    train, normal, abnormal = (
        read_sequences((folder / f"openstack_{part}").read_text(), part)
        for part in ("train", "test_normal", "test_abnormal")
    )
    found = {}
    for name, pairs in (("counts", False), ("counts and pairs", True)):
        verdicts = Known(train, RATE, pairs=pairs).judge([*normal, *abnormal])
        scored = scores(verdicts, [False] * len(normal) + [True] * len(abnormal))
        found[name] = {key: round(value, 4) for key, value in scored.items()}
    return found


def report_on(found: dict[str, Any], report: Report) -> None:
    """The figures that are to be reached."""
    mean, mixed, spoken = found["systems"]["mean"], found["shuffled"], found["sequences"]["counts"]
    report.add(
        Figure("grouping accuracy, whole raw lines, mean", mean["ga"], "", Within(least=0.965), stretch=Within(0.98)),
        Figure("F1 of exactly right groups, mean", mean["fga"], "", Within(least=0.97), stretch=Within(0.985)),
        Figure("all systems shuffled into one stream: accuracy", mixed["ga"], "", Within(0.96), stretch=Within(0.98)),
        Figure("all systems shuffled into one stream: F1", mixed["fga"], "", Within(0.93), stretch=Within(0.95)),
        Figure("F1 of sequences, OpenStack", spoken["f1"], "", Within(0.99), stretch=Within(0.995)),
    )
    for name, one in found["distinct"].items():
        note = f"{one['share_of_different']:.1%} of those that differ once values are out"
        report.add(Figure(f"{name}: stay distinct", one["share_of_listed"], "", Within(0.97), note))
    for name, known in found["lines_per_cpu_second"].items():
        fast = name == "compiled"
        words, unseen_ = found["random_words"][name]["lines_per_second"], found["unseen"][name]["microseconds"]
        report.add(
            Figure(f"known lines, {name}", known["all"], "lines/s", Within(3e6) if fast else None),
            Figure(
                f"beside lines of {len(RARE_LOOKS) ** 2} rare shapes, {name}",
                found["beside_rare"][name][f"{len(RARE_LOOKS) ** 2} shapes"],
                "times as long",
                1.25,
            ),
            Figure(f"lines with two random words, {name}", words, "lines/s", Within(5e5) if fast else None),
            Figure(f"an unseen signature, {name}", unseen_, "us", 100.0 if fast else None),
        )
    rows = [[name, f"{one['ga']}", f"{one['fga']}"] for name, one in found["systems"].items()]
    report.tables.append(Table("accuracy by system", ["system", "accuracy", "F1"], rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="the compiled way only")
    args = parser.parse_args(arguments)
    folders = sorted(path for path in (args.data / "loghub").iterdir() if path.is_dir())
    lists, openstack = args.data / "ait_sequences" / "templates", args.data / "ait_sequences" / "openstack_parisakalaki"
    kinds = {"compiled": True, "plain": False} if AVAILABLE else {"plain": False}
    if args.quick and AVAILABLE:
        del kinds["plain"]
    mined([b"warm up"])
    report = Report("patterns", describe(args.data, {}), args.quick)
    report.raw.update(
        load=os.getloadavg(),
        systems=systems(folders),
        shuffled=shuffled(folders),
        distinct={path.name: distinct(path) for path in sorted(lists.glob("*.csv"))},
        lines_per_cpu_second={name: speed(folders, fast=fast) for name, fast in kinds.items()},
        beside_rare={name: beside_rare(fast=fast) for name, fast in kinds.items()},
        random_words={name: random_words(fast=fast) for name, fast in kinds.items()},
        unseen={name: unseen(lists / "Thunderbird_templates.csv", fast=fast) for name, fast in kinds.items()},
        sequences=sequences(openstack),
    )
    report_on(report.raw, report)
    report.finish()
    return 1 if report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
