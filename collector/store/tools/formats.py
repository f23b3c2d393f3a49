"""Exports as CSV, as OpenMetrics text, and as Parquet."""

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Protocol

import numpy as np

from collector.catalogue import metric_of_sample
from collector.store.model import Series, Times, Values
from collector.store.tools.export import VALUE, Piece
from forewarn.base.errors import MissingExtraError

_ROWS_A_GROUP = 128 * 1024
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_TIME, _NAME = "timestamp", "__name__"


class Writer(Protocol):
    """Writes pieces; ``close`` writes what belongs at the end."""

    def write(self, piece: Piece) -> None:
        """Add a piece."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


class CsvWriter:
    """``series,timestamp,value`` and further columns, as 'forewarn backfill' reads them."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._columns = columns
        self._write(",".join(("series", _TIME, *columns)) + "\n")

    def write(self, piece: Piece) -> None:
        """Add a piece."""
        name = _quoted(str(piece.series.key))
        stamps = np.datetime_as_string(piece.times.astype("datetime64[ms]"), unit="ms").tolist()
        cells = [_numbers(piece.columns[column], empty="") for column in self._columns]
        lines = zip(stamps, *cells, strict=True)
        self._write("".join(f"{name},{stamp}Z,{','.join(values)}\n" for stamp, *values in lines))

    def close(self) -> None:
        """Nothing is missing."""

    def _write(self, text: str) -> None:
        self._stream.write(text.encode())


class OpenMetricsWriter:
    """OpenMetrics text 1.0 with a time stamp at every sample, as promtool's create-blocks-from takes it.

    Counters whose names do not end with ``_total``, and the parts of histograms, are of unknown type: the format wants
    a histogram's parts in turns, which series by series would be a file in memory.
    """

    def __init__(self, stream: BinaryIO, _columns: Sequence[str]) -> None:
        self._stream = stream
        self._family = ""

    def write(self, piece: Piece) -> None:
        """Add a piece; those of one metric come together."""
        key = piece.series.key
        if key.name != self._family:
            self._family = key.name
            self._stream.write(_head(piece.series).encode())
        name = str(key)
        lines = zip(_numbers(piece.columns[VALUE], empty="NaN"), _seconds(piece.times), strict=True)
        self._stream.write("".join(f"{name} {value} {stamp}\n" for value, stamp in lines).encode())

    def close(self) -> None:
        """The format's last line."""
        self._stream.write(b"# EOF\n")


class ParquetWriter:
    """One row a sample: metric name, a column a label, ``timestamp``, and the values."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str], series: Sequence[Series]) -> None:
        """Begin a file.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415  a hundred megabytes that only this needs
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("export to Parquet", "parquet") from None
        self._arrow = pa
        self._columns = columns
        self._labels = sorted({name for one in series for name, _ in one.key.labels})
        text = pa.dictionary(pa.int32(), pa.string())
        fields = [(_NAME, text), *((_column_of(label), text) for label in self._labels)]
        fields += [(_TIME, pa.timestamp("ms", tz="UTC")), *((name, pa.float64()) for name in columns)]
        self._schema = pa.schema(fields)
        self._file = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self._rows = 0

    def write(self, piece: Piece) -> None:
        """Add a piece."""
        count = len(piece.times)
        texts = [self._repeated(piece.series.key.name, count)]
        texts += [self._repeated(piece.series.key.label(label) or None, count) for label in self._labels]
        stamps = self._arrow.array(piece.times.astype("datetime64[ms]"), self._schema.field(_TIME).type)
        values = [self._arrow.array(piece.columns[name], mask=np.isnan(piece.columns[name])) for name in self._columns]
        self._waiting.append(self._arrow.table([*texts, stamps, *values], schema=self._schema))
        self._rows += count
        if self._rows >= _ROWS_A_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the file's end."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(self._arrow.concat_tables(self._waiting).unify_dictionaries())
        self._waiting, self._rows = [], 0

    def _repeated(self, text: str | None, count: int) -> Any:
        index = self._arrow.array(np.zeros(count, np.int32), mask=np.full(count, text is None))
        return self._arrow.DictionaryArray.from_arrays(index, self._arrow.array([text or ""]))


def write_all(writer: Writer, pieces: Iterable[Piece]) -> int:
    """Write pieces and the end of the file; how many rows that were."""
    rows = 0
    for piece in pieces:
        writer.write(piece)
        rows += len(piece.times)
    writer.close()
    return rows


def _head(series: Series) -> str:
    name = series.key.name
    metric = metric_of_sample(name)
    family, kind = name, "unknown" if series.counter else "gauge"
    if series.counter and name.endswith("_total"):
        family, kind = name.removesuffix("_total"), "counter"
    if metric is not None and metric.type == "histogram":
        kind = "unknown"
    text = f"# TYPE {family} {kind}\n"
    if metric is not None and metric.name == name:
        text += f"# HELP {family} {metric.help.translate(_ESCAPES)}\n"
    return text


def _seconds(times: Times) -> list[str]:
    """Seconds with milliseconds, written so that readers who multiply by 1,000 and cut off find the millisecond.

    Prometheus does (model/textparse/openmetricsparse.go), and of one in some hundred would find the one before.
    """
    lost = ((times / 1000) * 1000).astype(np.int64) != times
    whole, rest = np.divmod(times, 1000)
    pairs = zip(whole.tolist(), rest.tolist(), lost.tolist(), strict=True)
    return [f"{seconds}.{ms:03}{'1' if cut else ''}" for seconds, ms, cut in pairs]


def _numbers(values: Values, *, empty: str) -> list[str]:
    """Shortest texts that are read as the same numbers; whole ones without a point."""
    texts = [repr(value) for value in values.tolist()]
    return [empty if text == "nan" else text.removesuffix(".0") for text in texts]


def _column_of(label: str) -> str:
    return f"{label}_label" if label in {_TIME, VALUE, "min", "max", "mean", "last", "count", "increase"} else label


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"') else text
