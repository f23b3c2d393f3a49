"""What is said of an anomaly."""

import pytest

from logship.anomalies import wording
from logship.anomalies.rates import Finding


@pytest.mark.parametrize(
    ("expected", "usual"), [(1e-6, "none are usual"), (0.0, "none are usual"), (0.04, "0.04 are"), (12, "12 are usual")]
)
def test_what_is_usual(expected: float, usual: str) -> None:
    said = wording.rate(Finding(1, "rate_jump", 32, expected, 600, 0.999), 10)
    assert said.startswith("32 lines of template 10 in 10 min, where ")
    assert usual in said
