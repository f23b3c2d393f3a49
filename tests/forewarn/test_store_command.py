"""forewarn store: what it exports is read by those it is for, and is what the store holds."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from collector.series import SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from forewarn.base.clock import HOUR, SystemClock, parse_time, rfc3339
from forewarn.base.files import replacing
from tests.support.daemon import forewarn, running
from tests.support.filled_store import COUNTERS, GAUGES, fill
from tests.support.receivers import Found, Prometheus
from tests.support.remote_sender import stored

END = time.time_ns() // 1_000_000 // 1000 * 1000 + 123


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    fill(folder / "metrics.db", END, hours=9)
    return folder


@pytest.fixture(scope="module")
def held(data: Path) -> Found:
    return stored(data / "metrics.db", {"": ""})


def export(data: Path, out: Path, *arguments: str) -> dict[str, int]:
    done = forewarn("store", "export", str(out), "--data-dir", str(data), "--json", *arguments)
    assert done.returncode == 0, done.stderr
    report: dict[str, int] = orjson.loads(done.stdout)
    return report


def of_csv(path: Path) -> Found:
    found: Found = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            when = parse_time(row["timestamp"])
            found.setdefault(SeriesKey.parse(row["series"]), {})[when] = float(row["value"])
    return found


def test_csv_holds_every_sample_and_backfill_makes_the_same_store_of_it(
    tmp_path: Path, data: Path, held: Found
) -> None:
    report = export(data, tmp_path / "all.csv")
    assert report["rows"] == sum(map(len, held.values()))
    assert of_csv(tmp_path / "all.csv") == held
    other = tmp_path / "other"
    done = forewarn("backfill", "--data-dir", str(other), str(tmp_path / "all.csv"))
    assert done.returncode == 0, done.stderr
    assert stored(other / "metrics.db", {"": ""}) == held
    assert rolled(other / "metrics.db") == rolled(data / "metrics.db")


def rolled(path: Path) -> dict[SeriesKey, list[list[float]]]:
    reader = StoreReader(path)
    found = {}
    for series in reader.series():
        windows = reader.rollup(series.id, END - 9 * HOUR, END, HOUR)
        columns = (windows.last, windows.count, windows.increase if series.counter else windows.max)
        found[series.key] = [column.tolist() for column in columns]
    reader.close()
    return found


@pytest.mark.prometheus
def test_promtool_takes_the_openmetrics_text_and_prometheus_shows_equal_values(
    tmp_path: Path, data: Path, held: Found
) -> None:
    export(data, tmp_path / "all.om")
    server = Prometheus(tmp_path / "prometheus")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "all.om")]
    subprocess.run([*command, str(tmp_path / "prometheus" / "data")], check=True, capture_output=True, timeout=200)
    server.start()
    try:
        assert server.samples() == held
    finally:
        server.end()
    text = (tmp_path / "all.om").read_text()
    assert "# TYPE forewarn_gpu_power_watts gauge\n" in text
    assert "# TYPE forewarn_gpu_energy_joules counter\n# HELP forewarn_gpu_energy_joules " in text


@pytest.mark.parametrize("offset", range(0, 1000, 37))
def test_prometheus_finds_the_millisecond_that_was_written(offset: int) -> None:
    """Prometheus parses a time stamp as a float64, multiplies by 1,000 and cuts off."""
    import numpy as np

    from collector.store.tools.formats import _seconds

    times = np.arange(1_795_000_000_000 + offset, 1_795_000_400_000, 997)
    assert [int(float(text) * 1000) for text in _seconds(times)] == times.tolist()


def test_parquet_is_read_by_pyarrow(tmp_path: Path, data: Path, held: Found) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(data, tmp_path / "all.parquet")
    table = parquet.read_table(tmp_path / "all.parquet").to_pylist()
    labels = {name for key in held for name, _ in key.labels} - {"value"}
    found: Found = {}
    for row in table:
        pairs = {name: row[name] for name in labels if row[name] is not None}
        pairs |= {"value": row["value_label"]} if row["value_label"] is not None else {}
        key = SeriesKey(row["__name__"], tuple(sorted(pairs.items())))
        found.setdefault(key, {})[round(row["timestamp"].timestamp() * 1000)] = row["value"]
    assert found == held


@pytest.mark.parametrize("step", ["1h", "5m", "90s"])
def test_windows_are_those_of_the_reader(tmp_path: Path, data: Path, step: str) -> None:
    report = export(data, tmp_path / "some.csv", "--step", step, "--match", '{__name__=~"forewarn_gpu_.*",gpu="1"}')
    assert report["series"] == 2
    with (tmp_path / "some.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    reader = StoreReader(data / "metrics.db")
    step_ms = {"1h": HOUR, "5m": 300_000, "90s": 90_000}[step]
    for series in reader.series():
        if series.key not in (GAUGES[1], COUNTERS[1]):
            continue
        windows = reader.rollup(series.id, END - 10 * HOUR, END + 1, step_ms)
        mine = [row for row in rows if row["series"] == str(series.key)]
        assert [parse_time(row["timestamp"]) for row in mine] == windows.times.tolist()
        assert [float(row["count"]) for row in mine] == windows.count.tolist()
        if series.counter:
            assert [float(row["increase"]) for row in mine] == windows.increase.tolist()
            assert [float(row["value"]) for row in mine] == windows.last.tolist()
            assert {row["max"] for row in mine} == {""}
        else:
            assert [float(row["value"]) for row in mine] == pytest.approx(windows.mean.tolist())
            assert [float(row["max"]) for row in mine] == windows.max.tolist()
    reader.close()


def test_a_range_is_kept_and_standard_output_is_a_file_too(data: Path, held: Found) -> None:
    since, until = rfc3339(END - 3 * HOUR), rfc3339(END - HOUR)
    arguments = ["--since", since, "--until", until, "--match", "forewarn_gpu_power_watts", "--format", "csv"]
    done = forewarn("store", "export", "-", "--data-dir", str(data), *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    wanted = [when for key in GAUGES for when in held[key] if END - 3 * HOUR <= when < END - HOUR]
    assert len(lines) == len(wanted) + 1
    assert f"{len(wanted)} samples of 6 series" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.csv", "--match", "nothing_of_the_kind"], "no series matches"),
        (["x.csv", "--match", "{"], "is no series"),
        (["x.dat"], "does not tell the format"),
        (["x.csv", "--since", "yesterday"], "neither an age nor a time"),
        (["x.csv", "--since", "1h", "--until", "2h"], "--since is not before --until"),
        (["x.csv", "--step", "0s"], "--step is not longer than 0"),
        (["missing/x.csv"], "cannot write"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_no_file(
    tmp_path: Path, data: Path, arguments: list[str], message: str
) -> None:
    out, *rest = arguments
    done = forewarn("store", "export", str(tmp_path / out), "--data-dir", str(data), *rest)
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert "hint:" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_broken_off_leaves_the_old_file(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "all.csv"
    out.write_text("old")
    with pytest.raises(TypeError), replacing(out) as stream:
        stream.write("no bytes")  # type: ignore[arg-type]  # what breaks the writing off
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]
    export(data, out, "--match", "forewarn_gpu_power_watts")
    assert out.read_text().startswith("series,timestamp,value\n")
    assert out.stat().st_mode & 0o777 == 0o600


TELLS_ITS_PEAK = """
import atexit, pathlib, sys
from forewarn.cli import main
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr))
main()
"""


@pytest.mark.slow
def test_the_memory_of_an_export_does_not_grow_with_its_length(tmp_path: Path, data: Path) -> None:
    """Ten times the samples, the same memory."""
    import numpy as np

    store = Store.open(tmp_path / "metrics.db", StoreSettings(), SystemClock())
    key, now = SeriesKey("long"), SystemClock().now_ms()
    times = np.arange(now - 6 * 24 * HOUR, now, 300, dtype=np.int64)
    store.append_history(key, times, np.arange(len(times), dtype=np.float64))
    store.close()
    peaks = []
    for folder in (data, tmp_path):
        command = [sys.executable, "-P", "-c", TELLS_ITS_PEAK, "store", "export", "-", "--format", "csv"]
        done = subprocess.run([*command, "--data-dir", str(folder)], capture_output=True, text=True, check=True)
        peaks.append(int(done.stderr.rpartition("VmHWM:")[2].split()[0]))
    assert peaks[1] - peaks[0] < 40 * 2**10


def test_check_and_stats_work_beside_a_daemon(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    fill(folder / "metrics.db", END - 5000, hours=2)
    quiet = "[collector]\ninterval = 1\n[collector.nvml]\nenabled = false\n[forecast]\nenabled = false\n"
    with running(folder, config=quiet):
        checked = forewarn("store", "check", "--data-dir", str(folder), "--json")
        assert checked.returncode == 0, checked.stdout
        assert orjson.loads(checked.stdout)["sound"]
        counted = orjson.loads(forewarn("store", "stats", "--data-dir", str(folder), "--json").stdout)
        assert counted["refused"] == {"series": 0, "samples": 0, "first": []}
    table = forewarn("store", "stats", "--data-dir", str(folder)).stdout
    assert "forewarn_gpu_power_watts" in table
    assert "no daemon runs" in table


def test_a_damaged_file_is_named_and_exit_is_1(tmp_path: Path, data: Path) -> None:
    broken = tmp_path / "metrics.db"
    content = bytearray((data / "metrics.db").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9000] = bytes(9000)
    broken.write_bytes(content)
    done = forewarn("store", "check", "--file", str(broken))
    assert done.returncode == 1
    assert done.stdout.endswith("damaged\n")
    assert "'forewarn store rescue FILE' carries what can still be read into it" in done.stderr
    missing = forewarn("store", "check", "--file", str(tmp_path / "none.db"))
    assert missing.returncode == 1
    assert "cannot open" in missing.stderr


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, data: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from forewarn.cli import main; main()"
    command = [sys.executable, "-c", code, "store", "export", str(tmp_path / "x.parquet"), "--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'forewarn[parquet]'" in done.stderr
