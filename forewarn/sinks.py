"""Where a command's history goes: into the store, or to the daemon that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from collector.backfill import HistorySink
from collector.series import SeriesKey
from collector.store import Store
from forewarn.base.clock import SystemClock
from forewarn.base.errors import StoreLockedError
from forewarn.config import Config
from forewarn.control import ControlClient
from forewarn.datadir import DataDir

FRAME_SAMPLES = 50_000


class DaemonSink:
    """History for the daemon's store, over its control socket; the other side is forewarn.requests."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    def append_history(
        self, key: SeriesKey, times_ms: npt.NDArray[np.int64], values: npt.NDArray[np.float64], *, counter: bool = False
    ) -> int:
        """Store samples durably; the number of those that are new."""
        added = 0
        for start in range(0, len(times_ms), FRAME_SAMPLES):
            piece = slice(start, start + FRAME_SAMPLES)
            answer = self._client.ask(
                "append_history", key=str(key), times=times_ms[piece], values=values[piece], counter=counter
            )
            added += answer["added"]
        return added

    def horizon_ms(self) -> int:
        """Samples older than this are refused."""
        return int(self._client.ask("horizon")["horizon_ms"])

    def bookmark(self, source: str) -> str | None:
        """What was saved under this name."""
        place: str | None = self._client.ask("bookmark", source=source)["place"]
        return place

    def save_bookmark(self, source: str, place: str) -> None:
        """Save it durably."""
        self._client.ask("save_bookmark", source=source, place=place)

    def forecast_soon(self) -> bool:
        """Have the daemon forecast from what it has been given; False where it makes no forecasts."""
        return bool(self._client.ask("forecast")["asked"])


@contextmanager
def open_sink(data: DataDir, config: Config) -> Iterator[HistorySink]:
    """The store where no daemon holds the directory, else the daemon.

    Raises:
        ForewarnError: the store cannot be opened, or the daemon does not answer.
    """
    try:
        data.lock()
    except StoreLockedError as held:
        if not data.control.exists():  # no daemon, but another command that writes
            raise StoreLockedError(held.message, hint="wait until it is done") from None
        with ControlClient(data.control) as client:
            yield DaemonSink(client)
        return
    try:
        store = Store.open(data.metrics, config.store, SystemClock())
        try:
            yield store
            while store.compact():
                pass
        finally:
            store.close()
    finally:
        data.unlock()
