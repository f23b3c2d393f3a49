"""Beyond three days: the probability that a capacity's daily peaks have reached a level by the end of each day.

What is forecast is the highest peak up to each day ahead, because that is what breaches. Three voices are joined, as
a beta-binomial would join them, each counting as so many looks at the past that do not overlap:

- the ways to continue the peaks, with the errors that they made in the series' own past at that lead and the usual
  growth of errors with the lead, as a Student t of unlike halves; the more looks, the better it was than knowing only
  how high peaks come;
- how often the level, or a rise as large, was reached in the series' own past within as many days;
- as two looks, how often series of all kinds reach what lies so far beyond their week's peak.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from forecast.grid import Ints
from forecast.members.statistics import mean, median
from forecast.plan.candidates import WINDOW_DAYS
from forecast.plan.trials import GROWTH, Trials
from forecast.sources import Floats

LONGEST_DAYS = 30
HISTORY_DAYS = 120
PRIOR_LOOKS = 4.0
"""What the usual growth of errors counts, in looks at the past that do not overlap."""
PRIOR_FREEDOM = 3.0
SAID_LOOKS, MOST_BETTER, LEAST_BETTER = 3.0, 20.0, 0.25
BETTER_LOOKS = 0.5
MOST_LOOKS = 4.0
"""What the past counts at most: regimes change."""
USUAL_LOOKS, LEAST_UNSURE = 2.0, 0.2
RATE_14, RATE_GROWTH, RATE_FALL = 0.6, 0.3, 1.6
"""Of series of all kinds, how many pass their week's peak within 14 days, its growth with the days to a power, and its
fall with the distance, in units of the month's highest peak over its median."""
SMALLEST = 1e-3
"""In units of the peaks' range: nothing is known more exactly."""
_AT_ONCE = 200
_cdf = np.vectorize(NormalDist().cdf, otypes=[np.float64])


