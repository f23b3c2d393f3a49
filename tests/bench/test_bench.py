"""The benchmarks' parts that need no peers, in their quick form, so that they work on the day they are needed."""

import gzip
import os
import time
from pathlib import Path

import numpy as np
import orjson
import pytest

from bench import collector, document, store
from bench.measure import costs_over, percentiles, together
from bench.report import Figure, Report
from bench.workload import from_file, generated
from forewarn.base.clock import DAY, SECOND

NOW = 1_800_000_000_000 // DAY * DAY
MACHINE = {
    "cpu": "a CPU",
    "cores": 2,
    "memory_mib": 2048,
    "kernel": "6.1",
    "disk": {"device": "/dev/sda", "model": "a disk", "filesystem": "ext4"},
    "load_at_start": 0.1,
    "versions": {"python": "3.11"},
}


def report_of(name: str) -> Report:
    return Report(name, MACHINE, quick=True)


@pytest.mark.slow
def test_the_store_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "QUICK", store.Lengths(hours=1.02, scrapes=30, questions=3))
    series = tmp_path / "series.csv.gz"
    with gzip.open(series, "wt") as file:
        file.write("series,timestamp,value\n")
        file.writelines(f"used/{n % 2},2024-05-01T00:{n // 2:02d}:00Z,{n}\n" for n in range(60))
    report = report_of("store")
    store.run(report, tmp_path, files=[series], peers=False)
    found = {figure.name: figure for figure in report.figures}
    assert 0 < (found["8 GPUs, shipped generator: bytes a sample"].value or 0) < 8
    assert (found["2 series of series.csv.gz: bytes a sample"].value or 0) > 0
    assert report.raw["2 series of series.csv.gz"]["samples"] == 60
    for name in ("30 days of one series at 5 min", "last hour of 8 series, raw", "durable append of 1,000 series"):
        assert (found[name].value or 0) > 0
    path = report.finish(tmp_path)
    assert path.name == "store-quick.json"
    assert len(orjson.loads(path.read_bytes())["figures"]) == len(report.figures)


def test_the_flat_line_is_measured() -> None:
    report = report_of("collector")
    collector.flat_line(report, 0.1)
    assert len(report.raw["flat_line"]["rss_mib"]) == 6
    assert report.raw["flat_line"]["series"] > 150


@pytest.mark.timed
@pytest.mark.alone
def test_processes_are_weighed() -> None:
    def work() -> None:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass

    (cost,) = costs_over([os.getpid()], 1.0, work)
    assert 15 < cost.cpu_percent < 90
    assert 20 < cost.rss_mib <= cost.peak_rss_mib
    assert cost.pss_mib <= cost.rss_mib
    assert together([cost, cost]).pss_mib == pytest.approx(2 * cost.pss_mib)
    assert percentiles(range(101)) == {"p50": 50, "p90": 90, "p99": 99, "max": 100}


def test_a_file_keeps_its_steps_and_ends_today(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("series,timestamp,value\nmem/0a,2022-09-11T01:12:57Z,5\nmem/0a,2022-09-11T01:12:00Z,4.5\n")
    (column,) = from_file(file, NOW)
    assert str(column.key) == 'mem{device="0a"}'
    assert column.values.tolist() == [4.5, 5.0]
    assert np.diff(column.times).tolist() == [57 * SECOND]
    assert NOW - DAY < column.times[-1] <= NOW


def test_the_generator_gives_every_gpu_more_than_twelve_series() -> None:
    columns = generated(NOW, 0.01)
    assert len(columns) >= 8 * 12
    assert {len(column.times) for column in columns} == {36}


def test_a_figure_that_could_not_be_measured_is_missed() -> None:
    assert Figure("a", None, "ms", 5).reached is False
    assert Figure("a", 5, "ms", 5).reached is True
    assert Figure("a", 5, "ms").reached is None


def test_the_page_of_benchmarks_shows_the_results(tmp_path: Path) -> None:
    text = document.PAGE.read_text()
    assert document.filled(text) == text, "run 'make docs'"
    assert document.filled(text, tmp_path).count("Not run yet.") == len(document.BENCHMARKS)
    report = Report("store", MACHINE, quick=False)
    report.add(Figure("a figure", 1.25, "ms", 2.0, "remark"), Figure("a share", None, "", 0.6, "no peer"))
    report.finish(tmp_path)
    page = document.filled(text, tmp_path)
    assert "| a figure | 1.25 ms | <= 2 ms | yes | remark |" in page
    assert "| a share | - | <= 0.6 | **no** | no peer |" in page
