"""A process that writes scrapes and history as fast as it can, and tells of each once it is stored.

``python -m tests.support.store_writer PATH START``: scrape number n has the time n seconds and the value n in all of
its series. Told lines: ``scrape N`` and ``history N``.
"""

import sys
from pathlib import Path

import numpy as np

from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreSettings
from tests.support.set_clock import SetClock

BASE_MS = 1_800_000_000_000
KEYS = [SeriesKey.of("m", number=str(number)) for number in range(40)]
HISTORY = SeriesKey("h")
_HISTORY_EVERY = 7


def main() -> None:
    path, number = Path(sys.argv[1]), int(sys.argv[2])
    clock = SetClock(tick=0.02)
    clock.wall_ms = BASE_MS + number * 1000
    store = Store.open(path, StoreSettings(row_age=60), clock)
    _tell(f"open {store.set_aside}")
    while True:
        number += 1
        clock.wall_ms = BASE_MS + number * 1000
        store.append(Scrape(clock.wall_ms, [Sample(key, float(number)) for key in KEYS]))
        _tell(f"scrape {number}")
        store.compact()
        if number % _HISTORY_EVERY == 0:
            times = np.arange(number - _HISTORY_EVERY, number) * 1000 + BASE_MS
            store.append_history(HISTORY, times, np.full(_HISTORY_EVERY, float(number)))
            _tell(f"history {number}")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
