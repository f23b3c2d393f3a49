"""forewarn backtest from end to end."""

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from forecast.backtest.answers import answer
from forecast.backtest.origins import Origin, Question
from forecast.backtest.run import Backtest
from forecast.backtest.windows import Windows
from forecast.backtest.writing import write_breaches
from forecast.breach import Crossing
from forewarn.base.clock import HOUR, rfc3339
from forewarn.base.threads import LIBRARIES
from tests.support.daemon import forewarn
from tests.support.samples import BEGIN_HOUR, daily, write_samples

SERIES = Path(__file__).parents[2] / "data" / "series"
ORIGINS = (500, 30, 5, 560)


def rows(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(text.splitlines()))


def origins_file(path: Path, hours: tuple[int, ...] = ORIGINS, thresholds: tuple[object, ...] = (60, 75, 200)) -> Path:
    lines = [
        f"{name},{rfc3339((BEGIN_HOUR + hour) * HOUR)},{threshold}"
        for hour in hours
        for name in ("a", "b")
        for threshold in thresholds
    ]
    path.write_text("series,origin,threshold\n" + "\n".join(lines) + "\n")
    return path


def asked(folder: Path, data: Path, *more: str) -> tuple[list[dict[str, str]], list[dict[str, str]], dict[str, object]]:
    """Forecasts, breaches and the JSON of a run over the file of origins."""
    origins = folder / "origins.csv"
    if not origins.exists():
        origins_file(origins)
    out, crossed = folder / "out.csv.gz", folder / "breaches.csv"
    command = ("backtest", str(data), "--horizon", "72h", "--origins", str(origins), "--forecasts", str(out))
    done = forewarn(*command, "--breaches", str(crossed), "--json", *more)
    assert done.returncode == 0, done.stderr
    return rows(out), rows(crossed), orjson.loads(done.stdout)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_samples(tmp_path / "data.csv.gz", {"a": daily(600, 1), "b": daily(600, 2)})


def numbers(found: list[dict[str, str]], *columns: str) -> np.ndarray:
    return np.array([[float(row[column]) for column in columns] for row in found])


def test_every_origin_has_72_rows_and_quantiles_in_order(tmp_path: Path, data: Path) -> None:
    forecasts, breaches, figures = asked(tmp_path, data)
    assert list(forecasts[0]) == ["series", "origin", "timestamp", "mean", "q025", "q10", "q50", "q90", "q975"]
    assert len(forecasts) == 2 * len(ORIGINS) * 72
    for place in range(0, len(forecasts), 72):
        first = forecasts[place]
        assert first["timestamp"] == first["origin"]
        begin = BEGIN_HOUR + ORIGINS[place // 144]
        times = [row["timestamp"] for row in forecasts[place : place + 72]]
        assert times == [rfc3339((begin + hour) * HOUR) for hour in range(72)]
    quantiles = numbers(forecasts, "q025", "q10", "q50", "q90", "q975")
    assert (np.diff(quantiles, axis=1) >= 0).all()
    middle = quantiles[:72, 2]
    assert 15 < np.ptp(middle) < 60  # a day's wave of 40, and not a flat line
    assert figures["forecasts"]["windows"] == 8
    assert figures["breaches"]["method"].keys() == {"gauge"}
    assert len(breaches) == 2 * len(ORIGINS) * 3


def test_breaches_rise_with_time_and_fall_with_the_threshold(tmp_path: Path, data: Path) -> None:
    _, breaches, _ = asked(tmp_path, data)
    assert list(breaches[0]) == ["series", "origin", "threshold", "p24", "p48", "p72", "t10", "t50", "t90"]
    shares = numbers(breaches, "p24", "p48", "p72")
    assert (np.diff(shares, axis=1) >= 0).all()
    assert ((shares >= 0) & (shares <= 1)).all()
    by_threshold = shares[:, 2].reshape(-1, 3)
    assert (np.diff(by_threshold, axis=1) <= 0).all()
    assert by_threshold[0, 0] > 0.95  # the wave reaches 70 every day
    assert by_threshold[0, 2] < 0.1
    assert breaches[2]["t50"] == breaches[2]["t90"] == ""
    for row in breaches:
        known = [float(row[name]) for name in ("t10", "t50", "t90") if row[name]]
        assert known == sorted(known)
        assert (row["t50"] != "") == (float(row["p72"]) >= 0.5)
        assert (row["t10"] != "" and float(row["t10"]) < 24) == (float(row["p24"]) >= 0.1)


def test_nothing_at_or_after_an_origin_is_seen(tmp_path: Path) -> None:
    a, b = daily(600, 1), daily(600, 2)
    origins_file(tmp_path / "origins.csv", hours=(500,))
    before, crossed, _ = asked(tmp_path, write_samples(tmp_path / "one.csv", {"a": a, "b": b}))
    for values in (a, b):
        values[1000:] = 1e6
    after, crossed_after, _ = asked(tmp_path, write_samples(tmp_path / "other.csv", {"a": a, "b": b}))
    assert before == after
    assert crossed == crossed_after
    b[999] = 1e6  # the last sample before it is
    changed, _, _ = asked(tmp_path, write_samples(tmp_path / "third.csv", {"a": a, "b": b}))
    assert changed[:72] == before[:72]
    assert changed[72:] != before[72:]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, data: Path) -> None:
    written = []
    for _ in range(2):
        *_, figures = asked(tmp_path, data, "--seed", "7")
        written.append(
            ((tmp_path / "out.csv.gz").read_bytes(), (tmp_path / "breaches.csv").read_bytes(), orjson.dumps(figures))
        )
    assert written[0] == written[1]


