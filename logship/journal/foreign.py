"""Journal files of a format that is not known here: journalctl reads them, some thousand entries at a time.

https://systemd.io/JOURNAL_EXPORT_FORMATS/
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from logship.engine.documents import Int64
from logship.journal.ecs import MESSAGE, SOURCE_TIME
from logship.journal.file import Entry, JournalFile
from logship.journal.frames import BROKEN, NOT_OURS, Framer, Frames
from logship.journal.layout import UnreadableError
from logship.journal.rows import LATEST, MOST_ROWS, PLAIN, TEXT, Rows, Walker, kind_of, time_of

JOURNALCTL = "journalctl"
_AT_ONCE = 4000
_LARGEST = 64 * 1024 * 1024
_EVERY_FLAG = (1 << 32) - 1

Fields = dict[str, list[bytes]]


class Exported(NamedTuple):
    """An entry with its fields."""

    entry: Entry
    fields: Fields


class ForeignFile(JournalFile):
    """A file of which only the header is read here; entries have numbers in the place of offsets.

    Args:
        path: where it lies.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: it is no journal file, or has no header yet.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _EVERY_FLAG)
        self._held: list[Exported] = []
        self._dropped = 0
        self._last = 0

    def refresh(self) -> bool:
        """Read the header again, and entries where all that were read before have been taken."""
        more = super().refresh()
        if not self._held and self.header.tail_seqnum > self._last and not self._load():
            raise UnreadableError("journalctl finds no more entries in it")
        return more

    def offsets(self) -> Int64:
        """The numbers of the entries that were read, those included that were taken."""
        return np.arange(1, self._dropped + len(self._held) + 1)

    def seqnum(self, index: int) -> int:
        """The sequence number of an entry."""
        return self._at(index).entry.seqnum

    def realtime(self, index: int) -> int:
        """The time of an entry, microseconds since 1970."""
        return self._at(index).entry.realtime

    def first_from(self, seqnum: int) -> int:
        """The index of the first entry with at least this sequence number; others are not read."""
        if seqnum > self._last + 1 and not self._held:
            self._last = seqnum - 1
        while True:
            if not self._held:
                self._load()
            for index, exported in enumerate(self._held, self._dropped):
                if exported.entry.seqnum >= seqnum:
                    return index
            if not self._held:
                return self._dropped
            self.take(len(self._held))

    def first_since(self, realtime: int) -> int:
        """The index of the first entry that is not older."""
        while self._held or self._load():
            for index, exported in enumerate(self._held, self._dropped):
                if exported.entry.realtime >= realtime:
                    return index
            self.take(len(self._held))
        return self._dropped

    def entry(self, offset: int) -> Entry:
        """The entry of a number."""
        return self._at(offset - 1).entry

    def exported(self, offset: int) -> Exported:
        """The entry of a number with its fields."""
        return self._at(offset - 1)

    def take(self, count: int) -> None:
        """Let go of the first entries, but for the very last one, whose place may be asked for."""
        if count:
            self._newest = self._held[count - 1]
            del self._held[:count]
            self._dropped += count

    def _at(self, index: int) -> Exported:
        if index == self._dropped - 1:
            return self._newest
        if not 0 <= index - self._dropped < len(self._held):
            raise UnreadableError("an entry was taken already")
        return self._held[index - self._dropped]

    def _load(self) -> bool:
        """Read the next entries; whether there were any."""
        command = [JOURNALCTL, f"--file={self.path}", "--output=export", "--all", "--quiet", "--no-pager"]
        if self._last:
            command.append(f"--after-cursor=s={self.header.seqnum_id.hex()};i={self._last:x}")
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            for fields in entries_of(process.stdout):
                exported = _exported(fields)
                if exported.entry.seqnum > self._last:
                    self._held.append(exported)
                if len(self._held) >= _AT_ONCE:
                    break
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if self._held:
            self._last = self._held[-1].entry.seqnum
        return bool(self._held)


class ForeignWalker:
    """Reads entries into rows: those of files of other formats by itself, the others through another walker.

    Args:
        walker: of files that are known here.
        framer: makes frames.
        frames: keeps them.
        names: fields that are read; None for all.
        longest: bytes of a message.
    """

    def __init__(
        self, walker: Walker, framer: Framer, frames: Frames, names: frozenset[str] | None, longest: int
    ) -> None:
        self._walker, self._framer, self._frames = walker, framer, frames
        self._names, self._longest = names, longest
        self._rows: Rows | None = None
        self.rows = walker.rows

    def walk(self, file: JournalFile, offsets: Int64, before: int) -> int:
        """Read entries; how many of them, one at least."""
        if not isinstance(file, ForeignFile):
            count = self._walker.walk(file, offsets, before)
            self.rows = self._walker.rows
            return count
        if self._frames.full:
            self._frames.forget()
        rows = self.rows = self._rows = self._rows or Rows(0)
        texts: list[bytes] = []
        size = 0
        for row, offset in enumerate(offsets[:MOST_ROWS].tolist()):
            text = self._read(file.exported(offset), rows, row)
            rows.begins[row], rows.sizes[row] = size, len(text)
            texts.append(text)
            size += len(text)
            if self._frames.full:
                break
        rows.data = np.frombuffer(b"".join(texts) + bytes(64), np.uint8)
        file.take(len(texts))
        return len(texts)

    def _read(self, exported: Exported, rows: Rows, row: int) -> bytes:
        entry, fields = exported
        time = time_of(fields.get(SOURCE_TIME, [b""])[0]) or entry.realtime
        message = fields.get(MESSAGE, [b""])[0]
        rows.seqnums[row], rows.times[row] = entry.seqnum, time
        rows.cut[row], rows.frames[row] = len(message) > self._longest, BROKEN
        if 0 < time < LATEST:
            kept = {name: values for name, values in fields.items() if kind_of(name, kept=self._names) in {PLAIN, TEXT}}
            frame = self._framer.frame(kept)
            rows.frames[row] = NOT_OURS if frame is None else self._frames.add(frame)
        return message[: self._longest]


def entries_of(stream: IO[bytes]) -> Iterator[Fields]:
    """The entries of the export format.

    Raises:
        UnreadableError: it breaks off within a field, or a field is too large.
    """
    fields: Fields = {}
    while line := stream.readline(_LARGEST):
        if line == b"\n":
            yield fields
            fields = {}
            continue
        name, equals, value = line.rstrip(b"\n").partition(b"=")
        if not equals:
            size = int.from_bytes(stream.read(8), "little")
            if size > _LARGEST:
                raise UnreadableError(f"a field has {size} bytes; more than {_LARGEST} are not read")
            value = stream.read(size)
            if len(value) != size or stream.read(1) != b"\n":
                raise UnreadableError("journalctl broke off")
        fields.setdefault(name.decode("ascii", "replace"), []).append(value)
    if fields:
        yield fields


def _exported(fields: Fields) -> Exported:
    try:
        cursor = fields["__CURSOR"][0].decode("ascii")
        parts = dict(part.split("=", 1) for part in cursor.split(";"))
        entry = Entry(
            int(parts["i"], 16), int(fields["__REALTIME_TIMESTAMP"][0]), int(fields["__MONOTONIC_TIMESTAMP"][0]),
            bytes.fromhex(parts["b"]), int(parts["x"], 16), (),
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise UnreadableError("journalctl gives an entry without its place") from error
    return Exported(entry, {name: values for name, values in fields.items() if not name.startswith("__")})
