import math
from pathlib import Path

import pytest
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


@pytest.mark.parametrize("line", ["<!DOCTYPE html>", "a", "a{b} x", "a one", "a 1 2 3", "a 1_000", '{"json": true}'])
def test_a_line_that_is_no_sample_is_refused(line: str) -> None:
    with pytest.raises(FormatError, match="line 2"):
        parse_page(f"# TYPE a gauge\n{line}\n")


@pytest.mark.parametrize("series", ["1a", 'a{b="c"', "a{b=c}", 'a{b="c" d="e"}', 'a{b="1",b="2"}', 'a{="c"}', "a b"])
def test_a_malformed_series_is_refused(series: str) -> None:
    with pytest.raises(FormatError):
        parse_series(series)
