"""How true plans are: what they said of the past of measured and of made-up series, and what came.

``python -m forecast.plan.evaluation --data DIR`` prints the tables of docs/plan.md. DIR holds the sets of
``forecast.train``; made-up series are ``forecast.train.synthetic``'s, and nodes of GPUs whose jobs come and go.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecast.grid import Flags
from forecast.plan.asking import NEEDED_DAYS
from forecast.plan.demand import Demand
from forecast.plan.longrange import HISTORY_DAYS
from forecast.plan.outlook import Outlook, point_of
from forecast.plan.trials import DAY_HOURS, daily_peaks
from forecast.sources import Floats
from forecast.train import synthetic
from forecast.train.series import OPEN_SETS, UNSEEN_SETS, Hourly, read_sets

GAINS = (-0.25, 0.0, 0.25, 0.5, 1.0, 2.0)
"""Thresholds, in units of the month's highest peak over its median beyond the week's highest peak."""
EVERY_DAYS = 3
MOST_ORIGINS = 6
BATCH = 40
SAFE = 0.05


@dataclass(frozen=True)
class Answers:
    """Questions asked of the past.

    Attributes:
        said: the probability to reach the threshold within the horizon.
        came: whether it was reached.
        series: whose.
        median_off: days by which the stated t50 missed the crossing, of those that have both.
    """

    said: Floats
    came: Flags
    series: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    median_off: Floats

    def figures(self) -> dict[str, float]:
        """Each series weighs the same."""
        _, which, count = np.unique(self.series, return_inverse=True, return_counts=True)
        weight = 1 / count[which] / count.size
        share = float(weight @ self.came)
        safe = self.said < SAFE
        bins = np.minimum((self.said * 10).astype(int), 9)
        gaps = [abs(float((weight * (self.said - self.came))[bins == place].sum())) for place in range(10)]
        return {
            "questions": float(self.said.size),
            "series": float(count.size),
            "crossed": share,
            "brier": float(weight @ (self.said - self.came) ** 2),
            "brier_base": share * (1 - share),
            "calibration_error": sum(gaps),
            "auc": _auc(self.said, self.came),
            "safe_questions": float(safe.sum()),
            "safe_said": float(self.said[safe].mean()) if safe.any() else np.nan,
            "safe_crossed": float(self.came[safe].mean()) if safe.any() else np.nan,
            "t50_off_days": float(np.median(np.abs(self.median_off))) if self.median_off.size else np.nan,
        }


def ask_past(sets: Sequence[Hourly], days: int, least_days: int) -> Answers:
    """What was said at days of the past with so much history, of thresholds around what was known then."""
    questions = [one for each in sets for one in _questions(each, days, least_days)]
    said, off = np.empty(len(questions)), []
    for begin in range(0, len(questions), BATCH):
        part = questions[begin : begin + BATCH]
        outlook = Outlook.of([Demand(one.past, one.threshold, extreme=True) for one in part])
        free = Outlook(outlook.demands, outlook.short, outlook.long, np.full(len(part), days))
        curves = free.curves(np.arange(len(part)), np.array([one.threshold for one in part]))
        said[begin : begin + BATCH] = curves[:, point_of(days)]
        for one, curve in zip(part, curves, strict=True):
            half = np.flatnonzero(curve[: point_of(days) + 1] >= 0.5)
            if half.size and one.crossed_day is not None:
                off.append(_day(int(half[0])) - one.crossed_day)
    came = np.array([one.crossed_day is not None for one in questions])
    return Answers(said, came, np.array([one.series for one in questions]), np.array(off))


@dataclass(frozen=True, slots=True)
class _Question:
    series: str
    past: Floats
    threshold: float
    crossed_day: int | None


def _questions(each: Hourly, days: int, least_days: int) -> Iterator[_Question]:
    peaks = daily_peaks(each.max[None])[0]
    hours = each.max[-peaks.size * DAY_HOURS :]
    origins = range(peaks.size - days, least_days - 1, -EVERY_DAYS)[:MOST_ORIGINS]
    for origin in origins:
        past, ahead = peaks[:origin], peaks[origin : origin + days]
        week, month = past[-7:], past[-28:]
        if np.isfinite(past).mean() < 0.8 or np.isfinite(ahead).mean() < 0.9 or not np.isfinite(past[-1]):
            continue
        if np.nanmax(past) == np.nanmin(past):
            continue
        unit = max(np.nanmax(month) - np.nanmedian(month), 1e-3 * abs(np.nanmax(month)))
        before = hours[max(0, origin - HISTORY_DAYS) * DAY_HOURS : origin * DAY_HOURS]
        for gain in GAINS:
            threshold = float(np.nanmax(week) + gain * unit)
            if past[-1] < threshold:
                reached = np.flatnonzero(ahead >= threshold)
                crossed = int(reached[0]) if reached.size else None
                yield _Question(f"{each.source}/{each.name}", before, threshold, crossed)


def made_up(count: int, days: int, seed: int) -> list[Hourly]:
    """Series of all kinds that are made up."""
    random = np.random.default_rng(seed)
    found = (synthetic.series(random, days * DAY_HOURS) for _ in range(count))
    return [Hourly("made up", str(place), values, values) for place, values in enumerate(found)]


def gpus(count: int, days: int, seed: int) -> list[Hourly]:
    """Nodes whose GPUs serve jobs that come by the hour of day and stay a while, and become more or fewer by the day.

    As many are busy as an M/G/infinity queue has jobs: a Poisson number, that changes with the jobs that come and go.
    """
    random = np.random.default_rng(seed)
    found = []
    for place in range(count):
        hours = np.arange(days * DAY_HOURS)
        growth = np.exp(random.uniform(-0.01, 0.02) * hours / DAY_HOURS)
        shape = 1 + random.uniform(0, 0.6) * np.sin(2 * np.pi * hours / DAY_HOURS)
        stay = random.uniform(2, 12)
        rate = random.uniform(20, 200) / stay * growth * shape
        begin = np.repeat(hours, random.poisson(rate))
        end = np.minimum(begin + 1 + random.exponential(stay, begin.size).astype(int), hours.size)
        change = np.bincount(begin, minlength=hours.size + 1) - np.bincount(end, minlength=hours.size + 1)
        busy = np.cumsum(change)[:-1].astype(np.float64)
        found.append(Hourly("gpus", str(place), busy, busy))
    return found


def enough_gpus(sets: Sequence[Hourly], days: int) -> dict[str, float]:
    """Of the smallest capacity that a plan says to keep p(breach) under 5 %: how often it was not enough."""
    breached, bought = [], []
    for each in sets:
        hours = each.max.size - days * DAY_HOURS
        past, ahead = each.max[:hours], each.max[hours:]
        now = float(past.max())
        limits = now * np.linspace(0.7, 4.0, 67)
        outlook = Outlook.of([Demand(past, now, extreme=True)])
        told = outlook.curves(np.zeros(limits.size, dtype=np.int64), limits, deciding=True)[:, point_of(days)]
        enough = np.flatnonzero(told < SAFE)
        if enough.size:
            breached.append(bool((ahead >= limits[enough[0]]).any()))
            bought.append(float(limits[enough[0]] / ahead.max()))
    return {"nodes": len(breached), "breached": float(np.mean(breached)), "over_need": float(np.median(bought))}


def _day(point: int) -> int:
    return point // DAY_HOURS if point < 3 * DAY_HOURS else point - 2 * DAY_HOURS - (DAY_HOURS - 3)


def _auc(said: Floats, came: Flags) -> float:
    _, place, count = np.unique(said, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    hits, misses = int(came.sum()), int((~came).sum())
    if not hits or not misses:
        return np.nan
    return float((rank[came].sum() - hits * (hits + 1) / 2) / (hits * misses))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the measured sets")
    parser.add_argument("--series", type=int, default=300, help="how many made-up series")
    parser.add_argument("--seed", type=int, default=3)
    asked = parser.parse_args()
    measured = read_sets(asked.data, OPEN_SETS), read_sets(asked.data, UNSEEN_SETS)
    many = made_up(asked.series, HISTORY_DAYS, asked.seed)
    for days in (14, 30):
        for name, sets in (("made up", many), ("open sets", measured[0]), ("unseen sets", measured[1])):
            for least in sorted({days, NEEDED_DAYS[days]}):
                found = ask_past(sets, days, least)
                if found.said.size and found.came.any():
                    _show(f"{name}, {days} d, history >= {least} d", found.figures())
    for days in (3, 14, 30):
        _show(f"GPUs, {days} d", enough_gpus(gpus(asked.series, 60 + days, asked.seed), days))


def _show(title: str, figures: dict[str, float]) -> None:
    told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    sys.stdout.write(f"{title}: {told}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
