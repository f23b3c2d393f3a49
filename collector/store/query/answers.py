"""What the store answers, beside writing: from the file through a reader, newest values from memory."""

from collections.abc import Collection
from pathlib import Path

from collector.series import Matcher
from collector.store.latest import LatestValues
from collector.store.model import Latest, Rollup, Series, Times, Values
from collector.store.query.reader import StoreReader
from collector.store.query.table import COLUMNS, Table


class Answers:
    """Questions about series; methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first question."""
        self._reader = StoreReader(path)
        self._latest = LatestValues()

    def series(self, *matchers: Matcher) -> list[Series]:
        """As ``StoreReader.series``."""
        return self._reader.series(*matchers)

    def latest(self, *matchers: Matcher, max_age_ms: int, now_ms: int) -> list[Latest]:
        """As ``StoreReader.latest``, from memory; a value that is newer than ``now_ms`` is current too."""
        return self._latest.select(matchers, now_ms - max_age_ms)

    def samples(self, series_id: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
        """As ``StoreReader.samples``."""
        return self._reader.samples(series_id, start_ms, end_ms)

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """As ``StoreReader.rollup``."""
        return self._reader.rollup(series_id, start_ms, end_ms, step_ms)

    def select(
        self, *matchers: Matcher, start_ms: int, end_ms: int, step_ms: int, columns: Collection[str] = COLUMNS
    ) -> Table:
        """As ``StoreReader.select``."""
        return self._reader.select(*matchers, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms, columns=columns)
