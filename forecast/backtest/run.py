"""One back-test: a file read, every origin answered, every threshold given its probability."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecast.backtest.answers import Answers, Kind, Statistic, answer
from forecast.backtest.earlier import widening
from forecast.backtest.hourly import HourlySeries, read_hourly
from forecast.backtest.origins import Origin, Question, read_origins, rolling
from forecast.backtest.windows import Windows
from forecast.breach import Crossing, crossing, fill_crossing
from forecast.combiner import Combination
from forecast.grid import Grid, Ints
from forecast.settings import HORIZON_HOURS
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
    def asked(self) -> Ints:
        """The origin of each question, [m]."""
        return np.array([question.origin for question in self.questions], dtype=np.int64)


def backtest(
    file: Path, origins: int | Path, *, kind: Kind, value: Statistic, breaches: bool, stage: Stage
) -> Backtest:
    """Read, ask and answer.

    Args:
        file: columns series, timestamp, value.
        origins: so many rolling ones a series, or a file of them.
        kind: how the series are used up; for ``fill`` values are levels at the hour's end.
        value: the hourly mean or the hourly maximum.
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
    told = _Told(questions, value) if breaches else None
    factors = None
    if kind != "fill":
        with stage("forecasting what is over") as bar:
            factors = widening(series, asked, kind, value, bar)
    with stage("forecasting") as bar:
        heard = told.heard if told is not None else None
        answers = answer(windows.grid, kind, value, bar, heard=heard, widening=factors)
    return Backtest(asked, windows, answers, questions, told.crossing(answers) if told is not None else None)


def _asked(origins: int | Path, series: Mapping[str, HourlySeries]) -> tuple[list[Origin], list[Question]]:
    return (rolling(series, origins), []) if isinstance(origins, int) else read_origins(origins, series)


class _Told:
    """The probabilities of all questions; those of gauges and allocations are worked out while forecasts are made."""

    def __init__(self, questions: list[Question], statistic: Statistic) -> None:
        self._origin = np.array([question.origin for question in questions], dtype=np.int64)
        self._threshold = np.array([question.threshold for question in questions], dtype=np.float64)
        self._statistic = statistic
        self._curve = np.full((len(questions), HORIZON_HOURS), np.nan)

    def heard(self, rows: Ints, grid: Grid, combination: Combination) -> None:
        """What the combiner says of some of the origins."""
        mine = np.flatnonzero(np.isin(self._origin, rows))
        place = np.searchsorted(rows, self._origin[mine])
        self._curve[mine] = crossing(grid, combination, place, self._threshold[mine], self._statistic).curve

    def crossing(self, answers: Answers) -> Crossing:
        """All answers, NaN where nothing was known."""
        fills = answers.filled[self._origin] & np.isfinite(answers.quantiles[self._origin, 0, 0])
        self._curve[fills] = fill_crossing(answers.quantiles[self._origin[fills]], self._threshold[fills]).curve
        return Crossing(self._curve)
