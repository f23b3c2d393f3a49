"""What the first lines of a file would become, without anything being sent or kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from forewarn.base.clock import Clock, rfc3339
from logship.engine.documents import Bytes
from logship.engine.encoder import Encoder
from logship.engine.hand import SLACK
from logship.engine.times import Carried
from logship.patterns.miner import Miner, line_starts
from logship.settings import FileSettings, LogsSettings
from logship.shaping.multiline import Joiner
from logship.shaping.objects import Objects
from logship.shaping.redaction import Redactor
from logship.shaping.shape import Shape
from logship.source import Source, source_of

_CAP = 64 << 20


@dataclass(frozen=True, slots=True)
class Tried:
    """A document as it would be sent.

    Attributes:
        source: the document.
        lines: of the file that it holds.
        template: the text of its template.
        masked: names of the rules that masked something in it.
        timed: whether its time is its own or that of a line before, not that of reading.
    """

    source: dict[str, Any]
    lines: int
    template: str
    masked: tuple[str, ...]
    timed: bool


def settings_of(path: Path, settings: LogsSettings, dataset: str | None) -> FileSettings:
    """What is configured for a file, with another data set where one is given; else what every file gets.

    Raises:
        ValueError: it is no name of a data set.
    """
    found = next((file for file in settings.file if fnmatch(str(path), file.path)), FileSettings(path=str(path)))
    return FileSettings.model_validate({**dict(found), "dataset": dataset}) if dataset is not None else found


def tried(
    path: Path, text: bytes, settings: LogsSettings, file: FileSettings, *, hostname: str, clock: Clock
) -> Iterator[Tried]:
    """The documents that a file begins with.

    Args:
        path: the file.
        text: whole lines from its beginning.
        settings: of all logs.
        file: of this file.
        hostname: the node's name.
        clock: tells the time of reading.
    """
    source = source_of(str(path), file, settings, hostname)
    redactor = Redactor(settings.redact)
    data: Bytes = np.frombuffer(bytearray(text + bytes(SLACK)), np.uint8)
    redactor.redact(data, len(text), prompts=source.access)
    marks = redactor.marks()
    masked = data[: len(text)].tobytes()
    miner = Miner()
    starts = line_starts(masked)
    ids = miner.feed(str(path), masked, starts)
    named = {template.id: template.text for template in miner.templates()}
    now = clock.now_ms()
    encoder = _encoder(source, settings)
    out = np.empty(encoder.room, np.uint8)
    body = encoder.encode(
        data, len(text), 0, out, carried=Carried(), read_ms=now, seen_ms=now, templates=miner.resolve(ids)
    )
    documents = [orjson.loads(row) for row in out[: body.size].tobytes().split(b"\n")[1::2]]
    offsets = [document["log"]["offset"] for document in documents]
    for document, begin, end in zip(documents, offsets, (*offsets, len(text))[1:], strict=True):
        yield Tried(
            document,
            int(np.searchsorted(starts, end) - np.searchsorted(starts, begin, side="right")) + 1,
            named.get(document["log"].get("template", -1), ""),
            tuple(dict.fromkeys(name for place, name in marks if begin <= place < end)),
            document["@timestamp"] != rfc3339(now),
        )


def _encoder(source: Source, settings: LogsSettings) -> Encoder:
    longest = settings.max_line_bytes
    joiner = Joiner(source.multiline, settings.multiline, longest) if source.joins else None
    shape = Shape(joiner, Objects(source.zone) if source.json else None)
    return Encoder("try", 0, source.name, source.rest, zone=source.zone, longest=longest, cap=_CAP, shape=shape)
