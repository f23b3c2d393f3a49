"""When demands reach thresholds, from the next hour to a month ahead: three days by the forecast, then day by day."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.breach import crossing, fill_crossing
from forecast.combiner import Combination, combine
from forecast.filling import fill_quantiles
from forecast.grid import Grid, Ints
from forecast.plan.asking import NEEDED_DAYS
from forecast.plan.demand import Demand
from forecast.plan.longrange import LONGEST_DAYS, LongRange
from forecast.plan.trials import DAY_HOURS, daily_peaks
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

SHORT_DAYS = HORIZON_HOURS // DAY_HOURS
ENDS = np.concatenate(
    [np.arange(1, HORIZON_HOURS + 1), np.arange(SHORT_DAYS + 1, LONGEST_DAYS + 1) * DAY_HOURS]
).astype(np.int64)
"""Hours from now to the end of each point of a curve: 72 hours, then days."""
FEWEST_DECIDING_DAYS = 14
HANDOVER_DAYS = 4
"""Days after the third in which the three days' forecast hands over to the long range."""


def point_of(days: int) -> int:
    """The place of a curve at the end of so many days."""
    return int(np.searchsorted(ENDS, days * DAY_HOURS))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What lies ahead of n demands that end together.

    Attributes:
        demands: the n.
        short: by group, the rows and what is said of their three days.
        long: of all, beyond.
        reach: [n] days ahead that the history allows to speak of.
    """

    demands: Sequence[Demand]
    short: "Sequence[_Short]"
    long: LongRange
    reach: Ints

    @classmethod
    def of(cls, demands: Sequence[Demand]) -> "Outlook":
        """Of one demand at least."""
        grid = Grid.of(0, [demand.values for demand in demands])
        longest = max(demand.days for demand in demands) * DAY_HOURS
        hours = np.full((len(demands), max(longest, DAY_HOURS)), np.nan)
        for row, demand in enumerate(demands):
            tail = demand.values[-hours.shape[1] :]
            hours[row, hours.shape[1] - tail.size :] = tail
        reach = [max(ahead for ahead, needed in NEEDED_DAYS.items() if demand.days >= needed) for demand in demands]
        return cls(demands, list(_groups(demands, grid)), LongRange.of(daily_peaks(hours)), np.array(reach))

    def curves(self, rows: Ints, thresholds: Floats, known: Floats | None = None, *, deciding: bool = False) -> Floats:
        """The probability that demands have reached thresholds by each of ``ENDS``, [m, ends], rising.

        NaN beyond what the history allows, and for thresholds that are NaN; 1 where a demand is there already.

        Args:
            rows: [m] the demands asked about.
            thresholds: [m].
            known: [m, 72] what is said of the three days already, NaN rows where nothing is.
            deciding: for decisions, which hang on small probabilities: in the three days the geometric mean of the
                forecast's and the long range's, which is the sharper one there, where that has two weeks to go by;
                what fills up goes by the forecast alone.
        """
        asked = np.where(np.isfinite(thresholds), thresholds, 0.0)
        soon = np.empty((rows.size, HORIZON_HOURS))
        for group in self.short:
            places = np.flatnonzero(np.isin(rows, group.rows))
            if places.size:
                soon[places] = group.curves(np.searchsorted(group.rows, rows[places]), asked[places])
        if known is not None:
            soon = np.where(np.isfinite(known), known, soon)
        far = self.long.chance(rows, asked)
        if deciding:
            heard = np.array([one.days >= FEWEST_DECIDING_DAYS and not one.fills for one in self.demands])[rows]
            soon[heard] = np.sqrt(soon[heard] * _hourly(far[heard, :SHORT_DAYS]))
        before = far[:, SHORT_DAYS - 1 : SHORT_DAYS]
        later = (far[:, SHORT_DAYS:] - before) / np.maximum(1 - before, 1e-9)  # where the three days brought none
        after = 1 - (1 - soon[:, -1:]) * (1 - later)
        after += np.clip((ENDS[HORIZON_HOURS:] / DAY_HOURS - SHORT_DAYS) / HANDOVER_DAYS, 0, 1) * (
            far[:, SHORT_DAYS:] - after
        )
        curve = np.maximum.accumulate(np.concatenate([soon, after], axis=1), axis=1)
        there = np.array([demand.last for demand in self.demands])[rows] >= asked
        curve[there] = 1.0
        unknown = self.reach[rows][:, None] * DAY_HOURS < ENDS
        return np.where(unknown | ~np.isfinite(thresholds)[:, None], np.nan, np.clip(curve, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class _Short:
    """Three days of the demands that are forecast alike."""

    rows: Ints
    grid: Grid
    told: Combination | Floats
    extreme: bool

    def curves(self, asked: Ints, thresholds: Floats) -> Floats:
        if not isinstance(self.told, Combination):
            return fill_crossing(self.told[asked], thresholds).curve
        return crossing(self.grid, self.told, asked, thresholds, "max" if self.extreme else "mean").curve


def _hourly(by_day: Floats) -> Floats:
    """[m, hours] from probabilities at the ends of days, [m, days]: straight lines that begin at 0."""
    known = np.concatenate([np.zeros((by_day.shape[0], 1)), by_day], axis=1)
    day, hour = np.divmod(np.arange(1, by_day.shape[1] * DAY_HOURS + 1) - 1, DAY_HOURS)
    return np.asarray(known[:, day] + (hour + 1) / DAY_HOURS * (known[:, day + 1] - known[:, day]))


def _groups(demands: Sequence[Demand], grid: Grid) -> "list[_Short]":
    kinds = [(demand.fills, demand.extreme) for demand in demands]
    found = []
    for fills, extreme in sorted(set(kinds)):
        rows = np.flatnonzero([kind == (fills, extreme) for kind in kinds])
        part = grid.take(rows)
        told = fill_quantiles(part) if fills else combine(part, "max" if extreme else "mean")
        found.append(_Short(rows, part, told, extreme))
    return found