def test_hours_agree_with_probabilities_as_they_are_written(tmp_path: Path) -> None:
    curve = np.linspace(0.4, 0.6, 72)
    curve[23] = 0.49999999
    origin = Origin("a", BEGIN_HOUR)
    windows = Windows.of({}, [], "mean")
    found = Backtest([origin], windows, answer(windows.grid, "gauge"), [Question(0, 5.0)], Crossing(curve[None]))
    write_breaches(found, tmp_path / "b.csv")
    (row,) = rows(tmp_path / "b.csv")
    assert (row["p24"], row["t50"]) == ("0.5", "23")


def test_thresholds_beyond_all_measure_are_answered_quietly(tmp_path: Path, data: Path) -> None:
    origins = origins_file(tmp_path / "origins.csv", hours=(500,), thresholds=(-1e308, 1e308))
    for kind in ("gauge", "fill"):
        command = ("backtest", str(data), "--origins", str(origins), "--kind", kind)
        done = forewarn(*command, "--breaches", str(tmp_path / "b.csv"))
        assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr
        assert [float(row["p72"]) > 0.5 for row in rows(tmp_path / "b.csv")] == [True, False] * 2


def test_one_thread_does_the_sums() -> None:
    program = (
        "import os, sys; from forewarn.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'numpy' in sys.modules; print(len(os.listdir('/proc/self/task')))"
    )
    clean = {name: value for name, value in os.environ.items() if name not in LIBRARIES}
    command = [sys.executable, "-c", program, "backtest", "nowhere.csv"]
    assert subprocess.run(command, env=clean, check=True, capture_output=True, text=True).stdout == "1\n"


def test_maxima_are_forecast_as_maxima(tmp_path: Path) -> None:
    values = daily(600)
    values[::2] += 30  # one of the two samples of each hour
    data = write_samples(tmp_path / "data.csv", {"a": values, "b": values})
    means, *_ = asked(tmp_path, data)
    maxima, *_ = asked(tmp_path, data, "--value", "max")
    apart = numbers(maxima, "q50") - numbers(means, "q50")
    assert apart[:72].mean() == pytest.approx(15, abs=3)


def test_a_fill_is_the_level_at_the_hours_end(tmp_path: Path) -> None:
    level = np.arange(1200.0)  # half-hourly: two an hour
    data = write_samples(tmp_path / "data.csv", {"a": level, "b": level})
    origins_file(tmp_path / "origins.csv", hours=(500,), thresholds=(1030.5,))
    forecasts, breaches, figures = asked(tmp_path, data, "--kind", "fill")
    np.testing.assert_allclose(numbers(forecasts, "q50")[:72, 0], 1001 + 2 * np.arange(72))
    assert figures["value"] == "end"
    assert float(breaches[0]["t50"]) == 15  # 1031 at the end of that hour
    assert (breaches[0]["p24"], breaches[0]["p72"]) == ("1", "1")


