"""Jobs for tests of what does them, some of which take their worker down."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from collector.series import SeriesKey
from forecast.fleet.hourly import HourlyReader
from forecast.fleet.job import Job
from forecast.fleet.reading import Part
from forecast.results import Forecast
from forecast.settings import ForecastSettings
from forecast.sources import Gauge
from forecast.targets import Target

HOUR_MS = 3_600_000
END_MS = 489_000 * HOUR_MS
HOURS = 240


def part(number: int, series: int = 3) -> Part:
    """Some series with a daily shape and a limit."""
    hours = np.arange(HOURS)
    noise = np.random.default_rng(number).normal(0, 1, (series, HOURS))
    mean = 20 + 5 * np.sin(hours / 24 * 2 * np.pi) + noise + np.arange(series)[:, None]
    keys = [SeriesKey.of("queue", part=str(number), n=str(row)) for row in range(series)]
    reader = HourlyReader(keys, END_MS - HOURS * HOUR_MS, mean, mean, mean + 1)
    targets = [
        Target(key, statistic, "gauge", 30.0, below=False, unit="", source=Gauge(row))
        for row, key in enumerate(keys)
        for statistic in ("mean", "max")
    ]
    return Part(reader, targets, series)


def job(number: int) -> Job:
    return Job(part(number), ForecastSettings(), END_MS + 60_000, END_MS + 61_000)


@dataclass(frozen=True, slots=True)
class DeadlyJob(Job):
    """Kills its worker as many times as ``deaths`` says; each is a line in the file.

    ``lives`` are the seconds before it does: Dask's nannies look after a worker from when it stands.
    """

    record: Path = Path()
    deaths: int = 1
    lives: float = 0.0

    def forecasts(self) -> list[Forecast]:
        with self.record.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if len(self.record.read_text().splitlines()) <= self.deaths:
            time.sleep(self.lives)
            os.kill(os.getpid(), signal.SIGKILL)
        return Job.forecasts(self)


def deadly(number: int, record: Path, deaths: int, lives: float = 0.0) -> DeadlyJob:
    plain = job(number)
    return DeadlyJob(plain.part, plain.settings, plain.as_of_ms, plain.made_ms, record, deaths, lives)


def as_bytes(found: list[list[Forecast]]) -> bytes:
    """Every digit of them."""
    return orjson.dumps([[each.to_dict() for each in some] for some in found])
