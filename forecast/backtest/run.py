"""One back-test: a file read, every origin answered, every threshold given its probability."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecast.backtest.answers import Answers, Kind, Statistic, answer
from forecast.backtest.hourly import HourlySeries, read_hourly
from forecast.backtest.origins import Origin, Question, read_origins, rolling
from forecast.backtest.windows import Windows
from forecast.breach.paths import Crossing, crossing, fill_crossing
from forecast.sources import Floats
from forewarn.base.errors import UsageError

Stage = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Shows the progress of something named, given how much is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was asked and what was answered.

    Attributes:
        origins: the moments of the forecasts.
        windows: what was known before each and what came after it.
        answers: the forecasts, one an origin.
        questions: the thresholds asked about; none where the origins were not read from a file.
        crossing: the answers to those; None where nobody wanted them.
    """

    origins: list[Origin]
    windows: Windows
    answers: Answers
    questions: list[Question]
    crossing: Crossing | None

    @property
    def thresholds(self) -> Floats:
        """One a question, [m]."""
        return np.array([question.threshold for question in self.questions], dtype=np.float64)

    @property
    def asked(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """The origin of each question, [m]."""
        return np.array([question.origin for question in self.questions], dtype=np.int64)


def backtest(
    file: Path, origins: int | Path, *, kind: Kind, value: Statistic, seed: int, breaches: bool, stage: Stage
) -> Backtest:
    """Read, ask and answer.

    Args:
        file: columns series, timestamp, value.
        origins: so many rolling ones a series, or a file of them.
        kind: how the series are used up; for ``fill`` values are levels at the hour's end.
        value: the hourly mean or the hourly maximum.
        seed: of all that is drawn.
        breaches: whether the thresholds of the origins' file are to be answered.
        stage: shows progress.

    Raises:
        UsageError: a file is not as it should be; the message names its line.
    """
    if breaches and isinstance(origins, int):
        raise UsageError(
            "--breaches needs thresholds", hint="give --origins a file with columns series, origin, threshold"
        )
    with stage(f"reading {file.name}") as bar:
        series = read_hourly(file, bar)
    asked, questions = _asked(origins, series)
    if breaches and not questions:
        raise UsageError(f"{origins} gives no thresholds", hint="fill its column threshold where a breach is wanted")
    windows = Windows.of(series, asked, "end" if kind == "fill" else value)
    with stage("forecasting") as bar:
        answers = answer(windows.grid, kind, value, bar)
    found = Backtest(asked, windows, answers, questions, None)
    if not breaches:
        return found
    return Backtest(asked, windows, answers, questions, _crossing(found, np.random.default_rng(seed)))


def _asked(origins: int | Path, series: Mapping[str, HourlySeries]) -> tuple[list[Origin], list[Question]]:
    return (rolling(series, origins), []) if isinstance(origins, int) else read_origins(origins, series)


def _crossing(found: Backtest, random: np.random.Generator) -> Crossing:
    asked, thresholds = found.asked, found.thresholds
    curve = np.full((asked.size, found.windows.actual.shape[1]), np.nan)
    known = np.asarray(found.windows.grid.known.any(axis=1))[asked]
    filled = found.answers.filled[asked]
    level, fill = np.flatnonzero(known & ~filled), np.flatnonzero(known & filled)
    quantiles = found.answers.quantiles
    past = found.windows.grid.values
    curve[level] = crossing(quantiles[asked[level]], past[asked[level]], thresholds[level], random).curve
    curve[fill] = fill_crossing(quantiles[asked[fill]], thresholds[fill]).curve
    return Crossing(curve)
