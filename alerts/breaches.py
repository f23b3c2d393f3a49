"""The condition of ``forecast_breach`` rules: a limit will probably be reached, or is crossed already.

What is told is a probability, never that a line crosses another. A rule with ``severity_by_lead`` gives one reading a
severity, and of those that hold the engine lets the most urgent one speak.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.evidence import Record, record
from alerts.inputs import Prediction, Reading, with_metric
from alerts.rule import RuleSettings, Severity
from alerts.view import View
from collector.series import SeriesKey, parse_selector
from forecast.chance import Chance
from forewarn.base.clock import HOUR, MINUTE, rfc3339
from forewarn.base.words import chance as percent
from forewarn.base.words import duration, moment, quantity

HORIZON_MS = 72 * HOUR
_AS_LIKELY_AS_NOT = 0.5


def breaches(rule: RuleSettings, view: View) -> Iterator[Reading]:
    """One reading for each target that can be judged, and for each of the rule's severities."""
    for target, forecasts in _judged(rule, view).items():
        for severity, seconds in rule.stages:
            yield _Question(rule, view, target, severity, round(seconds * 1000)).answered(forecasts)


def _judged(rule: RuleSettings, view: View) -> Mapping[SeriesKey, list[Prediction]]:
    matchers = parse_selector(rule.match)
    found: dict[SeriesKey, list[Prediction]] = {}
    for forecast in view.predictions():
        fresh = view.now_ms - forecast.as_of_ms <= rule.stale_ms
        usable = forecast.status == "ok" and forecast.decisive and forecast.limit is not None
        told = forecast.chance is not None or forecast.crossed
        if fresh and usable and told and all(matcher.matches(forecast.target) for matcher in matchers):
            found.setdefault(forecast.target, []).append(forecast)
    return found


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether a target breaches within one window of one rule."""

    rule: RuleSettings
    view: View
    target: SeriesKey
    severity: Severity
    window_ms: int

    def answered(self, forecasts: Sequence[Prediction]) -> Reading:
        """By the statistic that is the nearest to its limit."""
        crossed = [(one.breach_ms or 0, one) for one in forecasts if one.crossed]
        if crossed:
            return self._crossed(*min(crossed, key=lambda pair: pair[0]))
        asked = [
            (one.probability(self.view.now_ms, self.window_ms), one, one.chance) for one in forecasts if one.chance
        ]
        return self._ahead(*max(asked, key=lambda row: row[0]))

    def _crossed(self, since_ms: int, forecast: Prediction) -> Reading:
        """Something that has been so for days is no news: it begins in the least urgent stage."""
        lasting = self.view.now_ms - since_ms
        verb = "under" if forecast.below else "over"
        known = self._record(forecast)
        facts = {
            "value": "100 %",
            "outlook": f"has been at or {verb} {_limit(forecast)} since {moment(since_ms)}",
            "timing": f"So it has been for {duration(lasting / 1000)}.",
            "evidence": f"Known from {_history(forecast)} of history.",
            **self._shared_facts(forecast, known),
        }
        notes = {"crossed_since": rfc3339(since_ms), **self._shared_notes(forecast, known)}
        last_stage = self.severity == self.rule.stages[-1][0]
        return self._reading(
            forecast, 1.0, raised=last_stage or lasting <= HORIZON_MS, held=True, facts=facts, notes=notes
        )

    def _ahead(self, probability: float, forecast: Prediction, chance: Chance) -> Reading:
        window = _span(self.window_ms)
        if probability < self.rule.clear_probability:
            ended = f"the probability within {window} is {percent(probability)}"
            return self._reading(forecast, probability, raised=False, held=False, ended=ended)
        will = "will probably" if probability >= _AS_LIKELY_AS_NOT else "may"
        verb = "fall to" if forecast.below else "reach"
        known = self._record(forecast)
        facts = {
            "value": percent(probability),
            "outlook": f"{will} {verb} {_limit(forecast)} within {window} ({percent(probability)})",
            "timing": self._timing(forecast, chance),
            "evidence": f"From {_history(forecast)} of history; {known.text}; {_plain_rule(chance)}.",
            **self._shared_facts(forecast, known),
        }
        hours = {"breach_earliest": chance.t10, "breach_at": chance.t50, "breach_latest": chance.t90}
        times = {name: forecast.start_ms + hour * HOUR for name, hour in hours.items() if hour is not None}
        notes = {
            "probability": f"{probability:.4g}",
            "crossed_last_72h": str(chance.crossed_lately).lower(),
            **{name: rfc3339(time_ms) for name, time_ms in times.items()},
            **self._shared_notes(forecast, known),
        }
        raised = probability >= self.rule.probability
        return self._reading(forecast, probability, raised=raised, held=True, facts=facts, notes=notes)

    def _timing(self, forecast: Prediction, chance: Chance) -> str:
        early, middle = (None if hour is None else forecast.start_ms + hour * HOUR for hour in (chance.t10, chance.t50))
        parts = []
        if middle is not None:
            parts.append(f"as likely as not by {moment(middle)} ({_lead(middle, self.view.now_ms)})")
        if early is not None and early != middle:
            parts.append(f"one chance in ten {_lead(early, self.view.now_ms)}")
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}."

    def _record(self, forecast: Prediction) -> Record:
        return record(self.view.card, str(self.target), forecast.statistic)

    def _shared_facts(self, forecast: Prediction, known: Record) -> dict[str, str]:
        return {
            "metric": self.target.name,
            "series": str(self.target),
            "limit": _limit(forecast),
            "window": _span(self.window_ms),
            "model": forecast.model,
            "history": _history(forecast),
            "score": known.text,
        }

    def _shared_notes(self, forecast: Prediction, known: Record) -> dict[str, str]:
        return {
            "window_hours": f"{self.window_ms / HOUR:g}",
            "history_hours": f"{forecast.history_hours:g}",
            "statistic": forecast.statistic,
            "model": forecast.model,
            **known.notes,
        }

    def _reading(self, forecast: Prediction, value: float, *, raised: bool, held: bool, **more: object) -> Reading:
        return Reading(
            labels=with_metric(self.target),
            time_ms=forecast.as_of_ms,
            value=value,
            raised=raised,
            held=held,
            severity=self.severity,
            **more,  # type: ignore[arg-type]  # the callers above name them
        )


def _limit(forecast: Prediction) -> str:
    return "its limit" if forecast.limit is None else quantity(forecast.limit, forecast.unit)


def _history(forecast: Prediction) -> str:
    return duration(forecast.history_hours * 3600)


def _plain_rule(chance: Chance) -> str:
    return f"the plain rule 'it crossed in the last 72 h' says {'yes' if chance.crossed_lately else 'no'}"


def _span(window_ms: int) -> str:
    """A window in hours, where it is whole hours."""
    return f"{window_ms // HOUR} h" if window_ms % HOUR == 0 else duration(window_ms / 1000)


def _lead(time_ms: int, now_ms: int) -> str:
    minutes = (time_ms - now_ms) // MINUTE
    return f"in {duration(minutes * 60)}" if minutes > 0 else "at any moment"
