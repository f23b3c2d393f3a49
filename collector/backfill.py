"""Loading history from a CSV file into the store, in pieces, so that an interrupted load goes on where it was.

The place in the file is kept under the name of the file's content after each piece was stored, in the store itself.
A piece that was stored but not yet noted is stored again, which changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import orjson

from collector.catalogue import metric_of_sample
from collector.csv_history import Block, CsvHistory, Malformed
from collector.series import SeriesKey
from collector.store.model import History
from forewarn.base.clock import HOUR, Clock, rfc3339
from forewarn.base.errors import UsageError

IMPORTED = "forewarn_imported_value"
BATCH_SAMPLES = 50_000
"""Samples of one call, more only where one series has more: a scrape of the daemon waits for it to end."""
_PIECE_SAMPLES = 200_000
_LARGEST_PIECE = 2_000_000
_SAMPLES_A_SERIES = 300
_MALFORMED_NAMED = 5
_HASH_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]
"""Called with what is being done (``reading`` or ``loading``), bytes of the file read, and bytes in all."""


class HistorySink(Protocol):
    """Where history goes: the store itself, or a client of the daemon that holds it.

    A call that is repeated because its answer got lost changes nothing.
    """

    def append_histories(self, items: Sequence[History]) -> int:
        """Store samples of several series durably, all of them or none; the number of those that are new."""
        ...

    def horizon_ms(self) -> int:
        """Samples older than this are refused."""
        ...

    def bookmark(self, source: str) -> str | None:
        """What was saved under this name."""
        ...

    def save_bookmark(self, source: str, place: str) -> None:
        """Save it durably."""
        ...


@dataclass(frozen=True)
class BackfillReport:
    """What a load did, including the runs that it continues.

    Attributes:
        samples: well-formed lines.
        new: samples at times that had none.
        too_old: samples older than the store keeps, not stored.
        malformed: lines that are no samples.
        first_malformed: the first of them that this run met.
        series: distinct series that this run met.
        shift_ms: what was added to every time.
        oldest_ms: time of the oldest sample stored, shifted; None without any.
        newest_ms: time of the newest.
        resumed: whether an earlier run was continued.
        already_loaded: whether the file was loaded before; nothing was done.
    """

    samples: int = 0
    new: int = 0
    too_old: int = 0
    malformed: int = 0
    first_malformed: tuple[Malformed, ...] = ()
    series: int = 0
    shift_ms: int = 0
    oldest_ms: int | None = None
    newest_ms: int | None = None
    resumed: bool = False
    already_loaded: bool = False


def key_of(text: str) -> SeriesKey:
    """The series that a CSV file's text names.

    ``name{label="value"}`` and names of the catalogue are taken as they are; any other text becomes a label.
    """
    if text.endswith("}"):
        try:
            return SeriesKey.parse(text)
        except ValueError:
            pass
    elif metric_of_sample(text) is not None:
        return SeriesKey(text)
    return SeriesKey.of(IMPORTED, series=text)


def is_counter(key: SeriesKey) -> bool:
    """Whether a series only grows between resets: the catalogue says so, or its name ends in ``_total``."""
    metric = metric_of_sample(key.name)
    return key.name.endswith("_total") if metric is None else metric.type != "gauge"


def batches(histories: Iterable[History]) -> Iterator[list[History]]:
    """Several series together, as many as one call of ``append_histories`` should take."""
    batch: list[History] = []
    size = 0
    for history in histories:
        if batch and size + len(history.values) > BATCH_SAMPLES:
            yield batch
            batch, size = [], 0
        batch.append(history)
        size += len(history.values)
    if batch:
        yield batch


def backfill(
    path: Path, sink: HistorySink, *, shift_to_now: bool, clock: Clock, progress: Progress | None = None
) -> BackfillReport:
    """Load a CSV file (see ``collector.csv_history``) into the store.

    Args:
        path: the file, compressed by gzip or not.
        sink: where the samples go.
        shift_to_now: move all times by one whole number of hours, so that the newest lies in the last full hour.
        clock: what now is.
        progress: hears how far it is.

    Raises:
        UsageError: the file cannot be read, has no header or no samples, or all of it is older than the store keeps.
        StoreError: the samples cannot be stored; running it again goes on from there.
    """
    file = CsvHistory(path)
    tell = progress or _silent
    source = _name(path, shifted=shift_to_now)
    state = _State.load(sink.bookmark(source))
    if state.finished:
        return replace(state.report(), already_loaded=True)
    if shift_to_now and not state.resumed:
        state.shift_ms = _shift(file, clock.now_ms(), tell)
        sink.save_bookmark(source, state.place())  # now will have moved on when a load that was cut off goes on
    loader = _Loader(sink, source, state)
    for block in file.blocks(state.offset, state.line):
        loader.add(block)
        tell("loading", block.read_bytes, file.size)
    loader.finish(path)
    return state.report()


@dataclass
class _State:
    """How far a load has come; all but the last three is the bookmark."""

    offset: int = 0
    line: int = 2
    shift_ms: int = 0
    finished: bool = False
    samples: int = 0
    new: int = 0
    too_old: int = 0
    malformed: int = 0
    oldest_ms: int | None = None
    newest_ms: int | None = None
    resumed: bool = field(default=False, kw_only=True)
    first_malformed: list[Malformed] = field(default_factory=list, kw_only=True)
    series: set[str] = field(default_factory=set, kw_only=True)

    _OWN = ("resumed", "first_malformed", "series")

    @classmethod
    def load(cls, place: str | None) -> "_State":
        return cls() if place is None else cls(**orjson.loads(place), resumed=True)

    def place(self) -> str:
        kept: dict[str, Any] = {name: value for name, value in vars(self).items() if name not in self._OWN}
        return orjson.dumps(kept).decode()

    def report(self) -> BackfillReport:
        own = {name: value for name, value in asdict(self).items() if name not in ("offset", "line", "finished")}
        own |= {"first_malformed": tuple(self.first_malformed), "series": len(self.series)}
        return BackfillReport(**own)


class _Loader:
    """Collects blocks into pieces, and stores each piece, then its place."""

    def __init__(self, sink: HistorySink, source: str, state: _State) -> None:
        self._sink = sink
        self._source = source
        self._state = state
        self._horizon_ms = sink.horizon_ms()
        self._blocks: list[Block] = []
        self._waiting = 0
        self._newest_read: int | None = None

    def add(self, block: Block) -> None:
        state = self._state
        self._blocks.append(block)
        self._waiting += len(block.values)
        state.series.update(block.series)
        state.malformed += len(block.malformed)
        state.first_malformed += block.malformed[: _MALFORMED_NAMED - len(state.first_malformed)]
        if self._waiting >= min(_LARGEST_PIECE, max(_PIECE_SAMPLES, _SAMPLES_A_SERIES * len(state.series))):
            self._flush()

    def finish(self, path: Path) -> None:
        """Store the rest.

        Raises:
            UsageError: the file had no samples, or none that the store would keep.
        """
        self._flush()
        if self._state.samples == 0:
            raise _empty(path, self._state.first_malformed)
        if self._state.too_old == self._state.samples and self._newest_read is not None:
            raise UsageError(
                f"the newest sample of {path}, of {rfc3339(self._newest_read)}, is older than the store keeps",
                hint="--shift-to-now moves all of it to now",
            )
        self._state.finished = True
        self._sink.save_bookmark(self._source, self._state.place())

    def _flush(self) -> None:
        if not self._blocks:
            return
        state, blocks = self._state, self._blocks
        times = np.concatenate([block.times_ms for block in blocks]) + state.shift_ms
        values = np.concatenate([block.values for block in blocks])
        codes: dict[str, int] = {}
        numbered = [codes.setdefault(name, len(codes)) for block in blocks for name in block.series]
        state.samples += len(times)
        if len(times):
            self._newest_read = _most([self._newest_read, int(times.max())])
        kept = times >= self._horizon_ms
        state.too_old += int(np.count_nonzero(~kept))
        self._store(list(codes), np.array(numbered, np.int64)[kept], times[kept], values[kept])
        state.offset, state.line = blocks[-1].next_offset, blocks[-1].next_line
        self._blocks, self._waiting = [], 0
        if state.too_old < state.samples:
            self._sink.save_bookmark(self._source, state.place())

    def _store(
        self,
        names: list[str],
        codes: npt.NDArray[np.int64],
        times: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
    ) -> None:
        if not len(times):
            return
        state = self._state
        order = np.argsort(codes, kind="stable")
        found, starts = np.unique(codes[order], return_index=True)
        parts = zip(found.tolist(), np.split(order, starts[1:]), strict=True)
        keyed = ((key_of(names[code]), part) for code, part in parts)
        histories = (History(key, times[part], values[part], is_counter(key)) for key, part in keyed)
        for batch in batches(histories):
            state.new += self._sink.append_histories(batch)
        state.oldest_ms = _least([state.oldest_ms, int(times.min())])
        state.newest_ms = _most([state.newest_ms, int(times.max())])


def _empty(path: Path, malformed: Sequence[Malformed]) -> UsageError:
    why = f": line {malformed[0].line}: {malformed[0].reason}" if malformed else ""
    return UsageError(f"{path} holds no samples{why}", hint="each line is series,timestamp,value")


def _shift(file: CsvHistory, now_ms: int, tell: Progress) -> int:
    """What to add to all times: a whole number of hours."""
    newest = None
    malformed: list[Malformed] = []
    for block in file.blocks():
        tell("reading", block.read_bytes, file.size)
        malformed += block.malformed[:1]
        if len(block.times_ms):
            newest = _most([newest, int(block.times_ms.max())])
    if newest is None:
        raise _empty(file.path, malformed)
    return (now_ms // HOUR - 1 - newest // HOUR) * HOUR


def _name(path: Path, *, shifted: bool) -> str:
    """A name for the file's content, and for what is made of it."""
    content = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while data := file.read(_HASH_BYTES):
            content.update(data)
    return f"csv-{content.hexdigest()}{'-shifted' if shifted else ''}"


def _least(times: Iterable[int | None]) -> int:
    return min(time for time in times if time is not None)


def _most(times: Iterable[int | None]) -> int:
    return max(time for time in times if time is not None)


def _silent(_: str, __: int, ___: int) -> None:
    """Nobody wants to hear."""
