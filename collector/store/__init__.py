"""The series store: metrics.db, written by one process, read by many."""

from collector.store.errors import StoreDamagedError, StoreFullError
from collector.store.model import History, Latest, Rollup, Series, StoreStats, Times, Values
from collector.store.reader import StoreReader
from collector.store.settings import StoreSettings
from collector.store.store import Store

__all__ = [
    "History",
    "Latest",
    "Rollup",
    "Series",
    "Store",
    "StoreDamagedError",
    "StoreFullError",
    "StoreReader",
    "StoreSettings",
    "StoreStats",
    "Times",
    "Values",
]
