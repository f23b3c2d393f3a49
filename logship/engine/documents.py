"""What surrounds a line's text in its document, and which pieces of a chunk become documents.

Fields: https://www.elastic.co/docs/reference/ecs; ``log.template`` is ours, the number of the line's template.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

LEVELS = ("trace", "debug", "info", "notice", "warning", "error", "critical")
_LONGEST_CHARACTER = 4
"""Bytes that one character takes in UTF-8, at most."""


class Surroundings(NamedTuple):
    """The constants of a source's documents, in the order in which they stand."""

    before_id: bytes
    before_stamp: bytes
    before_message: bytes
    before_offset: bytes
    split: bytes
    before_template: bytes
    end: bytes
    levels: tuple[bytes, ...]


def surroundings(file_id: str, epoch: int, path: str, rest: Mapping[str, Any]) -> Surroundings:
    """The constants of the documents of a file.

    Args:
        file_id: of the file.
        epoch: how often the file was begun anew.
        path: as it stands in the documents.
        rest: fields that every document has, neither ``@timestamp``, ``message`` nor ``log``.
    """
    return Surroundings(
        b'{"create":{"_id":%s-%d-' % (orjson.dumps(file_id)[:-1], epoch),
        b'"}}\n{"@timestamp":"',
        b'","message":"',
        b'","log":{"file":{"path":' + orjson.dumps(path) + b'},"offset":',
        b',"flags":["split"]',
        b',"template":',
        b"}," + orjson.dumps(rest)[1:] + b"\n" if rest else b"}}\n",
        tuple(b',"level":"%s"' % level.encode() for level in LEVELS),
    )


def boundary(data: bytes, limit: int) -> int:
    """The largest length up to ``limit`` that does not part a UTF-8 character."""
    end = limit
    while end > limit - _LONGEST_CHARACTER and data[end] & 0xC0 == 0x80:
        end -= 1
    return end if data[end] & 0xC0 != 0x80 else limit


@dataclass(frozen=True, slots=True)
class Pieces:
    """The documents of a chunk.

    Attributes:
        begins: where the text of each begins.
        stops: where it ends.
        origins: where it begins with the NULs before it; the offset of its document.
        split: whether its line goes on behind it.
        line_of: its line.
        odd: whether there are pieces that are not simply a line.
        joined: whether each holds several lines; None where none does.
    """

    begins: Int64
    stops: Int64
    origins: Int64
    split: NDArray[np.bool_]
    line_of: Int64
    odd: bool
    joined: NDArray[np.bool_] | None = None

    def part(self, first: int, last: int, base: int = 0) -> "Pieces":
        """Some of them, of a chunk that begins at a byte of this one."""
        chosen = slice(first, last)
        return Pieces(
            self.begins[chosen] - base,
            self.stops[chosen] - base,
            self.origins[chosen] - base,
            self.split[chosen],
            self.line_of[chosen],
            odd=self.odd,
            joined=None if self.joined is None else self.joined[chosen],
        )


def pieces_of(data: Bytes, size: int, ends: Int64, longest: int) -> Pieces:
    """The documents of whole lines; the last may lack its line end, as where a reader cut it off a longer one.

    Args:
        data: the chunk.
        size: its bytes.
        ends: where its line ends are.
        longest: bytes of a document's text; longer lines become several.
    """
    if size > (ends[-1] + 1 if len(ends) else 0):
        ends = np.append(ends, size)
        whole = len(ends) - 1
    else:
        whole = len(ends)
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    stops = ends - ((data[ends - 1] == ord("\r")) & (ends > starts))
    stops[whole:] = ends[whole:]
    odd = ((data[starts] == 0) & (stops > starts)) | (ends - starts > longest)
    odd[whole:] = True
    split, line_of = np.zeros(len(ends), np.bool_), np.arange(len(ends))
    if not odd.any():
        return Pieces(starts, stops, starts, split, line_of, odd=False)
    rows: list[tuple[int, int, int, bool, int]] = []
    ordinary = 0
    columns = [starts, stops, starts, split, line_of]
    parts: list[list[NDArray[Any]]] = [[] for _ in columns]
    for line in (*np.flatnonzero(odd).tolist(), len(ends)):
        for part, column in zip(parts, columns, strict=True):
            part.append(column[ordinary:line])
        if line < len(ends):
            text = data[starts[line] : ends[line]].tobytes()
            rows = _odd(text, int(starts[line]), line, longest, ended=line < whole)
            for part, column, values in zip(parts, columns, zip(*rows, strict=True), strict=False):
                part.append(np.array(values, column.dtype))
        ordinary = line + 1
    begins, stops, origins, split, line_of = (np.concatenate(part) for part in parts)
    return Pieces(begins, stops, origins, split, line_of, odd=True)


def _odd(text: bytes, start: int, line: int, longest: int, *, ended: bool) -> list[tuple[int, int, int, bool, int]]:
    rows = []
    while len(text) > longest:
        cut = boundary(text, longest)
        rows.append((start, text[:cut], True))
        start, text = start + cut, text[cut:]
    if ended:
        rows.append((start, text.removesuffix(b"\r"), False))
    elif text:
        rows.append((start, text, len(text) > longest - _LONGEST_CHARACTER))
    found = []
    for origin, piece, goes_on in rows:
        kept = piece.lstrip(b"\0")
        if kept or not piece:
            found.append((origin + len(piece) - len(kept), origin + len(piece), origin, goes_on, line))
    return found
