"""One run: every capacity target forecast 72 hours ahead, each on its own; what fails for one stops none."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from forecast.breach import Limits, find_breach
from forecast.models import FEWEST_HOURS, NotEnoughHistoryError, Prediction, bounds_of, candidates
from forecast.models.snaive24 import SeasonalNaive
from forecast.prepare import History, read_history
from forecast.results import Forecast, Status
from forecast.settings import ForecastSettings, TargetSettings
from forecast.sources import Reader
from forecast.targets import Target, find_targets
from forewarn.base import words
from forewarn.base.clock import HOUR, Clock, SystemClock

log = logging.getLogger(__name__)

LONGEST_SILENCE_HOURS = 24
Progress = Callable[[int, int], None]


def make_forecasts(
    reader: Reader,
    settings: ForecastSettings,
    targets: Sequence[TargetSettings],
    as_of_ms: int,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
) -> Iterator[Forecast]:
    """Forecasts of all targets as of a moment, as they are made.

    Args:
        reader: where the series are.
        settings: history, model and deadline.
        targets: the ``[[target]]`` rows.
        as_of_ms: nothing later than this is looked at.
        progress: called with the number of targets done and of all, before the first and after each.
        clock: of the machine, unless a test brings its own.
    """
    run = _Run(reader, settings, as_of_ms, clock or SystemClock())
    found = _rotated(find_targets(reader, targets, as_of_ms), as_of_ms)
    for done, target in enumerate(found):
        if progress is not None:
            progress(done, len(found))
        forecast = run.forecast(target)
        if forecast is not None:
            yield forecast
    if progress is not None:
        progress(len(found), len(found))


def _rotated(targets: list[Target], as_of_ms: int) -> list[Target]:
    """A different order each hour, so that a deadline does not always strike the same targets."""
    if not targets:
        return targets
    turn = as_of_ms // HOUR * 7 % len(targets)
    return targets[turn:] + targets[:turn]


@dataclass(frozen=True, slots=True)
class _Outcome:
    model: str
    prediction: Prediction | None
    reason: str
    status: Status = "ok"


class _Run:
    def __init__(self, reader: Reader, settings: ForecastSettings, as_of_ms: int, clock: Clock) -> None:
        self._reader = reader
        self._settings = settings
        self._as_of_ms = as_of_ms
        self._clock = clock
        self._end = clock.monotonic() + settings.deadline

    def forecast(self, target: Target) -> Forecast | None:
        """The target's forecast; None for a series that the catalogue names and that is no longer written."""
        try:
            history = read_history(self._reader, target, self._as_of_ms, round(self._settings.history * 1000))
            if history is None and not target.declared:
                return None
            return self._from_history(target, history)
        except Exception as error:  # one target's failure, of whatever kind, must not take the others down
            log.exception("a forecast failed", extra={"target": str(target.key), "statistic": target.statistic})
            return self._answer(target, None, "failed", f"{type(error).__name__}: {error}")

    def _from_history(self, target: Target, history: History | None) -> Forecast:
        if history is None:
            days = self._settings.history / 86400
            return self._answer(target, None, "no_data", f"no value in the last {days:g} days")
        if history.values.size and history.silent_hours > LONGEST_SILENCE_HOURS:
            end_ms = history.end_ms - history.silent_hours * HOUR
            return self._answer(target, history, "no_data", f"no value since {words.moment(end_ms)}")
        if history.hours < FEWEST_HOURS or history.values.size < FEWEST_HOURS:
            reason = f"has {words.hours(history.hours)} of history, {FEWEST_HOURS} h are needed"
            return self._answer(target, history, "not_enough_history", reason)
        outcome = self._predict(target, history)
        if outcome.prediction is None:
            return self._answer(target, history, outcome.status, outcome.reason)
        return self._finished(target, history, outcome)

    def _predict(self, target: Target, history: History) -> _Outcome:
        """What the first model that has an answer says; why the ones before it have none."""
        models, note = candidates(self._settings.model, target.kind, history.values.size, below=target.below)
        notes = [note] if note else []
        if self._clock.monotonic() > self._end and len(models) > 1:
            notes.append(f"the run's {self._settings.deadline:g} s were used up")
            models = [SeasonalNaive()]
        status: Status = "not_enough_history"
        for model in models:
            try:
                bounds = bounds_of(history, target.unit, target.ceiling)
                return _Outcome(model.name, model.predict(history).tidy(bounds), "; ".join(notes))
            except NotEnoughHistoryError as error:
                notes.append(f"{model.name}: {error}")
            except Exception as error:  # Stan and pandas raise what they like; the next model is tried
                log.warning(
                    "a model failed",
                    extra={"model": model.name, "target": str(target.key), "statistic": target.statistic},
                    exc_info=True,
                )
                notes.append(f"{model.name}: {error or type(error).__name__}")
                status = "failed"
        return _Outcome("", None, "; ".join(notes), status)

    def _finished(self, target: Target, history: History, outcome: _Outcome) -> Forecast:
        prediction = outcome.prediction
        assert prediction is not None
        breach = find_breach(history, prediction, Limits(target.limit, target.below, target.unit))
        return self._answer(
            target,
            history,
            "ok",
            outcome.reason,
            model=outcome.model,
            points={
                "mean": prediction.mean.tolist(),
                **{name: values.tolist() for name, values in prediction.bands.items()},
            },
            breach_ms=breach.expected_ms,
            breach_early_ms=breach.early_ms,
            breach_reason=breach.reason,
        )

    def _answer(self, target: Target, history: History | None, status: Status, reason: str, **more: object) -> Forecast:
        return Forecast(
            target=target.key,
            statistic=target.statistic,
            kind=target.kind,
            unit=target.unit,
            made_ms=self._clock.now_ms(),
            as_of_ms=self._as_of_ms,
            status=status,
            reason=reason,
            history_hours=round(history.hours, 2) if history is not None else 0.0,
            step_ms=HOUR,
            start_ms=self._as_of_ms - self._as_of_ms % HOUR,
            limit=target.limit,
            below=target.below,
            **{"model": "", **more},  # type: ignore[arg-type]  # the caller above names them
        )
