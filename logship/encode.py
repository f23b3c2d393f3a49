"""Lines to documents of the Elastic Common Schema, as the two lines of a bulk request.

A document's id is the file's id and the line's offset: sent twice, it is there once.
Fields: https://www.elastic.co/docs/reference/ecs
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson

from forewarn.base.clock import rfc3339
from logship.settings import FileSettings, LogsSettings
from logship.stamps import Stamper, level_of

ECS_VERSION = "8.17.0"
_LONGEST_CHARACTER = 4
"""Bytes that one character takes in UTF-8, at most."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Documents of a piece of a file.

    Attributes:
        documents: action and source of each line.
        carry: the last time stamp up to its end, empty where there was none yet.
        fallback: whether a line took the time at which it was read.
    """

    documents: list[bytes]
    carry: bytes
    fallback: bool


class Encoder:
    """Writes the documents of one path.

    Args:
        path: as it stands in the documents, whatever a rotation renames the file to.
        file: its settings.
        settings: those of all.
        hostname: the node's name.
    """

    def __init__(self, path: str, file: FileSettings, settings: LogsSettings, hostname: str) -> None:
        self._stamper = Stamper(ZoneInfo(file.timezone) if file.timezone else None)
        self._max_line = settings.max_line_bytes
        self._stream = settings.stream_of(file).encode()
        dataset = file.dataset or settings.dataset
        rest = {
            "host": {"name": hostname},
            "event": {"dataset": dataset},
            "data_stream": {"type": "logs", "dataset": dataset, "namespace": settings.namespace},
            "ecs": {"version": ECS_VERSION},
            **({"labels": file.labels} if file.labels else {}),
        }
        self._middle = b',"log":{"file":{"path":' + orjson.dumps(path) + b'},"offset":'
        self._end = b"}," + orjson.dumps(rest)[1:] + b"\n"

    def encode(self, file_id: str, start: int, data: bytes, *, carry: bytes, read_ms: int, seen_ms: int) -> Encoded:
        """The documents of whole lines.

        Args:
            file_id: of the file.
            start: offset of ``data`` in it.
            data: whole lines; the last may lack its line end.
            carry: the last time stamp before ``start``; lines that have none of their own take it.
            read_ms: the time for lines with no time stamp at or before them.
            seen_ms: when the file was first seen, from which years are told that time stamps lack.
        """
        action = b'{"create":{"_index":"%s","_id":"%s-' % (self._stream, file_id.encode())
        middle, end, stamp = self._middle, self._end, self._stamper.stamp
        read_at, fallback = rfc3339(read_ms).encode(), False
        reference = _day(carry or rfc3339(seen_ms).encode())
        documents: list[bytes] = []
        for offset, line, split in _lines(data, self._max_line):
            text = line.lstrip(b"\0")  # what a writer leaves that kept its place while its file was cut off
            if not text and line:
                continue
            own = stamp(text, reference)
            if own is not None and own != carry:
                if own[:10] != carry[:10]:
                    reference = _day(own)
                carry = own
            fallback = fallback or not carry
            level = level_of(text)
            documents.append(
                b'%s%012x"}}\n{"@timestamp":"%s","message":%s%s%d%s%s%s'
                % (
                    action,
                    start + offset,
                    carry or read_at,
                    _json(text),
                    middle,
                    start + offset,
                    b',"level":"%s"' % level if level else b"",
                    b',"flags":["split"]' if split else b"",
                    end,
                )
            )
        return Encoded(documents, carry, fallback)


def boundary(data: bytes, limit: int) -> int:
    """The largest length up to ``limit`` that does not part a UTF-8 character."""
    end = limit
    while end > limit - _LONGEST_CHARACTER and data[end] & 0xC0 == 0x80:
        end -= 1
    return end if data[end] & 0xC0 != 0x80 else limit


def _lines(data: bytes, max_line: int) -> Iterator[tuple[int, bytes, bool]]:
    """Offset, text without its line end, and whether the line goes on after it."""
    *lines, rest = data.split(b"\n")
    offset = 0
    for line in lines:
        after = offset + len(line) + 1
        if len(line) > max_line:
            while len(line) > max_line:
                cut = boundary(line, max_line)
                yield offset, line[:cut], True
                offset, line = offset + cut, line[cut:]  # noqa: PLW2901  the rest of the same line
        yield offset, line.removesuffix(b"\r"), False
        offset = after
    while len(rest) > max_line:
        cut = boundary(rest, max_line)
        yield offset, rest[:cut], True
        offset, rest = offset + cut, rest[cut:]
    if rest:  # the reader cut it off a longer line, or a file ends with it
        yield offset, rest, len(rest) > max_line - _LONGEST_CHARACTER


def _json(text: bytes) -> bytes:
    try:
        return orjson.dumps(text.decode())
    except UnicodeDecodeError:
        return orjson.dumps(text.decode(errors="replace"))


def _day(stamp: bytes) -> datetime:
    """The day of an RFC 3339 stamp in UTC: no finer, so that it is the same wherever reading began on that day."""
    return datetime.fromisoformat(stamp[:10].decode()).replace(tzinfo=UTC)
