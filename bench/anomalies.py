"""Anomalies on labelled series: stretches found at the same false alarms a week as three peers.

    python -m bench.anomalies --data DIR

DIR holds nab.csv.gz, msft_cloud.csv.gz and their *_labels.csv.gz; where helios.csv.gz, alibaba_gpu.csv.gz or
bitbrains.csv.gz lie there too, what the daemon would tell of these is counted as well. The series are split by a hash
of their name into those that choices were made on and those only for reading.
"""

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.labelled import WEEK_SECONDS, Floats, Measure, Scorer, Series, read_labelled, read_unlabelled
from bench.machine import describe
from bench.peers.anomaly_scores import (
    MAD_THRESHOLD,
    NETDATA_THRESHOLD,
    PROPHET_THRESHOLD,
    median_mad,
    netdata,
    prophet_interval,
)
from bench.report import RESULTS, Figure, Report, Table, Within, say
from collector.series import SeriesKey
from forecast.anomalies.detector import Detector
from forecast.anomalies.events import Anomaly, Standing, Window, follow

PEERS: tuple[tuple[str, Scorer, float], ...] = (
    ("rolling median/MAD, 3.5", median_mad, MAD_THRESHOLD),
    ("Netdata's k-means", netdata, NETDATA_THRESHOLD),
    ("Prophet's 99 % interval", prophet_interval, PROPHET_THRESHOLD),
)
PARTS = {"series for choices": True, "series for reading only": False}
RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
UNLABELLED = ("helios", "alibaba_gpu", "bitbrains")
MOST_UNLABELLED = 60
STRONG = (0.99, 0.998, 0.999, 0.9995)
LASTING_MS = 3_600_000


def judged(series: Sequence[Series]) -> list[tuple[Floats, list[Anomaly]]]:
    """Deviations and anomalies of each series, as the daemon would have told them without a forecast."""
    return [_judged_one(one) for one in series]


def _judged_one(one: Series) -> tuple[Floats, list[Anomaly]]:
    key = SeriesKey(one.name)
    detector, standings = Detector(1), [Standing(key, 0, None, None)]
    deviations = np.full(one.values.size, np.nan)
    told: dict[int, Anomaly] = {}
    for place in range(one.values.size):
        start_ms = (one.start + place * one.step) * 1000
        values = one.values[place : place + 1]
        verdict = detector.step(start_ms, values, one.step / 3600)
        deviations[place] = verdict.deviation[0]
        window = Window(start_ms, start_ms + one.step * 1000, values, verdict, None)
        standings = follow([(key, "")], standings, window)
        if standings[0].anomaly is not None:
            told[standings[0].anomaly.started_ms] = standings[0].anomaly
    return deviations, list(told.values())


def compared(
    series: Sequence[Series], ours: Sequence[Floats], theirs: Sequence[Floats], threshold: float
) -> dict[str, Any]:
    """A peer at its own threshold, and what we find with no more false alarms than it raises."""
    peer = Measure(series, theirs)
    own = peer.at(threshold)
    mine = Measure(series, ours)
    same = mine.at_rate(own.rate)
    return {
        "false_alarms_a_week": round(own.rate, 3),
        "stretches": own.stretches,
        "found": own.found,
        "ours_found": same.found,
        "ours_false_alarms_a_week": round(same.rate, 3),
        "at_rates": {f"{rate:g}": [peer.at_rate(rate).found, mine.at_rate(rate).found] for rate in RATES},
    }


def told(series: Sequence[Series], anomalies: Sequence[Sequence[Anomaly]]) -> dict[str, float]:
    """Anomalies a week and series outside labelled stretches: by kind, and how many a rule would tell of."""
    count: Counter[str] = Counter()
    weeks = sum(float((~one.labelled[one.warm :]).sum()) * one.step / WEEK_SECONDS for one in series)
    for one, events in zip(series, anomalies, strict=True):
        for event in events:
            places = [(moment // 1000 - one.start) // one.step for moment in (event.started_ms, event.seen_ms - 1)]
            if one.labelled[places[0] : places[1] + 1].any():
                continue
            count[event.kind] += 1
            if event.seen_ms - event.started_ms >= LASTING_MS:
                count.update(f"lasting an hour, score {strong}" for strong in STRONG if event.score >= strong)
    return {name: round(number / weeks, 4) for name, number in sorted(count.items())}


def run(report: Report, folder: Path) -> None:
    """Every peer, then what the daemon would tell."""
    labelled = read_labelled(folder)
    say(f"{len(labelled)} labelled series, {sum(len(one.stretches) for one in labelled)} stretches")
    begin = time.process_time()
    ours = judged(labelled)
    seconds = (time.process_time() - begin) / sum(one.values.size for one in labelled)
    groups = {part: [p for p, one in enumerate(labelled) if one.chosen == chosen] for part, chosen in PARTS.items()}
    report.raw["split"] = {part: [labelled[place].name for place in places] for part, places in groups.items()}
    report.raw["peers"] = {}
    for name, scorer, threshold in PEERS:
        theirs = [scorer(one) for one in labelled]
        for part, places in groups.items():
            line = compared(
                [labelled[place] for place in places],
                [ours[place][0] for place in places],
                [theirs[place] for place in places],
                threshold,
            )
            report.raw["peers"].setdefault(name, {})[part] = line
            report.add(_found(name, part, line))
    told_of = {
        part: told([labelled[p] for p in places], [ours[p][1] for p in places]) for part, places in groups.items()
    }
    for source in UNLABELLED:
        if (folder / f"{source}.csv.gz").exists():
            others = read_unlabelled(folder, [source], MOST_UNLABELLED)
            told_of[source] = told(others, [events for _, events in judged(others)])
    report.raw["told_a_week_and_series"] = told_of
    report.tables += [_at_rates(report.raw["peers"]), _told(told_of)]
    report.add(Figure("cost of a window of one series, one at a time", 1e6 * seconds, "us"))


def _found(name: str, part: str, line: Mapping[str, Any]) -> Figure:
    beside = {
        "the peer finds": f"{line['found']} of {line['stretches']}",
        "false alarms a week and series": f"{line['false_alarms_a_week']:.2f}",
    }
    return Figure(
        f"{part}: found beside {name}", line["ours_found"], "", Within(least=line["found"] + 1), "", None, beside
    )


def _at_rates(peers: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = []
    for name, parts in peers.items():
        for part, line in parts.items():
            rows.append([name, part, *(f"{theirs} / {mine}" for theirs, mine in line["at_rates"].values())])
    title = "Stretches found, the peer's / ours, by false alarms a week and series that both are allowed"
    return Table(title, ["", "", *(f"{rate:g}" for rate in RATES)], rows)


def _told(found: Mapping[str, Mapping[str, float]]) -> Table:
    kinds = sorted({kind for told_of in found.values() for kind in told_of})
    rows = [[kind, *(f"{told_of.get(kind, 0):.3f}" for told_of in found.values())] for kind in kinds]
    return Table("Anomalies a week and series outside labelled stretches, without a forecast", ["", *found], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all, print the tables, write JSON; 1 where a peer finds as many."""
    parser = argparse.ArgumentParser(prog="python -m bench.anomalies", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the series and labels")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    report = Report("anomalies", describe(options.data, {}), quick=False)
    run(report, options.data)
    report.finish(options.results)
    return 1 if report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
