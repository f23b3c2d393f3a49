"""Forewarn's own answers, through ``forewarn backtest`` as anybody would run it."""

import csv
import gzip
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.forecasting.asking import ONE_THREAD
from bench.forecasting.windows import Floats, Windows
from forecast.scores import LEVELS
from forecast.settings import HORIZON_HOURS
from forewarn.base.clock import HOUR, parse_time, rfc3339
from forewarn.base.errors import ForewarnError

QUANTILES = ("q025", "q10", "q50", "q90", "q975")
CHANCES = ("p24", "p48", "p72", "t10", "t50", "t90")
FOREWARN = Path(sys.executable).with_name("forewarn")
HALF_HOUR = HOUR // 2


@dataclass(frozen=True)
class Answers:
    """What Forewarn said of n windows.

    Attributes:
        quantiles: [n, 72, 5].
        chances: [n, k, 6] of k thresholds a window the columns ``CHANCES``; NaN where nothing was asked.
    """

    quantiles: Floats
    chances: Floats


def backtest(folder: Path, asked: Windows, work: Path, thresholds: Floats | None = None, *more: str) -> Answers:
    """The answers of one run a set.

    Args:
        folder: where ``<set>.csv.gz`` lie.
        asked: the windows.
        work: a folder for what is written.
        thresholds: [n, k], NaN where nothing is asked; None where no breach is.
        more: options of ``forewarn backtest``.
    """
    count = 0 if thresholds is None else thresholds.shape[1]
    found = Answers(
        np.full((len(asked), HORIZON_HOURS, len(LEVELS)), np.nan), np.full((len(asked), count, len(CHANCES)), np.nan)
    )
    for source in np.unique(asked.source).tolist():
        rows = np.flatnonzero(asked.source == source)
        own = None if thresholds is None else thresholds[rows]
        one = _of_file(folder / f"{source}.csv.gz", asked.rows(rows), work, own, *more)
        found.quantiles[rows], found.chances[rows] = one.quantiles, one.chances
    return found


def backtest_cut(
    past: Floats, work: Path, thresholds: Floats | None = None, *more: str, value_at: int = HALF_HOUR
) -> Answers:
    """The answers to hours that are written to a file of their own, one series a window and nothing after its origin.

    Args:
        past: [n, hours], NaN where missing.
        work: a folder for what is written.
        thresholds: as for ``backtest``.
        more: options of ``forewarn backtest``.
        value_at: where in its hour a value lies, in milliseconds.
    """
    names = np.array([f"window/{place}" for place in range(len(past))])
    begin = 480_000
    file = work / "windows.csv.gz"
    with gzip.open(file, "wt", compresslevel=1, encoding="utf-8") as stream:
        stream.write("series,timestamp,value\n")
        for name, row in zip(names.tolist(), past, strict=True):
            for hour in np.flatnonzero(np.isfinite(row)).tolist():
                stream.write(f"{name},{rfc3339((begin + hour) * HOUR + value_at)},{float(row[hour])!r}\n")
    hours = np.full(len(past), begin + past.shape[1])
    nothing = np.full((len(past), HORIZON_HOURS), np.nan)
    asked = Windows(np.full(len(past), "windows"), names, hours, past, nothing)
    return _of_file(file, asked, work, thresholds, *more)


def _of_file(file: Path, asked: Windows, work: Path, thresholds: Floats | None, *more: str) -> Answers:
    origins, told, crossed = work / "origins.csv", work / "forecasts.csv.gz", work / "breaches.csv"
    questions = _write(origins, asked, thresholds)
    command = ["backtest", str(file), "--horizon", "72h", "--origins", str(origins), "--forecasts", str(told), *more]
    _forewarn([*command, "--breaches", str(crossed)] if questions else command)
    quantiles = np.full((len(asked), HORIZON_HOURS, len(LEVELS)), np.nan)
    place = {key: row for row, key in enumerate(zip(asked.series.tolist(), asked.hour.tolist(), strict=True))}
    for row in _rows(told):
        origin = parse_time(row["origin"]) // HOUR
        ahead = parse_time(row["timestamp"]) // HOUR - origin
        quantiles[place[row["series"], origin], ahead] = [float(row[name] or "nan") for name in QUANTILES]
    count = 0 if thresholds is None else thresholds.shape[1]
    chances = np.full((len(asked), count, len(CHANCES)), np.nan)
    for (window, column), row in zip(questions, _rows(crossed) if questions else [], strict=True):
        chances[window, column] = [float(row[name] or "nan") for name in CHANCES]
    return Answers(quantiles, chances)


def _write(path: Path, asked: Windows, thresholds: Floats | None) -> list[tuple[int, int]]:
    """The file of origins; which window and threshold each row with a threshold is of."""
    questions: list[tuple[int, int]] = []
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("series", "origin", "threshold"))
        for window, (name, hour) in enumerate(zip(asked.series.tolist(), asked.hour.tolist(), strict=True)):
            at = rfc3339(hour * HOUR)
            columns = [] if thresholds is None else np.flatnonzero(np.isfinite(thresholds[window])).tolist()
            for column in columns:
                assert thresholds is not None
                writer.writerow((name, at, repr(float(thresholds[window, column]))))
                questions.append((window, column))
            if not columns:
                writer.writerow((name, at, ""))
    return questions


def _forewarn(arguments: Sequence[str]) -> None:
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run([str(FOREWARN), *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise ForewarnError(f"forewarn {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")


def _rows(path: Path) -> list[Mapping[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
