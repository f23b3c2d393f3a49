"""``forewarn query``: what was recorded, as a table, as JSON and as CSV."""

import csv
import io
import time
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.series import SeriesKey
from collector.store import History, Store, StoreSettings, Values
from forewarn.base.clock import HOUR, MINUTE, SystemClock, rfc3339
from forewarn.cli.query import sparkline
from tests.support.daemon import forewarn

POWER, JOBS = SeriesKey.of("forewarn_gpu_power_watts", gpu="0"), SeriesKey("jobs_total")
BOUNDS = {"0.1": 0.5, "0.2": 0.9, "+Inf": 1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours up to this one, a sample a minute: a rising gauge, and counters that grow by 6 a minute."""
    folder = tmp_path_factory.mktemp("data")
    end = int(time.time() * 1000) // HOUR * HOUR
    times = np.arange(end - 3 * HOUR, end, MINUTE)
    grown: Values = 6.0 * np.arange(len(times), dtype=np.float64)
    store = Store.open(folder / "metrics.db", StoreSettings(), SystemClock())
    buckets = [
        History(SeriesKey.of("wait_seconds_bucket", le=bound), times, np.multiply(grown, share), counter=True)
        for bound, share in BOUNDS.items()
    ]
    gauge = History(POWER, times, 100 + np.arange(len(times), dtype=np.float64) / 10)
    assert store.append_histories([gauge, History(JOBS, times, grown, counter=True), *buckets]) == 5 * len(times)
    store.close()
    return folder


def asked(folder: Path, *arguments: str) -> str:
    done = forewarn("query", *arguments, "--data-dir", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_table_with_the_course(folder: Path) -> None:
    shown = asked(folder, "forewarn_gpu_power_watts", "--since", "1d", "--step", "1h")
    row = next(line.split() for line in shown.splitlines() if str(POWER) in line)
    assert row == [str(POWER), "3", "100", "W", "109", "W", "118", "W", "115", "W", "▁▅█"]


def test_rates_and_increases_as_json(folder: Path) -> None:
    [rate] = orjson.loads(asked(folder, "jobs_total", "--rate", "--since", "1d", "--step", "5m", "--json"))
    assert rate["series"] == "jobs_total"
    assert rate["rate"] == pytest.approx([0.1] * 35)
    [grown] = orjson.loads(asked(folder, "jobs_total", "--increase", "--since", "1d", "--step", "1h", "--json"))
    assert grown["increase"] == [354.0, 360.0, 360.0]


def test_quantiles_as_csv(folder: Path) -> None:
    end = int(time.time() * 1000) // HOUR * HOUR
    since = rfc3339(end - 2 * HOUR)
    text = asked(folder, "wait_seconds_bucket", "--quantile", "0.7", "--since", since, "--step", "1h", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["series"], row["time"]) for row in rows] == [
        ("wait_seconds", rfc3339(end - 2 * HOUR)),
        ("wait_seconds", rfc3339(end - HOUR)),
    ]
    assert [float(row["quantile"]) for row in rows] == pytest.approx([0.15, 0.15])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{"], "'{' is no series"),
        (["up", "--rate", "--increase"], "--rate and --increase do not go together"),
        (["up", "--since", "yesterday"], "--since: 'yesterday' is neither an age nor a time"),
        (["up", "--until", "2h"], "--since is not before --until"),
        (["up", "--step", "0s"], "--step is not longer than 0"),
        (["up", "--step", "soon"], "'soon' is no duration"),
        (["forewarn_gpu_power_watts", "--rate"], "forewarn_gpu_power_watts is no counter, --rate says nothing of it"),
        (["jobs_total", "--quantile", "0.5"], "jobs_total is no histogram"),
        (["wait_seconds_bucket", "--since", "2y", "--step", "1ms"], "windows of 3 series are too many at once"),
    ],
)
def test_wrong_usage_is_named(folder: Path, arguments: list[str], message: str) -> None:
    done = forewarn("query", *arguments, "--data-dir", str(folder))
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("nobody", "there is no series nobody\n"),
        ("jobs_total", "nothing was recorded of jobs_total in this time\n"),
    ],
)
def test_what_was_not_recorded(folder: Path, selector: str, message: str) -> None:
    for form, data in (([], ""), (["--json"], "[]\n")):
        done = forewarn("query", selector, "--since", "30d", "--until", "20d", *form, "--data-dir", str(folder))
        assert (done.returncode, done.stdout, done.stderr) == (0, data, message)


def test_a_long_course_takes_forty_characters() -> None:
    assert len(sparkline(np.arange(1000.0))) == 40
    assert sparkline(np.array([2.0, 2.0])) == "▁▁"
