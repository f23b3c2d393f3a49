"""The files of one log path, read by hand: every line that is read counts as arrived at once."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from forewarn.base.clock import Clock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.engine.times import Carried
from logship.feed import FileState, Span
from logship.files.family import Family
from logship.files.listing import Listings
from logship.files.tail import TailedFile
from logship.stats import Stats
from logship.streams import Stream

_RAW_BYTES = 65536


class LogFamily:
    """A family and what was read of it.

    Args:
        family: the path's files.
        ledger: what has arrived.
        listings: what is known of folders.
        stats: counts lost files.
        clock: tells since when there was nothing more to read.

    Attributes:
        lines: as they were read.
    """

    def __init__(self, family: Family, ledger: Ledger, listings: Listings, stats: Stats, clock: Clock) -> None:
        self.family = family
        self.lines: list[str] = []
        self._ledger = ledger
        self._listings = listings
        self._stats = stats
        self._clock = clock

    @property
    def names(self) -> list[str]:
        """What its files were called when they were opened."""
        return [file.path.name for file in self.family.files]

    @property
    def lost_files(self) -> float:
        """Files that were given up."""
        return next(value for name, _, value, _ in self._stats.samples() if name == "forewarn_logs_files_lost_total")

    def look(self) -> list[str]:
        """See what has become of the files, read all that can be read, and tell all lines that were read so far."""
        self._listings.forget(self.family.path.parent)
        self.family.look()
        self.family.retire()
        self.read()
        return self.lines

    def read(self) -> None:
        """Read all that can be read."""
        for file in list(self.family.files):
            try:
                while self._read_some(file):
                    pass
            except OSError as error:
                if not self.family.give_up(file, error):
                    break
        self._ledger.commit()

    def _read_some(self, file: TailedFile) -> bool:
        raw = bytearray(_RAW_BYTES + 1)
        size = self.family.peek(file, raw, _RAW_BYTES)
        file.fault = None
        if not size and file.quiet_since is None:
            file.quiet_since = self._clock.monotonic()
        if size and file.stream is not None:
            file.quiet_since, start = None, file.position
            self.lines += raw[:size].decode().splitlines()
            file.advance(raw, size, Carried())
            state = FileState(file.marker, file.carried, file.head, file.modified_ns)
            self._ledger.settle([Span(file.stream.file_id, start, file.position, state)])
        return bool(size)


@contextlib.contextmanager
def log_family(
    path: Path,
    data: Path,
    clock: Clock,
    *,
    wanted: Collection[str] = (),
    from_end: bool = False,
    rest: Callable[[Stream], TailedFile | None] = lambda _stream: None,
    lose: Callable[[Stream, int, int], None] = lambda _stream, _start, _end: None,
    begins: bool = True,
) -> Iterator[LogFamily]:
    """Follow a path for the length of a block.

    Args:
        path: the followed path.
        data: a folder for the checkpoint.
        clock: the clocks.
        wanted: names of generations that the configuration names itself.
        from_end: skip what is there at first.
        rest: what is kept of a stream elsewhere.
        lose: is told of bytes that are gone.
        begins: whether that must succeed.
    """
    listings, stats, checkpoint = Listings(clock), Stats(clock), Checkpoint(data / "logship.db")
    ledger = Ledger(checkpoint)
    family = Family(
        path,
        checkpoint=checkpoint,
        ledger=ledger,
        clock=clock,
        max_line=_RAW_BYTES,
        stats=stats,
        listings=listings,
        rest=rest,
        lose=lose,
    )
    try:
        with contextlib.suppress(*() if begins else (OSError,)):
            family.begin([path.with_name(name) for name in wanted], from_end=from_end)
        reader = LogFamily(family, ledger, listings, stats, clock)
        reader.read()
        yield reader
    finally:
        family.close()
        checkpoint.close()
