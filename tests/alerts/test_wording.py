"""Numbers and sentences."""

import pytest

from alerts.wording import duration, fill, quantity


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (187_200, "2 d 4 h"),
        (259_200, "3 d"),
        (-90, "-1 min 30 s"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (76 * 2**30, "bytes", "76 GiB"),
        (1023, "bytes", "1023 B"),
        (2.0**70, "bytes", "1.049e+06 PiB"),
        (0.934, "ratio", "93.4 %"),
        (84.0, "celsius", "84 °C"),
        (2.5, "seconds", "2.5 s"),
        (64.0, "", "64"),
        (0.0, "bytes", "0 B"),
    ],
)
def test_quantity(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words


def test_labels_that_look_like_placeholders_are_not_filled() -> None:
    assert fill("{labels.a} {value} {{x}} {labels.none}", {"value": "1"}, {"a": "{value}"}) == "{value} 1 {x} "
