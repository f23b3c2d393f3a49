"""A process that writes scrapes and history as fast as it can, and tells of each once it is stored.

``python -m tests.support.store_writer PATH START``: scrape n has the time n times half an hour and the value n in
all of its series, so that chunks are made, and days joined, all the time. Told lines: ``scrape N``, ``history N`` (one
series up to N, exclusive) and ``histories N`` (several, together).
"""

import sys
from pathlib import Path

import numpy as np

from collector.series import Sample, Scrape, SeriesKey
from collector.store import History, Store, StoreSettings
from tests.support.set_clock import SetClock

BASE_MS = 1_800_000_000_000
EVERY_MS = 1_800_000
SETTINGS = StoreSettings(raw_retention="80d", row_age=60)
KEYS = [SeriesKey.of("m", number=str(number)) for number in range(40)]
HISTORY = SeriesKey("h")
TOGETHER = [SeriesKey.of("t", number=str(number)) for number in range(5)]
_HISTORY_EVERY = 7


def main() -> None:
    path, number = Path(sys.argv[1]), int(sys.argv[2])
    clock = SetClock(tick=0.02)
    clock.wall_ms = BASE_MS + number * EVERY_MS
    store = Store.open(path, SETTINGS, clock)
    _tell(f"open {store.set_aside}")
    while True:
        number += 1
        clock.wall_ms = BASE_MS + number * EVERY_MS
        store.append(Scrape(clock.wall_ms, [Sample(key, float(number)) for key in KEYS]))
        _tell(f"scrape {number}")
        store.compact()
        if number % _HISTORY_EVERY == 0:
            times = np.arange(number - _HISTORY_EVERY, number) * EVERY_MS + BASE_MS
            values = np.full(_HISTORY_EVERY, float(number))
            store.append_history(HISTORY, times, values)
            _tell(f"history {number}")
            store.append_histories([History(key, times, values) for key in TOGETHER])
            _tell(f"histories {number}")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