def test_the_kind_is_found_where_none_is_named(tmp_path: Path) -> None:
    data = write_samples(tmp_path / "data.csv", {"a": np.cumsum(np.abs(daily(600))), "b": daily(600)})
    *_, figures = asked(tmp_path, data)
    assert figures["fills"] == 2  # of the origins with two days before them
    *_, figures = asked(tmp_path, data, "--kind", "gauge")
    assert figures["fills"] == 0


def test_real_series_beat_prophet_and_the_table_says_so() -> None:
    done = forewarn("backtest", str(SERIES / "helios.csv.gz"), "--origins", "5")
    assert done.returncode == 0
    assert "15 windows of 3 series, 15 of them scored" in done.stderr
    ratio = next(line for line in done.stdout.splitlines() if "our MASE over theirs" in line)
    assert float(ratio.split()[-1]) < 1


HARD = {
    "constant": np.full(1200, 5.0),
    "zero": np.zeros(1200),
    "negative": -daily(600),
    "huge": daily(600) * 1e15,
    "tiny": daily(600) * 1e-12,
    "gaps": np.where(np.random.default_rng(1).random(1200) < 0.7, np.nan, daily(600)),
    "long gap": np.where((np.arange(1200) > 300) & (np.arange(1200) < 900), np.nan, daily(600)),
    "steps": np.repeat(np.random.default_rng(2).integers(0, 50, 12), 100).astype(float),
    "spikes": np.where(np.arange(1200) % 97 == 0, 1e6, 0.0),
    "reset counter": np.arange(1200.0) % 333,
    "two points": np.array([1.0, 2.0]),
}


@pytest.mark.parametrize("kind", ["gauge", "fill", "auto"])
def test_hard_series_are_answered_beside_each_other(tmp_path: Path, kind: str) -> None:
    data = write_samples(tmp_path / "data.csv", HARD)
    text = [
        f"{name},{rfc3339((BEGIN_HOUR + hour) * HOUR)},10" for name in HARD for hour in (2, 20, 40, 100, 450, 595, 2000)
    ]
    (tmp_path / "origins.csv").write_text("series,origin,threshold\n" + "\n".join(text) + "\n")
    forecasts, breaches, _ = asked(tmp_path, data, "--kind", kind)
    assert len(forecasts) == len(HARD) * 7 * 72
    quantiles = numbers(forecasts, "mean", "q025", "q10", "q50", "q90", "q975")
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles[:, 1:], axis=1) >= 0).all()
    assert (np.diff(numbers(breaches, "p24", "p48", "p72"), axis=1) >= 0).all()
    constant = [float(row["q50"]) for row in forecasts if row["series"] == "constant"]
    np.testing.assert_allclose(constant, 5.0, rtol=1e-4)


def test_an_origin_before_all_samples_has_empty_cells(tmp_path: Path, data: Path) -> None:
    origins = origins_file(tmp_path / "origins.csv", hours=(-10, 500), thresholds=(60,))
    out, crossed = tmp_path / "out.csv", tmp_path / "b.csv"
    done = forewarn(
        "backtest", str(data), "--origins", str(origins), "--forecasts", str(out), "--breaches", str(crossed)
    )
    assert done.returncode == 0
    assert "2 origins have no sample before them, the first 'a' at 2024-10-03T14:00:00Z" in done.stderr
    assert "Warning" not in done.stderr
    assert {row["q50"] for row in rows(out)[:72]} == {""}
    assert rows(crossed)[0]["p72"] == ""
    assert len(rows(out)) == 4 * 72


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--horizon", "24h"), "error: --horizon 24h: forecasts reach 72h"),
        (("--origins", "0"), "error: --origins: 0 origins are none"),
        (("--origins", "nowhere.csv"), "error: cannot read nowhere.csv"),
        (("--origins", "²"), "error: cannot read ²"),
        (("--breaches", "b.csv"), "error: --breaches needs thresholds"),
        (("--forecasts", "/nowhere/out.csv"), "error: cannot write /nowhere/out.csv: No such file or directory"),
    ],
)
def test_wrong_usage_says_what_is_wrong(data: Path, arguments: tuple[str, ...], message: str) -> None:
    done = forewarn("backtest", str(data), *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2 if "hint" in done.stderr else -1].startswith(message)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("series,timestamp,value\na,0,1\na,later,1\n")
    done = forewarn("backtest", str(path))
    assert done.returncode == 2
    assert f"error: {path}:3: 'later' is no time" in done.stderr
