"""What the room reads: the newest samples, and the newest forecasts.

The store and the forecast book fulfil these; the engine sees no more of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from alerts.rule import Severity
from collector.series import Labels, Matcher, SeriesKey, labels_of
from forecast.chance import Chance


class LatestSample(Protocol):
    """The newest value of a series."""

    @property
    def key(self) -> SeriesKey:
        """Whose value."""
        ...

    @property
    def time_ms(self) -> int:
        """When it was measured."""
        ...

    @property
    def value(self) -> float:
        """The value, in the metric's base unit."""
        ...


class LatestSamples(Protocol):
    """The store, as far as rules see it."""

    def latest(self, *matchers: Matcher, max_age_ms: int, now_ms: int) -> Sequence[LatestSample]:
        """The newest sample of each series that fulfils all conditions, no older than ``max_age_ms``."""
        ...


class Prediction(Protocol):
    """A forecast, as far as rules see it; see forecast.results.Forecast."""

    @property
    def target(self) -> SeriesKey:
        """Whose future."""
        ...

    @property
    def decisive(self) -> bool:
        """Whether it says when the capacity ends."""
        ...

    @property
    def statistic(self) -> str:
        """mean, max or min of each hour."""
        ...

    @property
    def unit(self) -> str:
        """Base unit of its values."""
        ...

    @property
    def below(self) -> bool:
        """Whether it runs out at the lower end."""
        ...

    @property
    def start_ms(self) -> int:
        """Its first hour."""
        ...

    @property
    def as_of_ms(self) -> int:
        """The moment that it looks ahead from."""
        ...

    @property
    def model(self) -> str:
        """What made it."""
        ...

    @property
    def status(self) -> str:
        """``ok`` where there is a forecast."""
        ...

    @property
    def history_hours(self) -> float:
        """Length of the history that it was made from."""
        ...

    @property
    def limit(self) -> float | None:
        """Where the capacity ends."""
        ...

    @property
    def breach_ms(self) -> int | None:
        """When the limit is as likely as not to have been reached; in the past where it is crossed already."""
        ...

    @property
    def chance(self) -> Chance | None:
        """The probability to reach it; None without a limit, or where it is crossed already."""
        ...

    @property
    def crossed(self) -> bool:
        """Whether it was crossed already when the forecast was made."""
        ...

    def probability(self, from_ms: int, window_ms: int) -> float:
        """The probability to reach the limit by the end of a window."""
        ...


class Predictions(Protocol):
    """The forecast book, as far as rules see it."""

    def latest(self) -> Sequence[Prediction]:
        """The newest forecast of each target and statistic."""
        ...


class Anomaly(Protocol):
    """An anomaly, as far as rules see it; see forecast.anomalies.events.Anomaly."""

    @property
    def kind(self) -> str:
        """point, stretch, level_shift or flat_line."""
        ...

    @property
    def score(self) -> float:
        """The highest so far."""
        ...

    @property
    def seen_ms(self) -> int:
        """End of the newest window that showed it."""
        ...

    @property
    def reason(self) -> str:
        """What was seen and what was expected."""
        ...


class Standing(Protocol):
    """How a capacity target stands; see forecast.anomalies.events.Standing."""

    @property
    def target(self) -> SeriesKey:
        """Which one."""
        ...

    @property
    def judged_ms(self) -> int:
        """End of the newest window that was judged."""
        ...

    @property
    def score(self) -> float | None:
        """That window's."""
        ...

    @property
    def anomaly(self) -> Anomaly | None:
        """What goes on."""
        ...


class Standings(Protocol):
    """The watch for anomalies, as far as rules see it."""

    def latest(self) -> Sequence[Standing]:
        """How every watched target stands."""
        ...


class LogAnomaly(Protocol):
    """Something unusual in the logs, as far as rules see it; see forewarn.loganomalies."""

    @property
    def key(self) -> SeriesKey:
        """What it is about: data set, kind and, of one template, its id."""
        ...

    @property
    def heard_ms(self) -> int:
        """When the log shipper last said so."""
        ...

    @property
    def score(self) -> float:
        """The highest so far."""
        ...

    @property
    def reason(self) -> str:
        """What happened, a sentence without its subject."""
        ...

    @property
    def text(self) -> str:
        """What the template says."""
        ...

    @property
    def example(self) -> str:
        """A line of it."""
        ...

    @property
    def id(self) -> str:
        """Under which it is found among the anomalies."""
        ...

    @property
    def over(self) -> bool:
        """Whether it is over."""
        ...


class LogAnomalies(Protocol):
    """What the log shipper tells, as far as rules see it."""

    def latest(self) -> Sequence[LogAnomaly]:
        """What goes on, and what was over lately."""
        ...


@dataclass(frozen=True)
class Reading:
    """What a condition found for one series.

    Attributes:
        labels: the labels of the series.
        time_ms: when the evidence was measured or forecast.
        value: what is shown as the alert's value.
        raised: the condition holds.
        held: the condition holds, or is not yet cleared.
        facts: words for the templates.
        ended: why it does not hold, in words.
        severity: of what is told in stages, that of this one; None where the rule has only one.
        notes: annotations for machines, beside the sentences.
    """

    labels: Labels
    time_ms: int
    value: float | None
    raised: bool
    held: bool
    facts: Mapping[str, str] = field(default_factory=dict)
    ended: str = ""
    severity: Severity | None = None
    notes: Mapping[str, str] = field(default_factory=dict)


def with_metric(key: SeriesKey) -> Labels:
    """A series' labels and its name, as alerts carry them."""
    return labels_of({**dict(key.labels), "metric": key.name})
