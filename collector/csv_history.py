"""History in CSV files: columns series, timestamp, value, read in blocks of whole lines.

One line is one record (RFC 4180 without line breaks inside of quotes). Time stamps are ISO 8601 / RFC 3339, without a
zone UTC, or seconds since the epoch; a number that would be a second after the year 5138 is taken as milliseconds.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from forewarn.base.clock import parse_time
from forewarn.base.errors import UsageError

COLUMNS = ("series", "timestamp", "value")
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 20
_LAST_MS = 253_402_300_800_000  # the year 10,000
_FIRST_MS = 1e11  # as seconds the year 5138, as milliseconds 1973
_ZULU_CHARACTERS = 20  # 2014-02-14T14:30:00Z


class Malformed(NamedTuple):
    """A line that is no sample: its number in the file, from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of consecutive lines.

    Attributes:
        series: names as they stand in the file, one a sample.
        times_ms: milliseconds.
        values: finite values.
        malformed: the lines that are no samples.
        next_line: number of the line after the block.
        next_offset: its place in the uncompressed file, in bytes.
        read_bytes: how much of the file as it lies on disk was read so far.
        unknown: which of the malformed lines are whole but for their value, which is empty or not finite.
    """

    series: Sequence[str]
    times_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    malformed: Sequence[Malformed]
    next_line: int
    next_offset: int
    read_bytes: int
    unknown: Sequence[int] = ()


class CsvHistory:
    """A CSV file of history, compressed by gzip or not."""

    def __init__(self, path: Path) -> None:
        """Look at the file's head.

        Raises:
            UsageError: the file cannot be read, or does not begin with a header.
        """
        self.path = path
        with self._opened() as (_, stream):
            line = stream.readline(_BLOCK_BYTES)
        self._body_offset = len(line)
        names = [name.strip() for name in line.decode("utf-8-sig", "replace").strip().split(",")]
        names = [name.strip('"') for name in names]
        if any(names.count(column) != 1 for column in COLUMNS):
            raise UsageError(
                f"{path} does not begin with a header line that names series, timestamp and value",
                hint=f"make '{','.join(COLUMNS)}' its first line",
            )
        self._width = len(names)
        self._places = tuple(names.index(column) for column in COLUMNS)
        self.size = path.stat().st_size

    def blocks(self, offset: int = 0, line: int = 2) -> Iterator[Block]:
        """Samples from an earlier block's ``next_offset`` and ``next_line`` on, or from the first.

        Raises:
            UsageError: the file cannot be read to its end.
        """
        offset = max(offset, self._body_offset)
        with self._opened() as (file, stream):
            stream.seek(offset)
            rest = b""
            while data := stream.read(_BLOCK_BYTES):
                whole, newline, rest = (rest + data).rpartition(b"\n")
                if newline:
                    offset += len(whole) + 1
                    block = self._parse(whole, line, offset, file.tell())
                    line = block.next_line
                    yield block
            if rest:
                yield self._parse(rest, line, offset + len(rest), file.tell())

    def _opened(self) -> "_Opened":
        return _Opened(self.path)

    def _parse(self, data: bytes, first_line: int, offset: int, read_bytes: int) -> Block:
        lines = data.replace(b"\r", b"").split(b"\n")
        malformed: list[Malformed] = []
        unknown: list[int] = []
        try:
            series, times, values = self._parse_all(lines)
        except (ValueError, OverflowError, csv.Error):
            series, times, values = self._parse_each(lines, first_line, malformed, unknown)
        return Block(series, times, values, malformed, first_line + len(lines), offset, read_bytes, unknown)

    def _parse_all(self, lines: Sequence[bytes]) -> "_Parsed":
        """All lines at once; raises ValueError or csv.Error where one of them is not as it should be."""
        columns = self._columns(b"\n".join(lines), len(lines))
        series, stamps, numbers = (columns[place] for place in self._places)
        values = np.array(numbers, dtype=np.float64)
        if not np.isfinite(values).all() or "" in series:
            raise ValueError("not every line is a sample")
        return series, _times(stamps), values

    def _columns(self, data: bytes, lines: int) -> Sequence[Sequence[str]]:
        if b'"' in data:
            rows = list(csv.reader(data.decode().split("\n"), strict=True))
            if len(rows) != lines or set(map(len, rows)) != {self._width}:
                raise ValueError("not every line has every column")
            return list(zip(*rows, strict=True))
        characters = np.frombuffer(data + b"\n", np.uint8)
        commas = np.cumsum(characters == ord(","))[characters == ord("\n")]
        if not (np.diff(commas, prepend=0) == self._width - 1).all():
            raise ValueError("not every line has every column")
        cells = data.decode().replace("\n", ",").split(",")
        return [cells[place :: self._width] for place in range(self._width)]

    def _parse_each(
        self, lines: Sequence[bytes], first_line: int, malformed: list[Malformed], unknown: list[int]
    ) -> "_Parsed":
        """The same, a line at a time, so that the bad ones are told apart."""
        series, times, values = [], [], []
        for number, line in enumerate(lines, first_line):
            if not line.strip():
                continue
            try:
                name, time_ms, value = self._parse_line(line)
            except _LineError as error:
                malformed.append(Malformed(number, str(error)))
                if isinstance(error, _UnknownValueError):
                    unknown.append(number)
                continue
            series.append(name)
            times.append(time_ms)
            values.append(value)
        return series, np.array(times, np.int64), np.array(values, np.float64)

    def _parse_line(self, line: bytes) -> tuple[str, int, float]:
        try:
            cells = next(csv.reader([line.decode()], strict=True))
        except UnicodeDecodeError:
            raise _LineError("it is not UTF-8") from None
        except csv.Error as error:
            raise _LineError(f"its quotes do not close ({error})") from None
        if len(cells) != self._width:
            raise _LineError(f"it has {len(cells)} columns instead of {self._width}")
        name, stamp, number = (cells[place] for place in self._places)
        if not name:
            raise _LineError("it names no series")
        return name, _time(stamp), _value(number)


_Parsed = tuple[Sequence[str], npt.NDArray[np.int64], npt.NDArray[np.float64]]


class _LineError(Exception):
    """Why a line is no sample."""


class _UnknownValueError(_LineError):
    """The same, where all but the value is there."""


class _Opened:
    """The file and its uncompressed stream, with their errors in the house's words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> tuple[BinaryIO, BinaryIO]:
        try:
            self._file = self._path.open("rb")
            compressed = self._file.peek(2)[:2] == _GZIP_MAGIC
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from error
        self._stream: BinaryIO = io.BufferedReader(gzip.GzipFile(fileobj=self._file)) if compressed else self._file
        return self._file, self._stream

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        self._stream.close()
        self._file.close()
        if isinstance(error, (EOFError, gzip.BadGzipFile, zlib.error)):
            raise UsageError(
                f"{self._path} is damaged or cut short: {error}",
                hint="get the whole file and run this again",
            ) from error
        if isinstance(error, OSError):
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from error


