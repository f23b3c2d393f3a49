"""Whatever happens to the store, it answers as a dict would."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.series import Sample, Scrape, SeriesKey
from collector.store import History, Store, StoreReader, StoreSettings
from tests.support.plain_series import PlainSeries, rows_of, rows_of_table
from tests.support.set_clock import SetClock

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
KEYS = {SeriesKey.of(name, gpu=gpu): name == "b_total" for name in ("a", "b_total") for gpu in ("0", "1")}
STEPS = (5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 7 * MINUTE)

values = st.integers(min_value=0, max_value=50).map(float)
series = st.sampled_from(list(KEYS))
offsets = st.integers(min_value=-3 * DAY // MINUTE, max_value=0).map(lambda minutes: minutes * MINUTE)

scrapes = st.tuples(st.just("scrape"), st.dictionaries(series, values, min_size=1))
histories = st.tuples(st.just("history"), series, st.lists(st.tuples(offsets, values), min_size=1, max_size=60))
clock_moves = st.tuples(st.just("clock"), st.integers(min_value=-2 * HOUR, max_value=9 * HOUR))
short_moves = st.tuples(st.just("clock"), st.sampled_from([0, 1000, 5000]))
compactions = st.tuples(st.just("compact"), st.integers(min_value=1, max_value=12))
points = st.lists(st.tuples(offsets, values), max_size=30)
batches = st.tuples(st.just("histories"), st.lists(st.tuples(series, points), min_size=1, max_size=3))
actions = st.lists(
    st.one_of(scrapes, scrapes, short_moves, histories, batches, clock_moves, compactions, st.just(("reopen",))),
    max_size=40,
)
ranges = st.tuples(
    st.integers(min_value=-4 * DAY, max_value=HOUR),
    st.integers(min_value=1, max_value=2 * DAY),
    st.one_of(st.sampled_from([MINUTE, 5 * MINUTE, HOUR, DAY]), st.integers(min_value=30_000, max_value=3 * HOUR)),
)
questions = st.lists(ranges, max_size=4)

few = st.sampled_from([0, -1000, -2000, -3000])
one_series = st.sampled_from([SeriesKey.of("b_total", gpu="0"), SeriesKey.of("b_total", gpu="1")])
dense_actions = st.lists(
    st.one_of(
        st.tuples(st.just("scrape"), st.dictionaries(one_series, values, min_size=1)),
        st.tuples(st.just("clock"), st.sampled_from([1000, -1000, 2000])),
        st.tuples(st.just("history"), one_series, st.lists(st.tuples(few, values), min_size=1, max_size=4)),
        st.tuples(st.just("compact"), st.integers(min_value=1, max_value=4)),
    ),
    min_size=5,
    max_size=40,
)


class Pair:
    """The store and the dicts, given the same samples."""

    def __init__(self, path: Path, row_age: str) -> None:
        self.path = path
        self.settings = StoreSettings(raw_retention="300d", five_minute_retention="300d", row_age=row_age)
        self.clock = SetClock(tick=0.02)
        self.store = self._open()
        self.plain = {key: PlainSeries(counter) for key, counter in KEYS.items()}

    def _open(self) -> Store:
        return Store.open(self.path, self.settings, self.clock)

    def scrape(self, found: dict[SeriesKey, float]) -> None:
        now = self.clock.now_ms()
        self.store.append(Scrape(now, [Sample(key, value, KEYS[key]) for key, value in found.items()]))
        for key, value in found.items():
            self.plain[key].points[now] = value

    def history(self, key: SeriesKey, points: list[tuple[int, float]]) -> None:
        now = self.clock.now_ms()
        times = [now + offset for offset, _ in points]
        new = self.store.append_history(key, np.array(times), np.array([v for _, v in points]), counter=KEYS[key])
        assert new == len(set(times) - self.plain[key].points.keys())
        self.plain[key].points.update(zip(times, (value for _, value in points), strict=True))

    def histories(self, items: list[tuple[SeriesKey, list[tuple[int, float]]]]) -> None:
        now = self.clock.now_ms()
        stored, new = [], 0
        for key, points in items:
            times = [now + offset for offset, _ in points]
            new += len(set(times) - self.plain[key].points.keys())
            self.plain[key].points.update(zip(times, (value for _, value in points), strict=True))
            stored.append(History(key, np.array(times, np.int64), np.array([v for _, v in points]), KEYS[key]))
        assert self.store.append_histories(stored) == new

    def move(self, milliseconds: int) -> None:
        self.clock.pass_time(milliseconds / 1000)

    def compact(self, slices: int) -> None:
        for _ in range(slices):
            self.store.compact()

    def reopen(self) -> None:
        self.store.close()
        self.store = self._open()

    def check(self) -> None:
        reader = StoreReader(self.path)
        now = self.clock.now_ms()
        ids = {found.key: found.id for found in reader.series()}
        for key, plain in self.plain.items():
            assert (key in ids) == bool(plain.points)
            if not plain.points:
                continue
            for start, end in ((now - 30 * DAY, now + 30 * DAY), (now - 5 * HOUR - 1, now - HOUR)):
                times, found = reader.samples(ids[key], start, end)
                assert list(zip(times.tolist(), found.tolist(), strict=True)) == plain.samples(start, end)
                for step in STEPS:
                    rollup = reader.rollup(ids[key], start, end, step)
                    assert rows_of(rollup, counter=plain.counter) == plain.rollup(start, end, step)
            newest = max((time for time in plain.points if now - DAY <= time <= now), default=None)
            latest = [one for one in reader.latest(max_age_ms=DAY, now_ms=now) if one.key == key]
            assert [(one.time_ms, one.value) for one in latest] == (
                [] if newest is None else [(newest, plain.points[newest])]
            )
        reader.close()

    def ask(self, offset: int, length: int, step: int) -> None:
        """All series as one table, over any range, in any step."""
        start = self.clock.now_ms() + offset
        table = self.store.select(start_ms=start, end_ms=start + length, step_ms=step)
        for line, one in enumerate(table.series):
            plain = self.plain[one.key]
            expected = [(row[0], row[1], row[3], *row[4:]) for row in plain.rollup(start, start + length, step)]
            assert rows_of_table(table, line) == expected
            if one.counter:
                known = np.isfinite(table["rate"][line])
                rates = zip(table.times[known].tolist(), table["rate"][line][known].tolist(), strict=True)
                assert list(rates) == plain.rates(start, start + length, step)


def _play(steps: list[tuple], row_age: str, asked: list[tuple[int, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        pair = Pair(Path(folder) / "metrics.db", row_age)
        does: dict[str, Callable[..., None]] = {
            "scrape": pair.scrape,
            "history": pair.history,
            "histories": pair.histories,
            "clock": pair.move,
            "compact": pair.compact,
            "reopen": pair.reopen,
        }
        for name, *arguments in steps:
            does[name](*arguments)
        pair.check()
        for question in asked:
            pair.ask(*question)
        pair.move(20 * DAY)
        while pair.store.compact():
            pass
        assert pair.store.stats().pending_rows == 0
        pair.check()
        for offset, length, step in asked:
            pair.ask(offset - 20 * DAY, length, step)
        pair.store.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions, questions)
def test_store_answers_as_a_dict_would(steps: list[tuple], asked: list[tuple[int, int, int]]) -> None:
    _play(steps, "10m", asked)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dense_actions)
def test_samples_that_meet_at_the_same_few_times(steps: list[tuple]) -> None:
    _play(steps, "1s", [(-10_000, 20_000, 1000), (-10_000, 20_000, 3700)])
