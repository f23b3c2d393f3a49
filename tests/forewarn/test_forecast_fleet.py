"""forewarn forecast --source prometheus, as a person runs it."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.series import SeriesKey
from forewarn.base.clock import DAY, HOUR, MINUTE
from forewarn.base.errors import UsageError
from forewarn.cli.forecast_fleet import receiver_of
from tests.support.daemon import FOREWARN, forewarn
from tests.support.fleet_servers import fleet_server
from tests.support.history_servers import Recorded, series
from tests.support.listener import listening
from tests.support.ports import free_port
from tests.support.receivers import Receiver

pytestmark = pytest.mark.victoriametrics
DAYS = 8


def recorded() -> Recorded:
    """GPU memory of two nodes as Forewarn sends it, and a queue that somebody else exports."""
    end = time.time_ns() // 1_000_000
    times = np.arange(end - DAYS * DAY, end, 10 * MINUTE, dtype=np.int64)
    found: Recorded = {}
    for number in (1, 2):
        node = {"instance": f"gpu-{number}", "hostname": f"gpu-{number}", "gpu": "0"}
        daily = 10e9 * np.sin(times / DAY * 2 * np.pi)
        found[series("forewarn_gpu_memory_used_bytes", node)] = times, np.round(60e9 + daily)
        found[series("forewarn_gpu_memory_total_bytes", node)] = times, np.full(len(times), 80e9)
        found[series("queue_length", {"instance": f"10.0.0.{number}:8000", "job": "vllm"})] = times, daily / 1e9 + 20
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with fleet_server("victoria-metrics", tmp_path_factory.mktemp("server"), recorded()) as found:
        yield found


def run(*options: str, url: str = "http://127.0.0.1:1") -> "subprocess.CompletedProcess[str]":
    return forewarn("forecast", "--source", "prometheus", "--url", url, *options)


@pytest.mark.slow
def test_every_node_that_writes_there_is_forecast_and_written_back(server: Receiver) -> None:
    done = run("--json", "--workers", "1", "--write-to", server.url, url=server.base)
    assert done.returncode == 0, done.stderr
    made = orjson.loads(done.stdout)
    assert [(each["labels"]["hostname"], each["statistic"]) for each in made] == [
        ("gpu-1", "mean"),
        ("gpu-1", "max"),
        ("gpu-2", "mean"),
        ("gpu-2", "max"),
    ]
    for each in made:
        assert (each["status"], each["model"], each["limit"]) == ("ok", "combiner", pytest.approx(0.95 * 80e9))
        assert each["history_hours"] >= 24 * DAYS - 1
    assert "samples of 4 forecasts written to" in done.stderr
    expected = SeriesKey.of(
        "forewarn_forecast_value",
        target='forewarn_gpu_memory_used_bytes{gpu="0"}',
        statistic="max",
        point="mean",
        horizon="24h",
        gpu="0",
        hostname="gpu-2",
        instance="gpu-2",
    )
    end = time.monotonic() + 120
    while expected not in (held := server.samples()):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert 50e9 < next(iter(held[expected].values())) < 80e9


@pytest.mark.slow
def test_a_table_of_other_exporters_series(server: Receiver) -> None:
    limit = 'queue_length{instance="10.0.0.1:8000"} * 0 + 25'
    options = ("--match", "queue_length", "--limit-query", limit, "--kind", "allocation", "--workers", "1")
    done = run(*options, url=server.base)
    assert done.returncode == 0, done.stderr
    assert "note: 1 of 2 series have none of the limits" in done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(" queue_length")]
    assert len(rows) == 4
    assert 'instance="10.0.0.1:8000"' in rows[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--match", "no_such"), "has no series like"),
        (("--match", "queue_length{"), "is no series"),
        (("--match", "queue_length", "--limit-query", "no_such"), "answers no_such with nothing"),
        (("--match", "queue_length", "--limit", "1", "--limit-query", "x"), "either --limit or --limit-query"),
        (("--match", "queue_length", "--limit", "nan"), "--limit nan is no number"),
        (("--limit", "0"), "--limit says something of what --match names"),
        (("--every", "1h"), "--every takes --write-to"),
        (("--every", "1s", "--write-to", "http://127.0.0.1:1/"), "--every 1s is too often"),
        (("--every", "1h", "--write-to", "http://127.0.0.1:1/", "--json"), "does not go with --json"),
        (("--write-to", "nobody"), "neither an address nor the name"),
        (("--write-to", "http://127.0.0.1:1/", "--as-of", "2026-01-01"), "does not go with --as-of"),
        (("--workers", "2", "--dask", "tcp://127.0.0.1:1"), "either --workers or --dask"),
        (("--score",), "--score is of the daemon's own forecasts"),
        (("--header", "Authorization: Bearer x"), "a secret is not given in a flag"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(server: Receiver, options: tuple[str, ...], says: str) -> None:
    done = run(*options, url=server.base)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") <= 2
    assert done.stdout == ""


@pytest.mark.parametrize("options", [("--match", "queue_length"), ("--limit", "0"), ("--no-rate",)])
def test_options_of_servers_want_a_server(options: tuple[str, ...]) -> None:
    done = forewarn("forecast", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is for a server" in done.stderr
    assert "--source prometheus --url URL" in done.stderr
    assert "--source prometheus takes --url" in forewarn("forecast", "--source", "prometheus").stderr


def test_nobody_answers() -> None:
    done = run("--match", "x", url=f"http://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no answer from http://127.0.0.1:" in done.stderr
    assert "is the address right? Run the command again, it begins anew" in done.stderr


def test_who_asks_must_say_who_it_is(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("abc\n")
    with listening(401) as listener:
        done = run("--match", "x", "--bearer-token-file", str(secret), url=listener.url)
    assert done.returncode == 1
    assert "wants to know who asks (status 401)" in done.stderr
    assert "--bearer-token-file" in done.stderr
    assert listener.requests[0].headers["Authorization"] == "Bearer abc"


def test_a_receiver_of_the_configuration_by_its_name(server: Receiver, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("abc\n")
    with listening(401) as listener:
        config = tmp_path / "forewarn.toml"
        config.write_text(f'[[remote_write]]\nname = "fleet"\nurl = "{listener.url}"\nbearer_token_file = "{secret}"\n')
        options = ("--match", 'queue_length{instance="10.0.0.1:8000"}', "--workers", "1")
        done = run(*options, "--write-to", "fleet", "--config", str(config), url=server.base)
    assert done.returncode == 1
    assert f"{listener.url} takes no forecasts (401)" in done.stderr
    assert listener.requests[0].headers["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("http://fleet:9090/api/v1/write", True),
        ("http://fleet:9091/api/v1/write", False),
        ("https://fleet:9090/api/v1/write", False),
        ("http://other:9090/api/v1/write", False),
    ],
)
def test_a_secret_goes_to_the_server_that_it_was_given_for(address: str, token: bool) -> None:  # noqa: FBT001
    secret = Path("/run/token")
    wanted = {
        "url": "http://fleet:9090",
        "write-to": address,
        "bearer-token-file": secret,
        "basic-auth-file": None,
        "ca-file": None,
        "header": ["X-Scope-OrgID: llm"],
    }
    found = receiver_of(wanted, [])
    assert found.url == address
    assert found.bearer_token_file == (secret if token else None)
    assert found.headers == ({"X-Scope-OrgID": "llm"} if token else {})


def test_user_and_password_are_not_written_with() -> None:
    wanted = {"url": "http://fleet:9090", "write-to": "http://fleet:9090/w", "basic-auth-file": Path("/run/user")}
    with pytest.raises(UsageError, match="--basic-auth-file is for reading"):
        receiver_of(wanted, [])


@pytest.mark.slow
def test_as_a_service_it_writes_until_it_is_told_to_end(server: Receiver) -> None:
    with listening(204) as listener:
        command = [str(FOREWARN), "forecast", "--source", "prometheus", "--url", server.base, "--match", "queue_length"]
        command += ["--every", "1h", "--write-to", listener.url, "--workers", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
            listener.wait_for(1, 200)
            service.send_signal(signal.SIGTERM)
            out, err = service.communicate(timeout=90)
    assert (service.returncode, out) == (0, "")
    assert "forecasts are made" in err


def test_as_of_is_in_the_forecast(server: Receiver) -> None:
    as_of = (time.time_ns() // 1_000_000 // HOUR - 24) * HOUR / 1000
    options = ("--match", 'queue_length{instance="10.0.0.1:8000"}', "--workers", "1", "--json")
    done = run(*options, "--as-of", str(as_of), url=server.base)
    assert done.returncode == 0, done.stderr
    (mean, peak) = orjson.loads(done.stdout)
    assert mean["start"] == mean["as_of"] == peak["start"]
    assert mean["history_hours"] == pytest.approx(24 * (DAYS - 1), abs=1)
