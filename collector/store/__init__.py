"""The series store: metrics.db, written by one process, read by many."""

from collector.store.errors import StoreDamagedError, StoreFullError
from collector.store.model import History, Latest, Rollup, Series, StoreStats, Times, Values
from collector.store.query.histograms import quantiles
from collector.store.query.lines import Function, Line, lines
from collector.store.query.reader import StoreReader
from collector.store.query.table import COLUMNS, Table
from collector.store.settings import StoreSettings
from collector.store.store import Store
from collector.store.tools.integrity import IntegrityCheck

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
