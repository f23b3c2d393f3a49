"""The daemon sends what it records, and whatever the receiver does holds nothing up."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.daemon import running
from tests.support.receivers import VictoriaMetrics, started
from tests.support.remote_sender import stored
from tests.support.strict_receiver import SLOW, receiving

CONFIG = """
[collector]
interval = 1
[collector.nvml]
enabled = false
[forecast]
enabled = false
[[remote_write]]
name = "fleet"
url = "{url}"
labels = {{ instance = "node7" }}
every = 1
"""


@pytest.mark.timed
@pytest.mark.victoriametrics
def test_what_is_recorded_is_in_the_fleets_store_after_a_kill_too(tmp_path: Path) -> None:
    with started(VictoriaMetrics, tmp_path / "vm") as fleet:
        config = CONFIG.format(url=fleet.url)
        with running(tmp_path / "data", config=config) as daemon:
            daemon.wait_for(lambda: daemon.metrics().get('forewarn_remote_write_samples_total{receiver="fleet"}'))
            assert daemon.metrics()['forewarn_remote_write_lag_seconds{receiver="fleet"}'] < 5
            daemon.process.kill()
            daemon.process.wait()
        with running(tmp_path / "data", config=config) as daemon:
            daemon.wait_for(lambda: daemon.metrics().get('forewarn_remote_write_samples_total{receiver="fleet"}'))
            status, seconds = daemon.terminate()
            assert (status, seconds < 5) == (0, True)
        wanted = stored(tmp_path / "data" / "metrics.db", {"instance": "node7", "hostname": socket.gethostname()})
        first = min(min(samples) for samples in wanted.values())
        last = max(max(samples) for samples in wanted.values())
        end = time.monotonic() + 60
        while missing := _missing(wanted, fleet.samples(), first + 2000, last - 2000):
            assert time.monotonic() < end, missing
            time.sleep(0.3)


def _missing(wanted: dict, found: dict, first: int, last: int) -> int:  # type: ignore[type-arg]
    """Samples of a time range that are not there; the very first and last scrapes may never have been its turn."""
    return sum(
        when not in found.get(key, {}) for key, samples in wanted.items() for when in samples if first <= when <= last
    )


@pytest.mark.timed
def test_a_receiver_that_never_answers_delays_neither_rounds_nor_the_end(tmp_path: Path) -> None:
    with receiving(*[SLOW] * 50) as receiver, running(tmp_path / "data", config=CONFIG.format(url=receiver.url)) as one:
        lag = 'forewarn_remote_write_lag_seconds{receiver="fleet"}'
        one.wait_for(lambda: one.metrics().get(lag, 0) >= 3)
        assert one.metrics()["forewarn_store_writable"] == 1
        status, seconds = one.terminate()
        assert status == 0
        assert seconds < 3


def test_a_receiver_that_is_added_by_a_reload_is_served(tmp_path: Path) -> None:
    without = CONFIG.partition("[[remote_write]]")[0]
    with receiving() as receiver, running(tmp_path / "data", config=without) as daemon:
        assert not any("remote_write" in series for series in daemon.metrics())
        config = CONFIG.format(url=receiver.url) + "[worker]\nenabled = false\n"
        (tmp_path / "data.toml").write_text(config)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: daemon.metrics().get('forewarn_remote_write_samples_total{receiver="fleet"}'))
        before = receiver.samples
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: receiver.samples > 2 * before)
        assert {status for _, _, status in receiver.requests} == {204}
