import pytest

from forewarn.base import words


@pytest.mark.parametrize(
    ("seconds", "text"),
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
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (76 * 2**30, "bytes", "76 GiB"),
        (1023, "bytes", "1023 B"),
        (2.0**70, "bytes", "1.05e+06 PiB"),
        (-2.5 * 2**20, "bytes/s", "-2.5 MiB/s"),
        (0, "bytes", "0 B"),
        (0.934, "ratio", "93.4 %"),
        (0.24, "seconds", "240 ms"),
        (90, "seconds", "1.5 min"),
        (1234.0, "", "1234"),
        (61.5, "celsius", "61.5 °C"),
        (12, "tokens", "12 tokens"),
    ],
)
def test_quantities(value: float, unit: str, text: str) -> None:
    assert words.quantity(value, unit) == text


def test_times() -> None:
    assert words.moment(1_795_442_400_000) == "Mon 23 Nov 14:00 UTC"
    assert (words.hours(3.5), words.hours(24.0), words.hours(240)) == ("3.5 h", "24 h", "10 days")
