import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collector.textformat import FormatError, parse_page, parse_series

PAGES = sorted((Path(__file__).parent.parent / "fixtures" / "endpoints").glob("*.txt"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_read_as_prometheus_client_reads_them(path: Path) -> None:
    text = path.read_text()
    theirs = [
        (sample.name.removesuffix("_total"), sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    ours = []
    for series, value in parse_page(text).values:
        name, labels = parse_series(series)
        ours.append((name.removesuffix("_total"), labels, value))  # their parser adds _total to every counter
    assert [repr(row) for row in ours] == [repr((name, labels, float(value))) for name, labels, value in theirs]
    assert len(ours) > 10


@pytest.mark.parametrize(
    ("line", "series", "value"),
    [
        ("a 1", "a", 1.0),
        ("a 1.5e3 1700000000000", "a", 1500.0),
        ("  a{}\t-2 ", "a{}", -2.0),
        ('a{b="} 7"} 3', 'a{b="} 7"}', 3.0),
        ("a +Inf", "a", math.inf),
        ("a 1 -1.5", "a", 1.0),
        ('a{b="#"} 3', 'a{b="#"}', 3.0),
        ('a_bucket{le="1"} 4 # {trace_id="}\\""} 0.7 1700000000.123', 'a_bucket{le="1"}', 4.0),
        ('a_total{b="x # {y"} 4 1700000000.5 # {} 1', 'a_total{b="x # {y"}', 4.0),
        ('a {b="#"} 5', 'a {b="#"}', 5.0),
        ("a_total 6 # {} 1 2", "a_total", 6.0),
    ],
)
def test_a_line_splits_into_series_and_value(line: str, series: str, value: float) -> None:
    assert parse_page(line).values == [(series, value)]


def test_nan_is_a_value() -> None:
    ((_, value),) = parse_page("a NaN\r\n").values
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("a", "a", {}),
        ("vllm:a{}", "vllm:a", {}),
        ('a{b="c",}', "a", {"b": "c"}),
        (' a { b = "c" , d="" } ', "a", {"b": "c", "d": ""}),
        (r'a{b="x\"y\\z\nw"}', "a", {"b": 'x"y\\z\nw'}),
        ('a{b="{c,d}"}', "a", {"b": "{c,d}"}),
        (r'a{b="C:\dir"}', "a", {"b": r"C:\dir"}),
    ],
)
def test_a_series_gives_name_and_labels(text: str, name: str, labels: dict[str, str]) -> None:
    assert parse_series(text.strip()) == (name, labels)


@pytest.mark.parametrize(
    "line",
    ["<!DOCTYPE html>", "a", "a{b} x", "a one", "a 1 2 3", "a 1 x", "a # 1", 'a{b="# 1', "a 1_000", '{"json": true}'],
)
def test_a_line_that_is_no_sample_is_refused(line: str) -> None:
    with pytest.raises(FormatError, match="line 2"):
        parse_page(f"# TYPE a gauge\n{line}\n")


@pytest.mark.parametrize("series", ["1a", 'a{b="c"', "a{b=c}", 'a{b="c" d="e"}', 'a{b="1",b="2"}', 'a{="c"}', "a b"])
def test_a_malformed_series_is_refused(series: str) -> None:
    with pytest.raises(FormatError):
        parse_series(series)


NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,10}", fullmatch=True)
LABELS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=12)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@given(
    NAMES,
    st.dictionaries(LABELS, TEXTS | st.sampled_from(["# {", "} 1", '"', "\\", "a\nb"]), max_size=4),
    st.floats(allow_nan=False),
    st.sampled_from(["", " 1700000000000", " 1700000000.25", ' # {trace_id="x} # y"} 0.5', " # {} 1 1.5"]),
)
def test_what_is_written_is_read(name: str, labels: dict[str, str], value: float, rest: str) -> None:
    pairs = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
    spelled = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(value))
    ((series, found),) = parse_page(f"{name}{{{pairs}}} {spelled}{rest}\n").values
    assert found == value
    assert parse_series(series) == (name, labels)


@given(st.text(max_size=80))
def test_any_text_is_a_page_or_is_refused(text: str) -> None:
    try:
        for series, _ in parse_page(text).values:
            parse_series(series)
    except FormatError:
        pass


def test_a_page_of_openmetrics_is_read() -> None:
    page = """# TYPE reqs counter
# UNIT reqs requests
# HELP reqs Requests.
reqs_total{a="b"} 17.0 # {trace_id="4bf92f"} 0.067 1520879607.789
reqs_created{a="b"} 1520430000.123
# TYPE lat histogram
lat_bucket{le="0.1"} 8.0 1520879607.5 # {} 0.05
lat_bucket{le="+Inf"} 10.0
lat_count 10.0
lat_sum 1.5
# EOF
"""
    found = dict(parse_page(page).values)
    assert found == {
        'reqs_total{a="b"}': 17.0,
        'reqs_created{a="b"}': 1520430000.123,
        'lat_bucket{le="0.1"}': 8.0,
        'lat_bucket{le="+Inf"}': 10.0,
        "lat_count": 10.0,
        "lat_sum": 1.5,
    }
