"""``forewarn plan`` and ``GET /v1/plan`` on a node with three weeks of history."""

import concurrent.futures
import contextlib
import math
import time
from pathlib import Path

import orjson
import psutil
import pytest
import urllib3

from api.routes.plan import PlanAnswer
from forewarn.base.clock import rfc3339
from forewarn.base.errors import UsageError
from forewarn.cli.plan import factor_of, share_of
from tests.support.daemon import forewarn, running

HOUR_MS = 3_600_000
DAYS = 25
CONFIG = """
[forecast]
at_start = false
[collector.nvml]
enabled = false
[[target]]
match = "forewarn_imported_value"
kind = "fill"
limit = 100
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that fills by 3 a day, and reaches 100 in 8 days."""
    folder = tmp_path_factory.mktemp("plan")
    end = int(time.time()) // 3600 * HOUR_MS
    hours = range(-DAYS * 24, 0)
    rows = [f"quota,{rfc3339(end + hour * HOUR_MS)},{100 - 8 * 3 + hour * 3 / 24}" for hour in hours]
    (folder / "h.csv").write_text("\n".join(["series,timestamp,value", *rows]) + "\n")
    (folder / "data.toml").write_text(CONFIG)
    loaded = forewarn("backfill", str(folder / "h.csv"), "--data-dir", str(folder / "data"))
    assert loaded.returncode == 0, loaded.stderr
    return folder / "data"


def where(data: Path) -> tuple[str, ...]:
    return "--data-dir", str(data), "--config", str(data.with_suffix(".toml"))


def test_the_command(data: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    done = forewarn("plan", *where(data), "--picture", str(picture))
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "quota" in line)
    assert "8 d" in row or "9 d" in row
    assert "note: 30d: needs 45 days of history" in done.stderr
    assert "note: no GPUs" in done.stderr
    assert picture.read_text().startswith("<svg")
    told = orjson.loads(forewarn("plan", *where(data), "--json", "--horizon", "14d", "--grow", "2").stdout)
    quota = told["resources"][0]
    assert told["horizons_days"] == [3, 14]
    assert quota["chances"]["14d"] > 0.8
    assert quota["chances"]["30d"] is None
    assert quota["t50"] < rfc3339(round(time.time() * 1000) + 6 * 24 * HOUR_MS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--probability", "0"), "error: --probability 0: not between 0.1% and 99%"),
        (("--picture", "plan.png"), "error: --picture plan.png: drawn is SVG"),
        (("--picture", "/nowhere/plan.svg"), "error: --picture /nowhere/plan.svg: /nowhere is no folder"),
        (("--target", "a{b"), "error: "),
    ],
)
def test_wrong_usage_is_one_line_and_a_hint(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = forewarn("plan", "--data-dir", str(tmp_path), *arguments)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(said)
    assert second.startswith("hint: ")


@pytest.mark.parametrize("text", ["", "0", "nan", "nan%", "inf", "100%", "1", "-5%", "five"])
def test_what_is_no_probability(text: str) -> None:
    with pytest.raises(UsageError):
        share_of(text)


def test_probabilities_in_per_cent_and_as_parts() -> None:
    assert share_of("5%") == share_of("0.05") == pytest.approx(0.05)


@pytest.mark.parametrize("grow", [-1.0, 0.0, math.nan, math.inf])
def test_what_is_no_growth(grow: float) -> None:
    with pytest.raises(UsageError):
        factor_of(grow)


@pytest.mark.timed
def test_the_daemon_answers_and_goes_on_meanwhile(data: Path) -> None:
    with running(data, config=CONFIG) as daemon, concurrent.futures.ThreadPoolExecutor(2) as pool:
        url = f"{daemon.url}/v1/plan?horizon=14d"
        asked = pool.submit(urllib3.request, "GET", url, timeout=300, retries=False)
        slowest = 0.0
        while not asked.done():
            begin = time.monotonic()
            daemon.get("/healthz")
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.1)
        told = orjson.loads(asked.result().data)
        assert slowest < 2.0
        PlanAnswer.model_validate(told)
        quota = next(one for one in told["resources"] if "quota" in one["target"])
        assert quota["title"] == "quota"
        assert quota["chances"]["14d"] > 0.8
        again = time.monotonic()
        assert daemon.get("/v1/plan?horizon=14d")["as_of"] == told["as_of"]
        assert time.monotonic() - again < 0.5
        for bad in ("horizon=5d", "probability=2", "grow=0", "target=a%7Bb"):
            answer = urllib3.request("GET", f"{daemon.url}/v1/plan?{bad}", retries=False)
            assert answer.status in {400, 422}, bad
        assert not [child for child in daemon.children() if is_planning(child)]


@pytest.mark.timed
def test_many_questions_at_once_are_refused_and_none_holds_up_the_end(data: Path) -> None:
    with running(data, config=CONFIG) as daemon, concurrent.futures.ThreadPoolExecutor(7) as pool:

        def status(place: int) -> int:
            try:
                url = f"{daemon.url}/v1/plan?grow={1 + place / 100}"
                return urllib3.request("GET", url, timeout=300, retries=False).status
            except urllib3.exceptions.HTTPError:
                return 0

        asked = [pool.submit(status, place) for place in range(7)]
        daemon.wait_for(lambda: any(each.done() for each in asked))
        planning = daemon.wait_for(lambda: [each for each in daemon.children() if is_planning(each)])
        ended, seconds = daemon.terminate()
        assert (ended, seconds < 6) == (0, True)
        assert [each.result() for each in asked].count(503) >= 3
        assert not any(each.is_running() for each in planning)


def is_planning(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()[-1:] == ["forecast.plan.child"]
    return False
