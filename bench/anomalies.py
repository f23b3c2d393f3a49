"""Anomalies on labelled series: stretches found at the same false alarms a week as three peers.

python -m bench.anomalies --data DIR [--out FILE]

DIR holds nab.csv.gz, msft_cloud.csv.gz and their *_labels.csv.gz; where helios.csv.gz, alibaba_gpu.csv.gz or
bitbrains.csv.gz lie there too, what the daemon would tell of these is counted as well. The series are split by a hash
of their name into those that choices were made on and those only for reading.
"""

import argparse
import platform
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bench.labelled import WEEK_SECONDS, Floats, Measure, Scorer, Series, read_labelled, read_unlabelled
from bench.peers.anomaly_scores import (
    MAD_THRESHOLD,
    NETDATA_THRESHOLD,
    PROPHET_THRESHOLD,
    median_mad,
    netdata,
    prophet_interval,
)
from collector.series import SeriesKey
from forecast.anomalies.detector import Detector
from forecast.anomalies.events import Anomaly, Standing, Window, follow

PEERS: tuple[tuple[str, Scorer, float], ...] = (
    ("rolling median/MAD, 3.5", median_mad, MAD_THRESHOLD),
    ("Netdata's k-means", netdata, NETDATA_THRESHOLD),
    ("Prophet's 99 % interval", prophet_interval, PROPHET_THRESHOLD),
)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all, print a table, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.anomalies", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the series and labels")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "anomalies.json")
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    labelled = read_labelled(asked.data)
    begin = time.process_time()
    ours = judged(labelled)
    seconds = (time.process_time() - begin) / sum(one.values.size for one in labelled)
    result: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(),
        "machine": platform.processor() or platform.machine(),
        "cpu_seconds_a_window_of_one_series": seconds,
        "split": {"chosen": [o.name for o in labelled if o.chosen], "read": [o.name for o in labelled if not o.chosen]},
        "peers": {},
        "told_a_week_and_series": {},
    }
    parts = {"chosen": True, "read": False}
    for name, scorer, threshold in PEERS:
        theirs = [scorer(one) for one in labelled]
        for part, chosen in parts.items():
            places = [place for place, one in enumerate(labelled) if one.chosen == chosen]
            line = compared(
                [labelled[place] for place in places],
                [ours[place][0] for place in places],
                [theirs[place] for place in places],
                threshold,
            )
            result["peers"].setdefault(name, {})[part] = line
            print(
                f"{name:26} {part:7} {line['found']:3} of {line['stretches']} at {line['false_alarms_a_week']:.2f}"
                f" false alarms a week; ours {line['ours_found']:3} at {line['ours_false_alarms_a_week']:.2f}",
                flush=True,
            )
    groups = {
        part: [place for place, one in enumerate(labelled) if one.chosen == chosen] for part, chosen in parts.items()
    }
    for part, places in groups.items():
        result["told_a_week_and_series"][part] = told([labelled[p] for p in places], [ours[p][1] for p in places])
    for source in UNLABELLED:
        if (asked.data / f"{source}.csv.gz").exists():
            others = read_unlabelled(asked.data, [source], MOST_UNLABELLED)
            result["told_a_week_and_series"][source] = told(others, [events for _, events in judged(others)])
    for part, rates in result["told_a_week_and_series"].items():
        print(f"{part}: {rates}")
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
