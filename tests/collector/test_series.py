import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.series import Matcher, SeriesKey, labels_of, parse_selector, select

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
LABELS = st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True), st.text(min_size=1), max_size=3)


@given(NAMES, LABELS)
def test_a_key_is_read_back_from_its_text(name: str, labels: dict[str, str]) -> None:
    key = SeriesKey(name, labels_of(labels))
    assert SeriesKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "1a", "a{", "a{b=c}", 'a{b!="c"}', 'a{b="c"', "a b", '{b="c"}'])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no series|empty selector"):
        SeriesKey.parse(text)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("up", ["up", 'up{job="a"}', 'up{job="b"}']),
        ('up{job="a"}', ['up{job="a"}']),
        ('up{job!="a"}', ["up", 'up{job="b"}']),
        ('{__name__=~"u.*",job=~"a|b"}', ['up{job="a"}', 'up{job="b"}']),
        ('{job=~"."}', ['down{job="a"}', 'up{job="a"}', 'up{job="b"}']),
        ('up{job=""}', ["up"]),
        ('up{job!~".+"}', ["up"]),
    ],
)
def test_selectors_pick_as_prometheus_does(selector: str, found: list[str]) -> None:
    keys = [SeriesKey.parse(text) for text in ("up", 'up{job="a"}', 'up{job="b"}', 'down{job="a"}')]
    assert sorted(str(key) for key in select(keys, parse_selector(selector))) == sorted(found)


def test_a_bad_expression_is_named() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        parse_selector('up{job=~"("}')


def test_the_name_is_a_label_too() -> None:
    assert Matcher("__name__", "=~", "fore.*").matches(SeriesKey("forewarn_gpu_up"))
