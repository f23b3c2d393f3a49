"""Labelled series, and the measure: labelled stretches found at so many false alarms a week."""

import csv
import gzip
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WARM_SECONDS = 48 * 3600
"""Nobody is asked about the first two days of a series."""
ALARM_SECONDS = 6 * 3600
"""An alarm stands for so long; what still deviates after that is another alarm."""
WEEK_SECONDS = 7 * 86400


@dataclass(frozen=True)
class Series:
    """A series on a regular grid, NaN where it has no value.

    Attributes:
        source: the set that it is from.
        chosen: whether choices were made on it; the others are only read.
        step: seconds between values.
        start: of the first, seconds since the epoch.
        stretches: first and last place of each labelled stretch.
        slack: places beside a stretch that belong to it.
    """

    source: str
    name: str
    chosen: bool
    step: int
    start: int
    values: Floats
    stretches: tuple[tuple[int, int], ...] = ()
    slack: int = 2

    @property
    def warm(self) -> int:
        """The first place that counts."""
        return WARM_SECONDS // self.step

    @property
    def labelled(self) -> Flags:
        """Which places belong to a stretch."""
        inside = np.zeros(self.values.size, dtype=np.bool_)
        for first, last in self.stretches:
            inside[max(0, first - self.slack) : last + self.slack + 1] = True
        return inside


@dataclass(frozen=True)
class Found:
    """What came of a threshold."""

    found: int
    stretches: int
    alarms: int
    weeks: float

    @property
    def rate(self) -> float:
        """False alarms a week and series."""
        return self.alarms / self.weeks


def read_labelled(folder: Path) -> list[Series]:
    """NAB's windows and Microsoft's points, those not more than two steps apart as one stretch."""
    series = []
    for source, slack in (("nab", 1), ("msft_cloud", 2)):
        labels: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in _rows(folder / f"{source}_labels.csv.gz"):
            if row.get("kind", "window") == "window":
                labels[row["series"]].append(
                    (_seconds(row.get("start") or row["timestamp"]), _seconds(row.get("end") or row["timestamp"]))
                )
        for name, times, values in _series(folder / f"{source}.csv.gz"):
            step = 300 if np.median(np.diff(times)) < 1800 else 3600
            spans: list[list[int]] = []
            for first, last in sorted(labels[name]):
                if spans and first - spans[-1][1] <= 2 * step:
                    spans[-1][1] = max(last, spans[-1][1])
                else:
                    spans.append([first, last])
            places = tuple((max(0, int((a - times[0]) // step)), int((b - times[0]) // step)) for a, b in spans)
            chosen = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0
            series.append(Series(source, name, chosen, step, int(times[0]), _grid(times, values, step), places, slack))
    return series


def read_unlabelled(folder: Path, sources: Sequence[str], most: int) -> list[Series]:
    """Series that nobody labelled: what is found in them counts as false."""
    series = []
    for source in sources:
        for name, times, values in sorted(_series(folder / f"{source}.csv.gz"))[:most]:
            step = int(np.median(np.diff(times)))
            series.append(Series(source, name, True, step, int(times[0]), _grid(times, values, step)))
    return series


class Measure:
    """Scores of all series, prepared for many thresholds."""

    def __init__(self, series: Sequence[Series], scores: Sequence[Floats]) -> None:
        self._parts = [_prepared(one, score) for one, score in zip(series, scores, strict=True)]
        everything = np.concatenate([values for _, outside, _, _ in self._parts for values in (outside,)])
        tops = np.concatenate([tops for tops, *_ in self._parts])
        both = np.concatenate([everything, tops])
        self._steps = np.unique(both[np.isfinite(both)])[::-1]

    def at(self, threshold: float) -> Found:
        """What is found by all scores that reach the threshold."""
        found = sum(int((tops >= threshold).sum()) for tops, *_ in self._parts)
        alarms = sum(_alarms(np.flatnonzero(outside >= threshold), quiet) for _, outside, quiet, _ in self._parts)
        weeks = sum(weeks for *_, weeks in self._parts)
        return Found(found, sum(tops.size for tops, *_ in self._parts), alarms, weeks)

    def at_rate(self, rate: float) -> Found:
        """What is found by the lowest threshold with no more false alarms a week than this."""
        low, high = 0, self._steps.size - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.at(self._steps[middle]).rate <= rate:
                low = middle
            else:
                high = middle - 1
        return self.at(self._steps[low])


def _prepared(one: Series, score: Floats) -> tuple[Floats, Floats, int, float]:
    heard = np.nan_to_num(score, nan=-np.inf, posinf=1e300)
    heard[: one.warm] = -np.inf
    tops = [
        heard[max(0, first - one.slack) : last + one.slack + 1].max()
        for first, last in one.stretches
        if last >= one.warm
    ]
    outside = np.where(one.labelled, -np.inf, heard)
    weeks = (~one.labelled[one.warm :]).sum() * one.step / WEEK_SECONDS
    return np.array(tops), outside, ALARM_SECONDS // one.step, float(weeks)


def _alarms(places: NDArray[np.int64], quiet: int) -> int:
    count = at = 0
    while at < places.size:
        count += 1
        at = int(np.searchsorted(places, places[at] + quiet))
    return count


def _grid(times: NDArray[np.int64], values: Floats, step: int) -> Floats:
    places = (times - times[0] + step // 2) // step
    grid = np.full(int(places[-1]) + 1, np.nan)
    grid[places] = values
    return grid


def _series(path: Path) -> Iterator[tuple[str, NDArray[np.int64], Floats]]:
    found: defaultdict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for row in _rows(path):
        times, values = found[row["series"]]
        times.append(_seconds(row["timestamp"]))
        values.append(float(row["value"] or "nan"))
    for name, (times, values) in found.items():
        yield name, np.array(times, dtype=np.int64), np.array(values)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _seconds(text: str) -> int:
    return int(np.datetime64(text.replace(" ", "T")[:19], "s").astype(np.int64))


Scorer = Callable[[Series], Floats]
