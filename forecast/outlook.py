"""Whether and when a limit will be reached, or why not, in words."""

from dataclasses import dataclass

import numpy as np

from forecast.breach import fill_crossing, paths
from forecast.chance import Chance
from forecast.grid import Grid
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
    """When a limit is reached.

    Attributes:
        expected_ms: start of the hour by whose end it is as likely as not; None where it stays less likely than that.
        early_ms: the same for one chance in ten.
        reason: a sentence where no crossing is expected, or where there is one already.
        chance: the probabilities; None without a limit, or where it is crossed already.
    """

    expected_ms: int | None = None
    early_ms: int | None = None
    reason: str = ""
    chance: Chance | None = None


def find_breach(history: History, prediction: Prediction, limits: Limits, curve: Floats | None) -> Breach:
    """When the limit is reached, by the probability of it.

    Where the last known value is beyond the limit already, both times are that since when it has been.

    Args:
        history: what was known.
        prediction: the 72 hours that follow.
        limits: what is asked.
        curve: [72] the probability to have reached the limit by each hour's end; not needed where there is none.
    """
    if limits.limit is None or curve is None:
        return Breach(reason="no limit is set")
    since_ms = _crossed_since(history, limits)
    if since_ms is not None:
        state = "under" if limits.below else "over"
        reason = f"already {state} the limit of {limits.say(limits.limit)} since {words.moment(since_ms)}"
        return Breach(since_ms, since_ms, reason)
    lately = bool(limits.crossed(history.values[-HORIZON_HOURS:]).any())
    chance = Chance.of(np.clip(curve, 0, 1).tolist(), crossed_lately=lately)
    expected_ms, early_ms = (
        None if hour is None else history.end_ms + hour * HOUR for hour in (chance.t50, chance.t10)
    )
    reason = "" if expected_ms is not None else _stays(prediction.mean, history.end_ms, limits, chance)
    return Breach(expected_ms, early_ms, reason, chance)


def curve_of(kind: str, history: History, prediction: Prediction, limits: Limits) -> Floats | None:
    """What a forecast's bands alone say of the way to the limit: the probability by each hour's end, [72].

    Args:
        kind: how the capacity is used up; the hours of what fills up hang together.
        history: what was known.
        prediction: the 72 hours that follow.
        limits: what is asked; without a limit there is no answer.
    """
    if limits.limit is None:
        return None
    edges = prediction.bands
    told = np.stack([edges["p2.5"], edges["p10"], prediction.mean, edges["p90"], edges["p97.5"]], axis=1)[None]
    past, threshold = Grid.of(history.end_ms, [history.values]).values, np.array([limits.limit])
    if limits.below:
        told, past, threshold = -told[..., ::-1], -past, -threshold
    curves = fill_crossing(told, threshold).curve if kind == "fill" else paths.curves(told, past, threshold)
    return np.asarray(curves[0])


def _crossed_since(history: History, limits: Limits) -> int | None:
    """Start of the unbroken run of crossed hours that ends with the last known value; None where that is not one."""
    known = np.flatnonzero(np.isfinite(history.values))
    crossed = limits.crossed(history.values[known])
    if not crossed.size or not crossed[-1]:
        return None
    free = np.flatnonzero(~crossed)
    return history.start_ms + int(known[free[-1] + 1 if free.size else 0]) * HOUR


def _stays(mean: Floats, start_ms: int, limits: Limits, chance: Chance) -> str:
    word, link, peak = (
        ("lowest", "against", int(np.argmin(mean))) if limits.below else ("highest", "of", int(np.argmax(mean)))
    )
    text = f"a breach within {HORIZON_HOURS} h has a chance of {words.chance(chance.p72)}: {word} expected"
    text += f" {limits.say(float(mean[peak]))}"
    if limits.limit is not None:
        text += f" {link} {limits.say(limits.limit)}"
    return f"{text} on {words.moment(start_ms + peak * HOUR)}"
