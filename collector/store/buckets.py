"""Roll-up arithmetic: samples to windows, windows to wider windows, vectorised.

A bucket's ``inner`` is the growth of a counter between the bucket's own samples; the step from the last sample before
it is added when buckets are read. So a bucket depends on its own samples only, whatever arrives late elsewhere.
"""

import numpy as np
import numpy.typing as npt

from collector.store.model import Rollup, Times, Values

Buckets = npt.NDArray[np.void]

BUCKET = np.dtype(
    [("time", "i8"), ("count", "i8")] + [(name, "f8") for name in ("min", "max", "sum", "first", "last", "inner")]
)


def empty() -> Buckets:
    """No buckets."""
    return np.empty(0, BUCKET)


def keep_last(times: Times, values: Values) -> tuple[Times, Values]:
    """Samples sorted by time; of those with the same time, the one that came last."""
    if len(times) < 2 or bool(np.all(times[1:] > times[:-1])):
        return times, values
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    keep = np.append(times[1:] != times[:-1], True)
    return times[keep], values[keep]


# The sum of values near 1.8e308 is infinite, and infinities of both signs add up to NaN, as in Prometheus.
_boundless = np.errstate(over="ignore", invalid="ignore")


@_boundless
def growth(before: Values, after: Values) -> Values:
    """What a counter grew by; a smaller value means that it began again at 0."""
    return np.where(after >= before, after - before, after)


@_boundless
def bucket(times: Times, values: Values, step_ms: int) -> Buckets:
    """Buckets of sorted samples."""
    windows = times // step_ms
    starts = _starts(windows)
    made = np.empty(len(starts), BUCKET)
    made["time"] = windows[starts] * step_ms
    if len(starts) == len(times):
        made["count"], made["inner"] = 1, 0.0
        for name in ("min", "max", "sum", "first", "last"):
            made[name] = values
        return made
    steps = np.zeros(len(values))
    steps[1:] = growth(values[:-1], values[1:])
    steps[starts] = 0.0
    made["count"] = np.diff(starts, append=len(times))
    made["min"] = np.minimum.reduceat(values, starts)
    made["max"] = np.maximum.reduceat(values, starts)
    made["sum"] = np.add.reduceat(values, starts)
    made["first"] = values[starts]
    made["last"] = values[_ends(starts, len(times))]
    made["inner"] = np.add.reduceat(steps, starts)
    return made


@_boundless
def widen(buckets: Buckets, step_ms: int) -> Buckets:
    """The same samples in wider windows; ``step_ms`` is a multiple of the width that they have."""
    windows = buckets["time"] // step_ms
    starts = _starts(windows)
    if len(starts) == len(buckets):
        made = buckets.copy()
        made["time"] = windows * step_ms
        return made
    steps = np.zeros(len(buckets))
    steps[1:] = growth(buckets["last"][:-1], buckets["first"][1:])
    steps[starts] = 0.0
    made = np.empty(len(starts), BUCKET)
    made["time"] = windows[starts] * step_ms
    made["count"] = np.add.reduceat(buckets["count"], starts)
    made["min"] = np.minimum.reduceat(buckets["min"], starts)
    made["max"] = np.maximum.reduceat(buckets["max"], starts)
    made["sum"] = np.add.reduceat(buckets["sum"], starts)
    made["first"] = buckets["first"][starts]
    made["last"] = buckets["last"][_ends(starts, len(buckets))]
    made["inner"] = np.add.reduceat(buckets["inner"] + steps, starts)
    return made


def between(buckets: Buckets, start_ms: int, end_ms: int) -> Buckets:
    """Buckets that begin in [start, end)."""
    low, high = np.searchsorted(buckets["time"], (start_ms, end_ms))
    return buckets[low:high]


def replace(old: Buckets, new: Buckets, gone: npt.NDArray[np.bool_]) -> Buckets:
    """The old buckets without those marked as gone, and the new ones, in order of time."""
    merged = np.concatenate((old[~gone], new))
    return merged[np.argsort(merged["time"], kind="stable")]


def finish(buckets: Buckets, increase: Values | None) -> Rollup:
    """What a reader sees: gauges without increase, counters (those with one) without min, max, sum."""
    nothing: Values = np.full(len(buckets), np.nan)
    counter = increase is not None
    return Rollup(
        times=np.ascontiguousarray(buckets["time"]),
        min=nothing if counter else np.ascontiguousarray(buckets["min"]),
        max=nothing if counter else np.ascontiguousarray(buckets["max"]),
        sum=nothing if counter else np.ascontiguousarray(buckets["sum"]),
        count=np.ascontiguousarray(buckets["count"]),
        first=np.ascontiguousarray(buckets["first"]),
        last=np.ascontiguousarray(buckets["last"]),
        increase=nothing if increase is None else increase,
    )


def _starts(windows: Times) -> npt.NDArray[np.intp]:
    return np.flatnonzero(np.concatenate((np.ones(min(1, len(windows)), np.bool_), windows[1:] != windows[:-1])))


def _ends(starts: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    return np.append(starts[1:], length) - 1
