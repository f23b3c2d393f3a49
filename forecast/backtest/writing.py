"""Forecasts and breaches as CSV files; nothing is left half written."""

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import numpy as np

from forecast.backtest.run import Backtest
from forecast.breach import Crossing
from forecast.quantiles import mean_of
from forewarn.base.clock import HOUR, rfc3339
from forewarn.base.errors import UsageError

FORECAST_COLUMNS = ("series", "origin", "timestamp", "mean", "q025", "q10", "q50", "q90", "q975")
BREACH_COLUMNS = ("series", "origin", "threshold", "p24", "p48", "p72", "t10", "t50", "t90")


def write_forecasts(found: Backtest, path: Path) -> None:
    """72 rows an origin; cells are empty where nothing was known before it."""
    means = mean_of(found.answers.quantiles)
    table = np.concatenate([means[..., None], found.answers.quantiles], axis=2)

    def rows() -> Iterator[Sequence[str]]:
        for origin, hours in zip(found.origins, table, strict=True):
            at = rfc3339(origin.hour * HOUR)
            for hour, values in enumerate(hours.tolist()):
                yield origin.series, at, rfc3339((origin.hour + hour) * HOUR), *map(_text, values)

    _write(path, FORECAST_COLUMNS, rows())


def write_breaches(found: Backtest, path: Path) -> None:
    """One row a question, in the order of the origins' file."""
    assert found.crossing is not None
    crossing = Crossing(np.round(found.crossing.curve, 6))  # so that hours agree with probabilities as they are written
    within = np.stack([crossing.by(hours) for hours in (24, 48, 72)], axis=1)
    times = np.stack([crossing.time(level) for level in (0.1, 0.5, 0.9)], axis=1)

    def rows() -> Iterator[Sequence[str]]:
        for question, shares, hours in zip(found.questions, within.tolist(), times.tolist(), strict=True):
            origin = found.origins[question.origin]
            cells = (question.threshold, *shares, *hours)
            yield origin.series, rfc3339(origin.hour * HOUR), *map(_text, cells)

    _write(path, BREACH_COLUMNS, rows())


def _text(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.10g}"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with _opened(part, compressed=path.suffix == ".gz") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, *, compressed: bool) -> Iterator[TextIO]:
    """A text stream whose bytes are on the disk when it closes, the same for the same text."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("wb"))
        stack.callback(_sync, file)
        packed = gzip.GzipFile("", "wb", 6, file, 0) if compressed else None
        if packed is not None:
            stack.enter_context(packed)
        stream = io.TextIOWrapper(cast("BinaryIO", packed or file), encoding="utf-8", newline="")
        stack.callback(stream.detach)  # what lies below closes by itself
        yield stream


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
