"""The lines of a log template as a capacity target: a rate that is forecast, with a limit of its own."""

import numpy as np

from collector.series import SeriesKey
from forecast.run import make_forecasts
from forecast.settings import ForecastSettings, TargetSettings
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
NOW_MS = 489_000 * HOUR_MS
STEP_MS = 300_000
DAYS = 15


def test_a_template_that_a_target_names_is_forecast_in_lines_a_second(reader: MemoryReader) -> None:
    times = np.arange(NOW_MS - DAYS * 24 * HOUR_MS, NOW_MS, STEP_MS)
    rate = 10 + 5 * np.sin(2 * np.pi * times / (24 * HOUR_MS))
    lines = np.cumsum(rate * STEP_MS / 1000)
    for template, total in (("17", lines), ("other", 3 * lines)):
        key = SeriesKey.of("forewarn_logs_template_lines_total", dataset="vllm", template=template)
        reader.add(key, times, total, counter=True)
    rows = [TargetSettings(match='forewarn_logs_template_lines_total{template="17"}', limit=40)]
    made = [one for one in make_forecasts(reader, ForecastSettings(), rows, NOW_MS) if one.status == "ok"]
    assert {(one.target.label("template"), one.statistic) for one in made} == {("17", "mean"), ("17", "max")}
    [mean] = [one for one in made if one.statistic == "mean"]
    assert (mean.unit, mean.limit) == ("/s", 40)
    expected = np.array(mean.points["mean"])
    assert 4 < expected.min() < 7
    assert 13 < expected.max() < 16
    assert mean.chance is not None
    assert mean.chance.p72 < 0.05
