"""From the bytes of a file's next lines to documents in a body; one for all files, under the packing lock."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from logship.delivery.batch import overrun
from logship.engine.documents import Bytes, Int32, Int64
from logship.engine.encoder import Body, Encoder
from logship.engine.times import Carried
from logship.errors import LogshipError
from logship.feed import Lines
from logship.shaping.keys import OUTSIDE, Inside
from logship.shaping.multiline import Joiner
from logship.shaping.objects import Objects
from logship.shaping.redaction import Redactor
from logship.shaping.settings import MultilineSettings
from logship.shaping.shape import Shape
from logship.source import Source
from logship.streams import Stream
from logship.templates import Templates

_ENCODERS = 64
"""Files that are written about at the same time without making their encoders again."""
_LEAST = 16 * 1024
SLACK = 64
"""Bytes that a chunk carries behind its lines."""
_NONE = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines at the beginning of ``Press.raw``.

    Attributes:
        size: their bytes.
        offset: of the first in the file.
        carried: what the lines before them say.
        read_ms: when they were read.
        known: templates of the first of them, as far as these were looked at before.
        known_end: offset behind those lines.
        final: whether the last of them is taken to be complete, whatever may follow.
        inside: what they begin inside of.
        late: whether they are older ones that are being caught up with.
    """

    size: int
    offset: int
    carried: Carried
    read_ms: int
    known: Int32
    known_end: int
    final: bool = True
    inside: Inside = OUTSIDE
    late: bool = False


class Pressed(NamedTuple):
    """What became of a chunk.

    Attributes:
        body: what was written.
        templates: of the lines that were left over.
        inside: what these begin inside of.
    """

    body: Body
    templates: Int32
    inside: Inside


class Press:
    """Writes documents of files.

    Args:
        templates: gives lines their templates; None for documents without any.
        redactor: masks secrets.
        multiline: limits of documents of several lines.
        limit: bytes of a body.
        longest: bytes of a line's text in one document.

    Attributes:
        raw: takes the lines; used again and again.
        most: bytes that it takes.
    """

    def __init__(
        self, templates: Templates | None, redactor: Redactor, multiline: MultilineSettings, limit: int, longest: int
    ) -> None:
        size = max(limit, longest + 1)
        self.raw = bytearray(size + SLACK)
        self._data: Bytes = np.frombuffer(self.raw, np.uint8)
        self.most = size
        self._templates, self._redactor, self._multiline = templates, redactor, multiline
        self._limit, self._longest = limit, longest
        self._encoders: OrderedDict[str, Encoder] = OrderedDict()
        self._share = 0.3

    def limit(self, room: int) -> int:
        """Bytes of lines whose documents are likely to fit."""
        return min(self.most, max(_LEAST, int(room * self._share)))

    def press(self, source: Source, stream: Stream, chunk: Chunk, out: Bytes, room: int) -> Pressed:
        """Write the documents of a chunk, up to a limit of bytes."""
        encoder = self._encoder(source, stream)
        data = self._data[: chunk.size + SLACK]
        self._redactor.redact(data, chunk.size, inside=chunk.inside, prompts=source.access)
        ends = encoder.ends(data, chunk.size)
        templates = self._find(source, chunk, data, ends)
        body = encoder.encode(
            data,
            chunk.size,
            chunk.offset,
            out,
            carried=chunk.carried,
            read_ms=chunk.read_ms,
            seen_ms=stream.first_seen_ms,
            templates=templates,
            ends=ends,
            cap=room,
            final=chunk.final,
        )
        if body.size:
            self._share += (body.consumed / body.size - self._share) / 4
        self._redactor.restore(data)
        return Pressed(body, templates[body.lines :], self._redactor.passed(body.consumed))

    def _find(self, source: Source, chunk: Chunk, data: Bytes, ends: Int64) -> Int32:
        """The templates of a chunk's lines; of lines that were looked at before, those that were found then."""
        if self._templates is None:
            return _NONE
        starts, known = starts_of(ends, chunk.size), chunk.known
        first = len(known)
        if first >= len(starts):
            return known
        at = int(starts[first])
        if first and chunk.offset + at != chunk.known_end:  # the file holds other lines now
            first, at, known = 0, 0, _NONE
        if first == len(starts) - 1:
            return known
        behind = starts[first:] - at if at else starts
        lines = Lines(source.dataset, source.name, data[at:], behind, chunk.read_ms, late=chunk.late)
        found = self._templates.of(lines)
        return np.concatenate((known, found)) if first else found

    def _encoder(self, source: Source, stream: Stream) -> Encoder:
        encoder = self._encoders.get(stream.file_id)
        if encoder is None:
            encoder = Encoder(
                stream.file_id,
                stream.epoch,
                source.name,
                source.rest,
                zone=source.zone,
                longest=self._longest,
                cap=self._limit,
                shape=self._shape(source),
            )
            if encoder.room > self._limit + overrun(self._longest):
                raise LogshipError(f"the labels of {source.name} are too long", hint="name fewer, or shorter ones")
            self._encoders[stream.file_id] = encoder
            if len(self._encoders) > _ENCODERS:
                self._encoders.popitem(last=False)
        self._encoders.move_to_end(stream.file_id)
        return encoder

    def _shape(self, source: Source) -> Shape:
        return Shape(
            Joiner(source.multiline, self._multiline, self._longest) if source.joins else None,
            Objects(source.zone) if source.json else None,
        )


def starts_of(ends: Int64, size: int) -> Int64:
    """Where each line of a chunk begins, and the end of the last.

    Args:
        ends: where its line ends are.
        size: its bytes; the last line may lack its end.
    """
    count = len(ends)
    whole = size == (ends[-1] + 1 if count else 0)
    starts = np.empty(count + (1 if whole else 2), np.int64)
    starts[0] = 0
    np.add(ends, 1, out=starts[1 : count + 1])
    starts[-1] = size
    return starts
