"""A store with some of everything: gauges, counters, histograms, odd labels, rows, chunks and roll-ups."""

from pathlib import Path

import numpy as np

from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreSettings
from forewarn.base.clock import HOUR
from tests.support.set_clock import SetClock

STEP_SECONDS = 60
GAUGES = [SeriesKey.of("forewarn_gpu_power_watts", gpu=str(number), uuid=f"GPU-{number}") for number in range(6)]
COUNTERS = [SeriesKey.of("forewarn_gpu_energy_joules_total", gpu=str(number)) for number in range(3)]
DURATION = "forewarn_inference_request_duration_seconds_bucket"
BUCKETS = [SeriesKey.of(DURATION, le=bound) for bound in ("0.5", "2.5", "+Inf")]
ODD = [SeriesKey.of("foreign", text=text, value="v") for text in ('a"b', "c\\d", "e,f", "g=h", "ü 字", "line\nbreak")]


def fill(path: Path, end_ms: int, hours: float = 30, *, rows: int = 5) -> Path:
    """Samples once a minute up to ``end_ms``, as the daemon would have stored them; the path again.

    The last ``rows`` scrapes still lie as rows.
    """
    clock = SetClock(end_ms - int(hours * HOUR))
    store = Store.open(path, StoreSettings(), clock)
    noise = np.random.default_rng(3)
    grown = np.zeros(len(COUNTERS) + len(BUCKETS))
    scrapes = round(hours * HOUR / 1000 / STEP_SECONDS)
    for number in range(scrapes):
        clock.pass_time(STEP_SECONDS)
        grown += noise.integers(0, 9, len(grown))
        if number == scrapes // 2:
            grown[:] = 0  # the counters began again
        samples = [Sample(key, float(value)) for key, value in zip(GAUGES, noise.normal(300, 20, 6), strict=True)]
        samples += [
            Sample(key, float(value), counter=True) for key, value in zip((*COUNTERS, *BUCKETS), grown, strict=True)
        ]
        if number % 3 == 0:
            samples += [Sample(key, number / 7) for key in ODD]
        store.append(Scrape(clock.now_ms(), samples))
        if number % 100 == 99:
            _compact(store)
        if number == scrapes - rows - 1:
            clock.wall_ms += HOUR
            _compact(store)
            clock.wall_ms -= HOUR
    store.close()
    return path


def _compact(store: Store) -> None:
    while store.compact():
        pass
