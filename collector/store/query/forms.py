"""What is stored of some series in whichever form: rows, chunks, five-minute and hourly roll-ups, put together."""

import sqlite3
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collector.store import chunks, rollups, rows
from collector.store.buckets import Buckets, between, bucket, keep_last, replace
from collector.store.chunks import NO_TIMES, NO_VALUES, Axes
from collector.store.model import Times, Values
from collector.store.schema import FIVE_MINUTES, HOURLY, TIERS, Tier

_BEGINNING = -(2**62)


class Forms:
    """Some series in a time range, as one moment of the file has them.

    Args:
        connection: in a transaction.
        layouts: the layouts of the same file.
        ids: the series.
        start_ms: the range's start; it is widened to whole hours.
        end_ms: its end.
    """

    def __init__(
        self, connection: sqlite3.Connection, layouts: rows.Layouts, ids: Sequence[int], start_ms: int, end_ms: int
    ) -> None:
        self._connection = connection
        self._layouts = layouts
        self._start = start_ms // HOURLY.step_ms * HOURLY.step_ms
        self._end = -(-end_ms // HOURLY.step_ms) * HOURLY.step_ms
        self._axes: Axes = {}
        self._pending = rows.pending_of(connection, layouts, ids, self._start, self._end)

    def raw(self, series: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
        """Single samples within the range: sorted, each time once, the last written value."""
        times, values = chunks.read(self._connection, series, start_ms, end_ms, self._axes)
        if series not in self._pending:
            return times, values
        late_times, late_values = self._pending[series]
        low, high = np.searchsorted(late_times, (start_ms, end_ms))
        if low == high:
            return times, values
        return keep_last(np.concatenate((times, late_times[low:high])), np.concatenate((values, late_values[low:high])))

    def buckets(self, series: int, tier: Tier | None, start_ms: int, end_ms: int, step_ms: int) -> Buckets:
        """Every sample once, in the finest form that is not finer than the tier and still there.

        A bucket belongs to [start, end) where its start does. None for the tier means single samples, which come in
        buckets of ``step_ms``, or each in one of its own where some of the range is there as roll-ups only.
        """
        if tier is HOURLY:
            return between(self._rolled(series, HOURLY), start_ms, end_ms)
        hourly = rollups.read(self._connection, HOURLY, series, self._start, self._end)
        if tier is FIVE_MINUTES:
            five = self._rolled(series, FIVE_MINUTES)
            return between(_with_older(five, hourly, five["time"], HOURLY), start_ms, end_ms)
        times, values = self.raw(series, self._start, self._end)
        five = rollups.read(self._connection, FIVE_MINUTES, series, self._start, self._end)
        five = five[~_among(five["time"], times, FIVE_MINUTES)]
        finer = np.sort(np.concatenate((times, five["time"])), kind="stable")
        rolled = between(_with_older(five, hourly, finer, HOURLY), start_ms, end_ms)
        low, high = np.searchsorted(times, (start_ms, end_ms))
        fresh = bucket(times[low:high], values[low:high], 1 if len(rolled) else step_ms)
        return replace(rolled, fresh, np.zeros(len(rolled), np.bool_)) if len(rolled) else fresh

    def before(self, series: int, before_ms: int) -> tuple[int, float] | None:
        """Time and value of the newest sample that is older; of one in a roll-up, the start of its window."""
        times, values = rows.pending(self._connection, self._layouts, series, _BEGINNING, before_ms)
        found = [
            (int(times[-1]), float(values[-1])) if len(times) else None,
            chunks.newest(self._connection, series, before_ms),
            *(rollups.newest(self._connection, tier, series, before_ms) for tier in TIERS),
        ]
        # Of equal times max() keeps the first: rows are written after chunks, chunks are finer than windows.
        return max((one for one in found if one is not None), key=lambda one: one[0], default=None)

    def _rolled(self, series: int, tier: Tier) -> Buckets:
        """Stored windows; those with samples in rows are made again from all of their samples."""
        stored = rollups.read(self._connection, tier, series, self._start, self._end)
        times, _ = self._pending.get(series, (NO_TIMES, NO_VALUES))
        if not len(times):
            return stored
        touched = np.unique(times // tier.step_ms) * tier.step_ms
        raw = self.raw(series, int(touched[0]), int(touched[-1]) + tier.step_ms)
        fresh = bucket(*raw, tier.step_ms)
        return replace(stored, fresh[_among(fresh["time"], touched, tier)], _among(stored["time"], touched, tier))


def _with_older(some: Buckets, coarser: Buckets, times: Times, tier: Tier) -> Buckets:
    """The buckets, and of the coarser ones those in which nothing finer lies."""
    alone = coarser[~_among(coarser["time"], times, tier)]
    return replace(alone, some, np.zeros(len(alone), np.bool_)) if len(alone) else some


def _among(starts: Times, times: Times, tier: Tier) -> npt.NDArray[np.bool_]:
    """Which of the tier's windows hold one of the times; both are sorted."""
    begins = starts // tier.step_ms * tier.step_ms
    filled: npt.NDArray[np.bool_] = np.searchsorted(times, begins) < np.searchsorted(times, begins + tier.step_ms)
    return filled
