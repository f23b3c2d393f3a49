"""The series store: metrics.db, written by one process, read by many."""

from collector.store.errors import StoreDamagedError, StoreFullError
from collector.store.histograms import quantiles
from collector.store.integrity import IntegrityCheck
from collector.store.lines import Function, Line, lines
from collector.store.model import History, Latest, Rollup, Series, StoreStats, Times, Values
from collector.store.reader import StoreReader
from collector.store.settings import StoreSettings
from collector.store.store import Store
from collector.store.table import COLUMNS, Table

__all__ = [
    "COLUMNS",
    "Function",
    "History",
    "IntegrityCheck",
    "Latest",
    "Line",
    "Rollup",
    "Series",
    "Store",
    "StoreDamagedError",
    "StoreFullError",
    "StoreReader",
    "StoreSettings",
    "StoreStats",
    "Table",
    "Times",
    "Values",
    "lines",
    "quantiles",
]
