import subprocess

import pytest

from collector.catalogue import CATALOGUE
from collector.exposition import render
from collector.series import Sample, Scrape
from forecast.metrics import samples
from tests.support.hourly import BEGIN_MS, HOUR_MS, chance, forecast


def values(found: list[Sample], name: str, **labels: str) -> list[float]:
    return [
        sample.value
        for sample in found
        if sample.key.name == name and all(sample.key.label(label) == value for label, value in labels.items())
    ]


def test_horizons_read_the_hour_that_lies_ahead_of_the_scrape() -> None:
    one = forecast("x", breach_ms=BEGIN_MS + 7200_000)
    found = samples([one], BEGIN_MS + HOUR_MS // 2, 12.5)
    mean = values(found, "forewarn_forecast_value", point="mean", horizon="24h", target="x", statistic="mean")
    assert mean == [one.points["mean"][24]]
    assert values(found, "forewarn_forecast_value", point="p90", horizon="72h") == [one.points["p90"][71]]
    assert values(found, "forewarn_forecast_limit", target="x") == [2.0]
    assert values(found, "forewarn_forecast_breach_seconds") == [5400.0]
    assert values(found, "forewarn_forecast_duration_seconds") == [12.5]
    assert values(found, "forewarn_forecast_last_run_timestamp_seconds") == [pytest.approx(one.made_ms / 1000)]


def test_an_old_forecast_falls_silent_horizon_by_horizon() -> None:
    found = samples([forecast()], BEGIN_MS + 50 * HOUR_MS)
    horizons = {sample.key.label("horizon") for sample in found if sample.key.name == "forewarn_forecast_value"}
    assert horizons == {"1h", "2h", "3h", "6h", "12h", "18h", "24h"}


def test_targets_are_counted_by_status() -> None:
    found = samples([forecast(), forecast("y", status="no_data", points={}), forecast("z", breach_ms=None)], BEGIN_MS)
    counts = {
        status: values(found, "forewarn_forecast_targets", status=status) for status in ("ok", "no_data", "failed")
    }
    assert counts == {"ok": [2.0], "no_data": [1.0], "failed": [0.0]}
    assert values(found, "forewarn_forecast_breach_seconds") == []


def test_a_breach_in_the_past_is_now() -> None:
    found = samples([forecast(breach_ms=BEGIN_MS - HOUR_MS)], BEGIN_MS)
    assert values(found, "forewarn_forecast_breach_seconds") == [0.0]


def test_probabilities_are_those_of_the_windows_from_the_scrape_on() -> None:
    name = "forewarn_forecast_breach_probability_ratio"
    likely = forecast("x", chance=chance({6: 0.1, 7: 0.2, 24: 0.4, 48: 0.7}))
    at_start, later = samples([likely], BEGIN_MS), samples([likely], BEGIN_MS + HOUR_MS)
    assert values(at_start, name, target="x", statistic="mean") == [0.1, 0.4, 0.7, 0.7]
    assert values(later, name, window="6h") == [0.2]
    over = forecast("x", breach_ms=BEGIN_MS - HOUR_MS)
    assert values(samples([over], BEGIN_MS), name) == [1.0] * 4
    assert values(samples([forecast("x", limit=None)], BEGIN_MS), name) == []


def test_every_sample_is_in_the_catalogue_with_its_labels() -> None:
    for sample in samples([forecast(breach_ms=BEGIN_MS, chance=chance({9: 0.5}))], BEGIN_MS, 1.0):
        assert {name for name, _ in sample.key.labels} == set(CATALOGUE[sample.key.name].labels)


@pytest.mark.prometheus
def test_promtool_accepts_the_metrics() -> None:
    quoted = forecast('forewarn_gpu_memory_used_bytes{gpu="0"}', breach_ms=BEGIN_MS, chance=chance({9: 0.5}))
    page = render(Scrape(BEGIN_MS, samples([quoted], BEGIN_MS, 1.0)), "node1")
    assert rb'target="forewarn_gpu_memory_used_bytes{gpu=\"0\"}"' in page
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
