"""From recorded history to a notification: backfill, forecast, breach, alert, webhook, all of them real."""

import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.support.daemon import forewarn, running
from tests.support.listener import listening

SERIES = Path(__file__).parents[1] / "data" / "series"
HELIOS = "earth/vcgkz/running_gpu_num"


def one_series(folder: Path, archive: str, wanted: str | None = None) -> tuple[Path, str, list[float]]:
    """A CSV file with one of an archive's series, its name and its values."""
    values: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in gzip.decompress((SERIES / archive).read_bytes()).decode().splitlines()[1:]:
        name, time, value = line.split(",")
        values[name].append((time, value))
    name = wanted or min(values)
    path = folder / archive.replace(".gz", "")
    path.write_text("series,timestamp,value\n" + "".join(f"{name},{time},{value}\n" for time, value in values[name]))
    return path, name, [float(value) for _, value in values[name]]


@pytest.mark.slow
@pytest.mark.parametrize("archive", ["nab.csv.gz", "helios.csv.gz"])
def test_history_becomes_a_forecast_and_the_forecast_a_notification(tmp_path: Path, archive: str) -> None:
    path, name, values = one_series(tmp_path, archive)
    data = ["--data-dir", str(tmp_path / "data")]
    loaded = forewarn("backfill", *data, "--shift-to-now", "--json", str(path))
    assert loaded.returncode == 0, loaded.stderr
    report = orjson.loads(loaded.stdout)
    assert (report["samples"], report["malformed"], report["series"]) == (len(values), 0, 1)

    limit = float(np.quantile(values, 0.6))  # crossed again and again: one of the next days will, too
    target = f"[[target]]\nmatch = '''forewarn_imported_value{{series=\"{name}\"}}'''\nlimit = {limit}\n"
    with listening() as on_call:
        receiver = f'[[alerts.receiver]]\nname = "on-call"\nurl = "{on_call.url}"\n'
        grouping = "[alerts]\ngroup_wait = 0\nevaluate_every = 1\n"
        config = tmp_path / "data.toml"
        config.write_text(target)
        made = orjson.loads(forewarn("forecast", *data, "--config", str(config), "--json").stdout)
        assert {each["status"] for each in made} == {"ok"}
        assert {each["model"] for each in made} == {"combiner"}
        for each in made:
            points = each["points"]
            assert [len(values) for values in points.values()] == [72] * 5
            assert np.all(np.array(points["p10"]) <= np.array(points["p90"]) + 1e-9)
            assert each["limit"] == pytest.approx(limit)
            assert (each["breach"] is None) == bool(each["breach_reason"] and not each["breach"])
        with running(tmp_path / "data", config=target + grouping + receiver) as daemon:
            daemon.wait_for(lambda: on_call.requests)
            payload = on_call.requests[0].json()
            assert payload["version"] == "4"
            (alert,) = [each for each in payload["alerts"] if each["labels"]["series"] == name]
            assert alert["labels"]["alertname"] == "CapacityWillRunOut"
            shown = daemon.get("/v1/alerts")["alerts"]
            assert alert["fingerprint"] in {each["fingerprint"] for each in shown}


def test_a_running_daemon_takes_the_history(tmp_path: Path) -> None:
    path, name, values = one_series(tmp_path, "helios.csv.gz", HELIOS)
    with running(tmp_path / "data") as daemon:
        loaded = forewarn("backfill", "--data-dir", str(tmp_path / "data"), "--shift-to-now", "--json", str(path))
        assert loaded.returncode == 0, loaded.stderr
        assert orjson.loads(loaded.stdout)["new"] == len(values)
        again = forewarn("backfill", "--data-dir", str(tmp_path / "data"), "--shift-to-now", "--json", str(path))
        assert orjson.loads(again.stdout)["already_loaded"]
        (series,) = daemon.get("/v1/series?match=forewarn_imported_value")["series"]
        assert series["labels"] == {"series": name}


def test_old_history_is_refused_with_one_line_unless_it_is_shifted(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("series,timestamp,value\na,2001-01-01T00:00:00Z,1\n")
    refused = forewarn("backfill", "--data-dir", str(tmp_path / "data"), str(path))
    assert refused.returncode == 2
    assert "2001-01-01T00:00:00Z, is older than the store keeps" in refused.stderr
    assert "--shift-to-now" in refused.stderr
    shifted = forewarn("backfill", "--data-dir", str(tmp_path / "data"), "--shift-to-now", str(path))
    assert shifted.returncode == 0, shifted.stderr


def test_a_malformed_line_is_named_and_the_rest_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("series,timestamp,value\na,2001-01-01T00:00:00Z,1\na,yesterday,2\na,2001-01-01T00:10:00Z,3\n")
    loaded = forewarn("backfill", "--data-dir", str(tmp_path / "data"), "--shift-to-now", "--json", str(path))
    assert loaded.returncode == 0, loaded.stderr
    report = orjson.loads(loaded.stdout)
    assert (report["samples"], report["malformed"]) == (2, 1)
    assert report["first_malformed"][0]["line"] == 3
