"""When a limit will be crossed, or why not, in words."""

from dataclasses import dataclass

import numpy as np

from forecast.models.base import Prediction
from forecast.prepare import History
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forewarn.base import words
from forewarn.base.clock import HOUR


@dataclass(frozen=True, slots=True)
class Limits:
    """A limit, its side and its unit."""

    limit: float | None
    below: bool
    unit: str

    def crossed(self, values: Floats) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Which values are at the limit or beyond it."""
        if self.limit is None:
            return np.zeros(values.shape, dtype=np.bool_)
        with np.errstate(invalid="ignore"):
            return np.asarray(values <= self.limit if self.below else values >= self.limit)

    def say(self, value: float) -> str:
        """A value in words."""
        return words.quantity(value, self.unit)


@dataclass(frozen=True, slots=True)
class Breach:
    """Times in milliseconds of the expected and the early crossing, and a sentence where none lies ahead."""

    expected_ms: int | None = None
    early_ms: int | None = None
    reason: str = ""


def find_breach(history: History, prediction: Prediction, limits: Limits) -> Breach:
    """The first hours in which the expected value, and the near edge of the 80 % band, reach the limit.

    Where the last known value is beyond the limit already, both are the time since when it has been.
    """
    if limits.limit is None:
        return Breach(reason="no limit is set")
    since_ms = _crossed_since(history, limits)
    if since_ms is not None:
        state = "under" if limits.below else "over"
        reason = f"already {state} the limit of {limits.say(limits.limit)} since {words.moment(since_ms)}"
        return Breach(since_ms, since_ms, reason)
    edge = prediction.bands["p10" if limits.below else "p90"]
    expected_ms = _first(limits.crossed(prediction.mean), history.end_ms)
    early_ms = _first(limits.crossed(edge), history.end_ms)
    if expected_ms is not None:
        return Breach(expected_ms, early_ms)
    return Breach(None, early_ms, _stays(prediction.mean, history.end_ms, early_ms, limits))


def _first(crossed: "np.ndarray[tuple[int], np.dtype[np.bool_]]", start_ms: int) -> int | None:
    places = np.flatnonzero(crossed)
    return start_ms + int(places[0]) * HOUR if places.size else None


def _crossed_since(history: History, limits: Limits) -> int | None:
    """Start of the unbroken run of crossed hours that ends with the last known value; None where that is not one."""
    known = np.flatnonzero(np.isfinite(history.values))
    crossed = limits.crossed(history.values[known])
    if not crossed.size or not crossed[-1]:
        return None
    free = np.flatnonzero(~crossed)
    return history.start_ms + int(known[free[-1] + 1 if free.size else 0]) * HOUR


def _stays(mean: Floats, start_ms: int, early_ms: int | None, limits: Limits) -> str:
    if limits.limit is None:
        return "no limit is set"
    if limits.below:
        side, word, peak, link = "above", "lowest", int(np.argmin(mean)), "against"
    else:
        side, word, peak, link = "below", "highest", int(np.argmax(mean)), "of"
    text = (
        f"stays {side}: {word} expected {limits.say(float(mean[peak]))} {link} {limits.say(limits.limit)}"
        f" on {words.moment(start_ms + peak * HOUR)}"
    )
    if early_ms is None:
        return f"{text}; the 80 % band stays {side} it for {HORIZON_HOURS} h"
    return f"{text}; the edge of the 80 % band reaches it on {words.moment(early_ms)}"
