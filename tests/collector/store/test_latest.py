import hypothesis.strategies as st
from hypothesis import given

from collector.series import Matcher, SeriesKey
from collector.store.latest import LatestValues

KEYS = [SeriesKey.of(name, gpu=gpu) for name in ("a", "b") for gpu in ("0", "1", "2")]
SCRAPE = st.tuples(st.just("scrape"), st.integers(0, 9), st.sets(st.sampled_from(KEYS)))
PAST = st.tuples(st.just("past"), st.integers(0, 9), st.sampled_from(KEYS))
FORGET = st.tuples(st.just("forget"), st.just(0), st.sets(st.sampled_from(KEYS)))


@given(steps=st.lists(st.one_of(SCRAPE, PAST, FORGET), max_size=12), same=st.booleans())
def test_it_knows_what_a_table_of_all_series_knows(*, steps: list[tuple], same: bool) -> None:
    latest, plain, held = LatestValues(), {}, {}
    for number, (what, time_ms, found) in enumerate(steps):
        value = float(number)
        if what == "scrape":
            keys = tuple(sorted(found))
            keys = held.setdefault(keys, keys) if same else keys
            latest.put(time_ms, keys, [value] * len(keys))
            plain |= dict.fromkeys(keys, (time_ms, value))
        elif what == "past":
            latest.put_newer(time_ms, found, value)
            if plain.get(found, (-1, 0))[0] <= time_ms:
                plain[found] = (time_ms, value)
        else:
            latest.keep_only(found)
            plain = {key: told for key, told in plain.items() if key in found}
    assert len(latest) == len(plain)
    assert {one.key: (one.time_ms, one.value) for one in latest.select([], 0)} == plain
    of_a = latest.select([Matcher("__name__", "=", "a"), Matcher("gpu", "!=", "1")], 5)
    assert {one.key: one.time_ms for one in of_a} == {
        key: time_ms
        for key, (time_ms, _) in plain.items()
        if key.name == "a" and key.label("gpu") != "1" and time_ms >= 5
    }
