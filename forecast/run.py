"""One run: every capacity target forecast 72 hours ahead; what fails for one stops none.

Targets are read one by one and forecast in batches: the combiner and Prophet's model take many series at once.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from forecast.batch import Answer, Batch
from forecast.earlier import Past
from forecast.methods import Ask
from forecast.models import NotEnoughHistoryError, Prediction, bounds_of, candidates, fewest_hours, method
from forecast.models.base import ModelError
from forecast.models.snaive24 import SeasonalNaive
from forecast.outlook import Limits, curve_of, find_breach
from forecast.prepare import History, read_history
from forecast.reference import Reference
from forecast.results import Forecast, Status
from forecast.settings import ForecastSettings, TargetSettings
from forecast.sources import Reader
from forecast.targets import Target, find_targets
from forewarn.base import words
from forewarn.base.clock import HOUR, Clock, SystemClock

log = logging.getLogger(__name__)

LONGEST_SILENCE_HOURS = 24
KNOWN_SHARE = 0.5
"""Of the hours that a forecast needs so many must have a value: a long history with hardly any says nothing."""
BATCH_TARGETS = 64
Progress = Callable[[int, int], None]


def make_forecasts(
    reader: Reader,
    settings: ForecastSettings,
    targets: Sequence[TargetSettings],
    as_of_ms: int,
    progress: Progress | None = None,
    *,
    earlier: Past | None = None,
    clock: Clock | None = None,
) -> Iterator[Forecast]:
    """Forecasts of all targets as of a moment, as they are made.

    Args:
        reader: where the series are.
        settings: history, model and deadline.
        targets: the ``[[target]]`` rows.
        as_of_ms: nothing later than this is looked at.
        progress: called with the number of targets done and of all, before the first and after each.
        earlier: stored forecasts, for the bands to learn from.
        clock: of the machine, unless a test brings its own.
    """
    found = _rotated(find_targets(reader, targets, as_of_ms), as_of_ms)
    yield from forecast_targets(reader, settings, found, as_of_ms, progress, earlier=earlier, clock=clock)


def forecast_targets(
    reader: Reader,
    settings: ForecastSettings,
    found: Sequence[Target],
    as_of_ms: int,
    progress: Progress | None = None,
    *,
    earlier: Past | None = None,
    clock: Clock | None = None,
) -> Iterator[Forecast]:
    """As ``make_forecasts``, of targets that were found elsewhere, in their order."""
    run = _Run(reader, settings, as_of_ms, clock or SystemClock(), earlier or {})
    done = 0
    for begin in range(0, len(found), BATCH_TARGETS):
        for forecast in run.forecasts(found[begin : begin + BATCH_TARGETS]):
            if progress is not None:
                progress(done, len(found))
            done += 1
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


_NOTHING = Answer()


@dataclass(frozen=True, slots=True)
class _Outcome:
    model: str
    prediction: Prediction | None
    reason: str
    status: Status = "ok"
    answer: Answer = _NOTHING


class _Run:
    def __init__(self, reader: Reader, settings: ForecastSettings, as_of_ms: int, clock: Clock, earlier: Past) -> None:
        self._reader = reader
        self._settings = settings
        self._as_of_ms = as_of_ms
        self._clock = clock
        self._earlier = earlier
        self._end = clock.monotonic() + settings.deadline

    def forecasts(self, targets: Sequence[Target]) -> Iterator[Forecast | None]:
        """The targets' forecasts, in order; None for a series of the catalogue that is no longer written."""
        read = [self._read(target) for target in targets]
        known = [(row, each) for row, each in enumerate(read) if isinstance(each, History)]
        answers = self._batched([(targets[row], history) for row, history in known])
        told = dict(zip((row for row, _ in known), answers, strict=True))
        for row, (target, each) in enumerate(zip(targets, read, strict=True)):
            yield self._told(target, each, told[row]) if isinstance(each, History) else each

    def _read(self, target: Target) -> History | Forecast | None:
        """The target's history, or what is to be said where that is not enough for a forecast."""
        try:
            history = read_history(self._reader, target, self._as_of_ms, round(self._settings.history * 1000))
        except Exception as error:  # noqa: BLE001  one target's failure, of whatever kind, must not take the others down
            return self._failed(target, error)
        if history is None:
            days = self._settings.history / 86400
            reason = f"no value in the last {days:g} days"
            return self._answer(target, None, "no_data", reason) if target.declared else None
        if history.values.size and history.silent_hours > LONGEST_SILENCE_HOURS:
            end_ms = history.end_ms - history.silent_hours * HOUR
            return self._answer(target, history, "no_data", f"no value since {words.moment(end_ms)}")
        fewest = fewest_hours(self._settings.model, target.kind)
        if history.hours < fewest or history.values.size < fewest:
            reason = f"has {words.hours(history.hours)} of history, {fewest} h are needed"
            return self._answer(target, history, "not_enough_history", reason)
        if history.known < KNOWN_SHARE * fewest:
            reason = f"only {history.known} hours have a value, {KNOWN_SHARE * fewest:g} are needed"
            return self._answer(target, history, "not_enough_history", reason)
        return history

    def _batched(self, known: Sequence[tuple[Target, History]]) -> list[Answer]:
        """Prophet's model of all, and our rule's answer; where there is no time left, of what fills up alone."""
        late = self._late()
        wanted = [method(self._settings.model, target.kind) for target, _ in known]
        found = [_NOTHING] * len(known)
        for want in {one for one in wanted if one == "fill" or not late}:
            rows = [row for row, one in enumerate(wanted) if one == want]
            asks = [self._ask(*known[row]) for row in rows]
            for row, answer in zip(rows, Batch(asks, want).answers(), strict=True):
                found[row] = answer
        return found

    def _ask(self, target: Target, history: History) -> Ask:
        return Ask(
            history,
            target.statistic,
            target.kind,
            target.limit,
            target.below,
            bounds_of(history, target.unit, target.ceiling).high,
            self._earlier.get((str(target.key), target.statistic), ()),
        )

    def _told(self, target: Target, history: History, answer: Answer) -> Forecast:
        try:
            return self._finished(target, history, self._chosen(target, history, answer), answer.prophet)
        except Exception as error:  # noqa: BLE001  as above
            return self._failed(target, error)

    def _chosen(self, target: Target, history: History, answer: Answer) -> "_Outcome":
        """Our rule's answer where there is one, else a single model's."""
        reason = answer.reason
        if answer.prediction is not None:
            try:
                bounds = bounds_of(history, target.unit, target.ceiling)
                return _Outcome(answer.model, answer.prediction.tidy(bounds), "", answer=answer)
            except ModelError as error:
                reason = f"{answer.model}: {error}"
        return self._predict(target, history, [reason] if reason else [])

    def _late(self) -> bool:
        return self._clock.monotonic() > self._end

    def _predict(self, target: Target, history: History, notes: list[str]) -> _Outcome:
        """What the first model that has an answer says; why the ones before it have none."""
        models, note = candidates(self._settings.model, history.values.size)
        notes += [note] if note else []
        if self._late():
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

    def _finished(self, target: Target, history: History, outcome: _Outcome, prophet: Reference | None) -> Forecast:
        prediction = outcome.prediction
        if prediction is None:
            return self._answer(target, history, outcome.status, outcome.reason)
        limits = Limits(target.limit, target.below, target.unit)
        answer = outcome.answer
        curve = answer.curve if answer.curve is not None else curve_of(target.kind, history, prediction, limits)
        breach = find_breach(history, prediction, limits, curve)
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
            prophet=prophet,
            chance=breach.chance,
            widening=answer.widening,
            demand=answer.demand,
        )

    def _failed(self, target: Target, error: Exception) -> Forecast:
        log.error("a forecast failed", extra={"target": str(target.key), "statistic": target.statistic}, exc_info=error)
        return self._answer(target, None, "failed", f"{type(error).__name__}: {error}")

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
