"""Where a command's history goes: into the store, or to the daemon that holds it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.series import SeriesKey
from collector.store import History, Store
from collector.store.buckets import Buckets
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
        return self.append_histories([History(key, times_ms, values, counter)])

    def append_histories(self, items: Sequence[History]) -> int:
        """Store samples of many series durably, a frame of them at a time; the number of those that are new."""
        return sum(self._client.ask("append_histories", items=frame)["added"] for frame in _frames(items))

    def adopt_rollups(self, key: SeriesKey, level: int, windows: Buckets, *, counter: bool) -> int:
        """Store roll-ups where there are none; the number of those that are new."""
        columns = {name: np.ascontiguousarray(windows[name]) for name in windows.dtype.names or ()}
        answer = self._client.ask("adopt_rollups", key=str(key), level=level, columns=columns, counter=counter)
        return int(answer["added"])

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


def _frames(items: Sequence[History]) -> Iterator[list[dict[str, Any]]]:
    """The items, as they travel, in frames of at most ``FRAME_SAMPLES`` samples; a long one is cut."""
    frame: list[dict[str, Any]] = []
    room = FRAME_SAMPLES
    for item in items:
        start = 0
        while start < len(item.times_ms):
            end = start + room
            times, values = (np.ascontiguousarray(column[start:end]) for column in (item.times_ms, item.values))
            frame.append({"key": str(item.key), "times": times, "values": values, "counter": item.counter})
            start, room = start + len(times), room - len(times)
            if not room:
                yield frame
                frame, room = [], FRAME_SAMPLES
    if frame:
        yield frame


@contextmanager
def open_sink(data: DataDir, config: Config) -> Iterator[Store | DaemonSink]:
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