class _Memo(dict[str, int]):
    """Times by their text: series scraped together repeat them."""

    def __missing__(self, text: str) -> int:
        self[text] = found = parse_time(text)
        return found


def _split(line: str) -> list[str]:
    return line.split(",")


def _times(stamps: Sequence[str]) -> npt.NDArray[np.int64]:
    first = stamps[0]
    if len(first) == _ZULU_CHARACTERS and first.endswith("Z"):
        times = _zulu_times(stamps)
    elif "-" in first[1:]:
        memo = _Memo()
        times = np.array([memo[stamp] for stamp in stamps], np.int64)
    else:
        times = _numbered_times(np.array(stamps, dtype=np.float64))
    if not (np.abs(times) < _LAST_MS).all():
        raise ValueError("not every time is one")
    return times


def _numbered_times(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if not (np.abs(numbers) < _LAST_MS).all():  # before the cast, which would wrap them around; NaN fails too
        raise ValueError("not every time is one")
    return np.rint(np.where(np.abs(numbers) < _FIRST_MS, numbers * 1000, numbers)).astype(np.int64)


def _zulu_times(stamps: Sequence[str]) -> npt.NDArray[np.int64]:
    """Times all written like 2014-02-14T14:30:00Z, the form that nearly all files have."""
    if set(map(len, stamps)) != {_ZULU_CHARACTERS}:
        raise ValueError("not every time has the same form")
    text = np.array(stamps)
    characters = text.view("U1").reshape(len(stamps), -1)
    if not ((characters[:, -1] == "Z").all() and (characters[:, 10] == "T").all()):
        raise ValueError("not every time has the same form")
    return text.astype(f"U{_ZULU_CHARACTERS - 1}").astype("datetime64[ms]").astype(np.int64)


def time_of(text: str) -> int:
    """Milliseconds from one time stamp, in any form that the files may have.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        (time_ms,) = _numbered_times(np.array([text], dtype=np.float64))
        return int(time_ms)
    except ValueError:
        pass
    try:
        time_ms = parse_time(text.strip())
    except (ValueError, OverflowError):  # the latter where no calendar has such a year
        raise ValueError(f"{text!r} is no time") from None
    if abs(time_ms) >= _LAST_MS:
        raise ValueError(f"{text!r} is no time in seconds or milliseconds")
    return int(time_ms)


def _time(text: str) -> int:
    try:
        return time_of(text)
    except ValueError as error:
        raise _LineError(str(error)) from None


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        trouble = _LineError if text.strip() else _UnknownValueError
        raise trouble(f"{text!r} is no number") from None
    if not np.isfinite(value):
        raise _UnknownValueError(f"{text!r} is no finite number")
    return value
