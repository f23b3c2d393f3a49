"""Files that are removed for good: let go of, without a word too many, and begun again where they come again."""

import logging
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from forewarn.base.clock import SystemClock
from logship.family import LINGER_SECONDS
from logship.settings import LogsSettings
from logship.shipper import Shipper
from tests.support.bulk_sink import BulkSink
from tests.support.logship import wait_for


class LeapingClock(SystemClock):
    """The system's clock, and leaps that a test adds to its monotonic time."""

    leap = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leap


def lags(shipper: Shipper) -> set[str]:
    return {Path(labels["path"]).name for name, labels, _, _ in shipper.samples() if name == "forewarn_logs_lag_bytes"}


@pytest.mark.parametrize("pattern", ["*.log", "b.log"])
def test_a_removed_file_is_let_go_of_and_begun_again(
    tmp_path: Path, pattern: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "logship")
    (tmp_path / "a.log").write_bytes(b"a one\n")
    gone = tmp_path / "b.log"
    gone.write_bytes(b"b one\n")
    clock = LeapingClock()
    with BulkSink() as sink:
        files = [{"path": str(tmp_path / "a.log")}, {"path": str(tmp_path / pattern)}]
        settings = LogsSettings.model_validate({"url": sink.url, "file": files, "flush_interval": "20ms"})
        shipper = Shipper(settings, tmp_path, hostname="n", clock=clock, chance=random.Random(1))
        shipper.start()
        keeper = threading.Thread(target=shipper.keep, args=(10_000,))
        keeper.start()
        try:
            wait_for(lambda: len(sink.documents) == 2, "both lines")
            assert lags(shipper) == {"a.log", "b.log"}
            gone.unlink()
            time.sleep(2.5)
            clock.leap += 2 * LINGER_SECONDS
            wait_for(lambda: lags(shipper) == {"a.log"}, "the end of b.log")
            gone.write_bytes(b"b two\n")
            wait_for(lambda: len(sink.documents) == 3, "the new line")
        finally:
            shipper.stop()
            keeper.join()
    messages = Counter(document["message"] for document in sink.documents.values())
    assert messages == {"a one": 1, "b one": 1, "b two": 1}
    told = [record.getMessage() for record in caplog.records]
    assert sum("no such file" in line for line in told) <= 1
    assert sum("can be read again" in line for line in told) <= 1
