"""CSV history reaches the store whole, once, and at the right hour."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.backfill import BackfillReport, backfill, is_counter, key_of
from collector.csv_history import CsvHistory
from collector.series import SeriesKey
from collector.store import History, Store, StoreSettings
from forewarn.base.clock import HOUR, rfc3339
from forewarn.base.errors import StoreError, UsageError
from tests.support.set_clock import SetClock

NOW = 1_800_000_000_000 // HOUR * HOUR + 20 * 60_000
STEP = 300_000


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> Iterator[Store]:
    store = Store.open(tmp_path / "metrics.db", StoreSettings(), clock)
    yield store
    store.close()


def write(path: Path, lines: list[str], header: str = "series,timestamp,value") -> Path:
    text = "\n".join([header, *lines]) + "\n"
    data = text.encode("utf-8", "surrogateescape")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def stored(store: Store) -> dict[str, list[tuple[int, float]]]:
    found = {}
    for series in store.series():
        times, values = store.samples(series.id, 0, 2**60)
        found[str(series.key)] = list(zip(times.tolist(), values.tolist(), strict=True))
    return found


def load(path: Path, store: Any, clock: SetClock, **more: Any) -> BackfillReport:
    return backfill(path, store, **{"shift_to_now": False, "clock": clock, **more})


def recent(count: int, end_ms: int = NOW) -> list[int]:
    return [end_ms - (count - number) * STEP for number in range(count)]


@pytest.mark.parametrize("name", ["history.csv", "history.csv.gz"])
@pytest.mark.parametrize("form", [rfc3339, lambda ms: rfc3339(ms).replace("Z", "+00:00"), lambda ms: str(ms / 1000)])
def test_every_form_of_time_and_file(tmp_path: Path, store: Store, clock: SetClock, name: str, form: Any) -> None:
    times = recent(1000)
    path = write(tmp_path / name, [f"a/b c,{form(time)},{number}.5" for number, time in enumerate(times)])
    report = load(path, store, clock)
    assert stored(store) == {
        'forewarn_imported_value{series="a/b c"}': [(time, number + 0.5) for number, time in enumerate(times)]
    }
    assert (report.samples, report.new, report.malformed, report.series) == (1000, 1000, 0, 1)
    assert (report.oldest_ms, report.newest_ms) == (times[0], times[-1])


def test_columns_in_any_order_with_others_between(tmp_path: Path, store: Store, clock: SetClock) -> None:
    line = f'1.5,x,"m{{a=""b,c""}}",{NOW // 1000 - 60}'
    path = write(tmp_path / "h.csv", [line], header="value,note,series,timestamp")
    load(path, store, clock)
    assert stored(store) == {'m{a="b,c"}': [(NOW - 60_000, 1.5)]}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('m{gpu="0"}', SeriesKey.of("m", gpu="0")),
        ("my_metric", SeriesKey.of("forewarn_imported_value", series="my_metric")),
        ("a/b", SeriesKey.of("forewarn_imported_value", series="a/b")),
        ("m{broken}", SeriesKey.of("forewarn_imported_value", series="m{broken}")),
        ('{gpu="0"}', SeriesKey.of("forewarn_imported_value", series='{gpu="0"}')),
        ("forewarn_gpu_memory_used_bytes", SeriesKey("forewarn_gpu_memory_used_bytes")),
    ],
)
def test_what_a_series_is_called(text: str, key: SeriesKey) -> None:
    assert key_of(text) == key


def test_a_time_in_milliseconds_is_taken_as_such(tmp_path: Path, store: Store, clock: SetClock) -> None:
    times = recent(4)
    mixed = [f"s,{times[0]},1", f"s,{times[1] // 1000},2"]
    load(write(tmp_path / "ms.csv", [f"s,{time},1" for time in times]), store, clock)
    load(write(tmp_path / "mixed.csv", mixed), store, clock)
    (series,) = store.series()
    assert store.samples(series.id, 0, 2**62)[0].tolist() == sorted(times)


def test_which_series_count() -> None:
    assert is_counter(SeriesKey.of("node_network_receive_bytes_total", device="eth0"))
    assert not is_counter(SeriesKey("forewarn_gpu_memory_used_bytes"))


def test_bad_lines_are_named_and_the_rest_is_loaded(tmp_path: Path, store: Store, clock: SetClock) -> None:
    good = [f"s,{time // 1000},1" for time in recent(6)]
    bad = [
        "s,yesterday,1",
        "s,1,2,3",
        "s,1800000000,nan",
        "s,1800000000,many",
        ",1800000000,1",
        "s,1e300,1",
        "s,inf,1",
        "s,1e15,1",
        '"s,1800000000,1',
        "\udcff,1800000000,1",
    ]
    path = write(tmp_path / "h.csv", [*good[:3], *bad, "", *good[3:]])
    report = load(path, store, clock)
    assert (report.samples, report.new, report.malformed) == (6, 6, len(bad))
    assert [line.line for line in report.first_malformed] == [5, 6, 7, 8, 9]
    assert "yesterday" in report.first_malformed[0].reason
    assert "4 columns" in report.first_malformed[1].reason


@pytest.mark.parametrize(
    ("header", "lines", "says"),
    [
        ("s,1800000000,1", [], "header"),
        ("series,timestamp,value", [], "no samples"),
        ("series,timestamp,value", ["a,b,c"], "no samples: line 2: 'b' is no time"),
        ("series,timestamp,value", ["a,1e300,1"], "no samples: line 2: '1e300' is no time in seconds or milliseconds"),
        ("series,timestamp,value", ["a,inf,1"], "no samples: line 2: 'inf' is no time"),
    ],
)
def test_files_without_samples_are_refused(
    store: Store, clock: SetClock, header: str, lines: list[str], says: str
) -> None:
    path = write(store.path.with_name("h.csv"), lines, header=header)
    for shift in (False, True):
        with pytest.raises(UsageError, match=says):
            load(path, store, clock, shift_to_now=shift)


def test_a_missing_file_and_a_cut_one_are_one_line(tmp_path: Path, store: Store, clock: SetClock) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.csv", store, clock)
    path = write(tmp_path / "h.csv.gz", [f"s,{time // 1000},{time % 977}" for time in recent(5000)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UsageError, match="cut short"):
        load(path, store, clock)


def test_old_history_is_refused_unless_it_is_moved(tmp_path: Path, store: Store, clock: SetClock) -> None:
    times = recent(400, end_ms=1_400_000_000_000)
    path = write(tmp_path / "h.csv", [f"s,{rfc3339(time)},1" for time in times])
    with pytest.raises(UsageError, match="2014-05-13T16:48:20Z") as caught:
        load(path, store, clock)
    assert "--shift-to-now" in (caught.value.hint or "")
    assert stored(store) == {}
    report = load(path, store, clock, shift_to_now=True)
    newest = times[-1] + report.shift_ms
    assert report.shift_ms % HOUR == 0
    assert NOW // HOUR * HOUR - HOUR <= newest < NOW // HOUR * HOUR
    (samples,) = stored(store).values()
    assert [time for time, _ in samples] == [time + report.shift_ms for time in times]


def test_the_second_run_of_a_finished_load_does_nothing(tmp_path: Path, store: Store, clock: SetClock) -> None:
    path = write(tmp_path / "h.csv", [f"s,{time // 1000},1" for time in recent(100)])
    first = load(path, store, clock, shift_to_now=True)
    before = stored(store)
    clock.pass_time(7200)
    second = load(path.rename(tmp_path / "other name.csv"), store, clock, shift_to_now=True)
    assert second.already_loaded
    assert not first.already_loaded
    assert (second.new, second.shift_ms) == (first.new, first.shift_ms)
    assert stored(store) == before


class LossyClient:
    """A client of the store whose connection breaks after some calls: the last one was stored, its answer is lost."""

    def __init__(self, store: Store, calls: int) -> None:
        self._store = store
        self._calls = calls

    def append_histories(self, items: Sequence[History]) -> int:
        new = self._store.append_histories(items)
        self._calls -= 1
        if self._calls < 0:
            raise StoreError("the connection is lost")
        return new

    def horizon_ms(self) -> int:
        return self._store.horizon_ms()

    def bookmark(self, source: str) -> str | None:
        return self._store.bookmark(source)

    def save_bookmark(self, source: str, place: str) -> None:
        self._store.save_bookmark(source, place)


@pytest.mark.parametrize("calls", [1, 4])
def test_an_interrupted_load_goes_on(tmp_path: Path, store: Store, clock: SetClock, calls: int) -> None:
    lines = [f"s{number},{time // 1000},{time % 7919}" for number in range(32) for time in recent(8000)]
    path = write(tmp_path / "h.csv.gz", lines)
    heard: list[tuple[str, int, int]] = []
    with pytest.raises(StoreError, match="lost"):
        load(path, LossyClient(store, calls), clock, shift_to_now=True)
    half = sum(map(len, stored(store).values()))
    assert 0 < half < len(lines)
    clock.pass_time(3 * 3600)
    report = load(path, store, clock, shift_to_now=True, progress=lambda *told: heard.append(told))
    assert report.resumed
    assert report.samples == len(lines)
    assert {what for what, _, _ in heard} == {"loading"}
    assert heard[-1][1] == heard[-1][2] == path.stat().st_size
    expected = [(time + report.shift_ms, float(time % 7919)) for time in recent(8000)]
    assert all(samples == expected for samples in stored(store).values())
    assert len(stored(store)) == 32


cells = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12)


@given(st.lists(st.lists(cells, min_size=1, max_size=4).map(",".join), max_size=12))
def test_any_text_is_either_a_sample_or_malformed(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = write(tmp_path_factory.mktemp("any") / "h.csv", lines)
    (block,) = CsvHistory(path).blocks() if lines else ([],)
    if lines:
        blank = sum(not line.encode().strip() for line in lines)
        assert len(block.values) + len(block.malformed) + blank == len(lines)
        assert np.isfinite(block.values).all()