@dataclass(frozen=True, slots=True)
class LongRange:
    """The highest peak of n series up to each day ahead.

    Attributes:
        trials: what the past shows.
        middle: [n, days] its mode, rising with the days.
        above: [n, days] usual error on the upper side.
        below: [n, days] on the lower side.
        freedom: [n, days] degrees of freedom.
        looks: [n, days] at the past, that do not overlap.
        lead: [days] the lead at which the past is looked at: half of the history at most.
        unit: [n] of distances: the month's highest peak over its median.
    """

    trials: Trials
    middle: Floats
    above: Floats
    below: Floats
    freedom: Floats
    looks: Floats
    lead: Ints
    unit: Floats

    @classmethod
    def of(cls, peaks: Floats, days: int = LONGEST_DAYS) -> "LongRange":
        """From daily peaks, [n, days of history], the newest last; each has one in the last three days."""
        peaks = peaks[:, -HISTORY_DAYS:]
        trials = Trials.of(peaks, days)
        month = peaks[:, -WINDOW_DAYS:]
        highest = np.fmax.reduce(month, axis=1)
        unit = np.maximum(highest - median(month), SMALLEST * np.abs(highest) + 1e-12)
        looks = np.isfinite(trials.came).sum(axis=1) / np.arange(1, days + 1)
        lead = np.minimum(np.arange(1, days + 1), max(peaks.shape[1] // 2, 1))
        return cls(trials, *_spread(trials, looks, unit), PRIOR_FREEDOM + looks, looks, lead, unit)

    def chance(self, rows: Ints, thresholds: Floats) -> Floats:
        """The probability that a threshold has been reached by the end of each day, [m, days], rising.

        Args:
            rows: [m] the series asked about.
            thresholds: [m].
        """
        parts = [np.empty((0, self.middle.shape[1]))]
        for begin in range(0, rows.size, _AT_ONCE):
            asked = slice(begin, begin + _AT_ONCE)
            parts.append(self._joined(rows[asked], thresholds[asked]))
        return np.asarray(np.maximum.accumulate(np.concatenate(parts), axis=1))

    def _joined(self, rows: Ints, thresholds: Floats) -> Floats:
        said, usual = self._said(rows, thresholds), self._usual(rows, thresholds)
        seen, better, unsure = self._seen(rows, thresholds)
        counted = SAID_LOOKS * better
        looks = np.minimum(self.looks[rows][:, self.lead - 1], MOST_LOOKS)
        own = (counted * said + looks * seen) / (counted + looks)
        others = USUAL_LOOKS * np.where(usual > own, 1.0, unsure)  # surprises come to all, what is precise stays so
        return np.asarray(((counted + looks) * own + others * usual) / (counted + looks + others))

    def _said(self, rows: Ints, thresholds: Floats) -> Floats:
        """Of the ways' mean and its errors."""
        above, below = self.above[rows], self.below[rows]
        off = thresholds[:, None] - self.middle[rows]
        wide = np.where(off > 0, above, below)
        outside = 1 - _cdf(_normal(np.abs(off) / wide, self.freedom[rows]))
        share = 2 * wide / (above + below)  # halves of unlike width meet at the mode
        return np.asarray(np.where(off > 0, share * outside, 1 - share * outside), dtype=np.float64)

    def _seen(self, rows: Ints, thresholds: Floats) -> tuple[Floats, Floats, Floats]:
        """Share of past windows that reached the level or rose as far, how much better the ways were, and their error.

        The last in units of distances, 1 at most.
        """
        came = self.trials.came[rows][..., self.lead - 1]
        high = self.trials.high[rows][:, :, None]
        level = _Account.of(came, thresholds[:, None, None])
        rise = _Account.of(came - high, (thresholds[:, None] - high[:, -1])[:, :, None])
        least = SMALLEST * self.unit[rows][:, None]
        spreads = level.spread + least, rise.spread + least
        share = (spreads[1] * level.share + spreads[0] * rise.share) / (spreads[0] + spreads[1])
        longer = np.arange(1, self.middle.shape[1] + 1) / self.lead
        error = np.nan_to_num(mean(np.abs(self.trials.errors[rows][..., self.lead - 1]))) + least
        looks = self.looks[rows][:, self.lead - 1]
        trusted = looks / (looks + BETTER_LOOKS)
        better = np.clip((np.minimum(*spreads) / error) ** (2 * trusted), LEAST_BETTER, MOST_BETTER)
        unsure = np.clip(error / self.unit[rows][:, None], LEAST_UNSURE, 1.0)
        return 1 - (1 - share) ** longer, better, unsure

    def _usual(self, rows: Ints, thresholds: Floats) -> Floats:
        """How often series of all kinds reach what lies so far beyond their week's peak."""
        beyond = np.maximum((thresholds - self.trials.high[rows, -1]) / self.unit[rows], -0.7)
        days = np.arange(1, self.middle.shape[1] + 1)
        rate = RATE_14 * (days / 14) ** RATE_GROWTH
        return np.asarray(np.minimum(rate / (1 + beyond[:, None]) ** RATE_FALL, 0.95))


@dataclass(frozen=True, slots=True)
class _Account:
    """Of past windows the share that reached a mark, and how far they stray from their mean; 0 without any."""

    share: Floats
    spread: Floats

    @classmethod
    def of(cls, reached: Floats, marks: Floats) -> "_Account":
        known = np.isfinite(reached)
        with np.errstate(invalid="ignore"):
            hits = (known & (reached >= marks)).sum(axis=1)
        spread = mean(np.abs(reached - mean(reached)[:, None]))
        return cls(np.asarray(hits / np.maximum(known.sum(axis=1), 1)), np.nan_to_num(spread))


def _spread(trials: Trials, looks: Floats, unit: Floats) -> tuple[Floats, Floats, Floats]:
    """Mode, and the usual error above and below it, [n, days] each."""
    errors, said = trials.errors, trials.said[:, -1]
    lead = np.arange(1, said.shape[1] + 1)
    known = np.isfinite(errors)
    shown = np.maximum((looks >= PRIOR_LOOKS).sum(axis=1), 1)[:, None]
    size = np.take_along_axis(np.sqrt(mean(errors**2)), shown - 1, axis=1)
    usual = np.where(np.isfinite(size), size, unit[:, None]) * (lead / shown) ** GROWTH
    shift = np.nan_to_num(mean(errors)) * looks / (looks + PRIOR_LOOKS)
    left = np.where(known, errors - shift[:, None], 0.0)
    sides = []
    for side in (left > 0, left < 0):
        squared = 2 * (np.where(side, left, 0.0) ** 2).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        variance = (looks * squared + PRIOR_LOOKS * usual**2) / (looks + PRIOR_LOOKS)
        sides.append(np.maximum.accumulate(np.sqrt(variance) + SMALLEST * unit[:, None], axis=1))
    return np.maximum.accumulate(said + shift, axis=1), sides[0], sides[1]


def _normal(score: Floats, freedom: Floats) -> Floats:
    """A standard normal's quantile as likely as a t's (Wallace 1959; within .003 from 3 degrees of freedom on)."""
    scale = (8 * freedom + 1) / (8 * freedom + 3)
    return np.asarray(scale * np.sqrt(freedom * np.log1p(score**2 / freedom)))
