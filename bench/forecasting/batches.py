"""Processor time of the batched parts; a process of its own, so that NumPy begins with one thread.

    python -m bench.forecasting.batches WINDOWS.npz

WINDOWS holds ``past`` [n, 672] and ``thresholds`` [n]. Printed are milliseconds a series, the median of several times.
"""

import sys
from collections.abc import Callable
from time import process_time

import numpy as np
import orjson

from forecast.breach import crossing
from forecast.combiner import combine
from forecast.grid import Grid
from forecast.models.prophet_map import fit_many

TIMES = 5


def main(path: str) -> None:
    """Measure and print."""
    data = np.load(path)
    grid, thresholds = Grid(0, data["past"]), data["thresholds"]
    whole = grid.take(np.asarray(grid.known.all(axis=1)))
    fits = fit_many(grid)
    every = np.arange(thresholds.size)

    def answered() -> None:
        crossing(grid, combine(grid, "mean", fits), every, thresholds)

    found = {
        "fit": _milliseconds(lambda: fit_many(Grid(0, grid.values)), thresholds.size),
        "fit_whole": _milliseconds(lambda: fit_many(Grid(0, whole.values)), len(whole.values)),
        "answer": _milliseconds(answered, thresholds.size),
        "series": thresholds.size,
        "whole": len(whole.values),
    }
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY))


def _milliseconds(call: Callable[[], object], series: int) -> float:
    call()
    times = []
    for _ in range(TIMES):
        begin = process_time()
        call()
        times.append(1000 * (process_time() - begin) / series)
    return float(np.median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
