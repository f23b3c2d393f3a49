"""Chunks for the engine, and what an independent reading says their documents are."""

import json
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

import numpy as np

from logship.engine.documents import Int32
from logship.engine.encoder import SLACK, Body, Encoder
from logship.engine.times import Carried
from logship.stamps import level_of

REST = {"host": {"name": "node"}, "ecs": {"version": "8.17.0"}}
PATH = '/var/log/a "b".log'
NOW = 1_770_000_000_000
BEGINNING = Carried()
GARBAGE = np.frombuffer((b'9"\\\n\x80' * 14)[:SLACK], np.uint8)


def encoder(*, fast: bool, longest: int = 1000, cap: int = 1 << 20, zone: tzinfo | None = UTC) -> Encoder:
    return Encoder("f1", 2, PATH, REST, zone=zone, longest=longest, cap=cap, fast=fast)


def encode(
    one: Encoder,
    chunk: bytes,
    offset: int = 0,
    *,
    carried: Carried = BEGINNING,
    templates: Int32 | None = None,
    read_ms: int = NOW,
    seen_ms: int = NOW,
) -> tuple[Body, bytes]:
    out = np.full(one.room + SLACK, 0xA5, np.uint8)
    data = np.concatenate([np.frombuffer(chunk, np.uint8), GARBAGE])
    given = {} if templates is None else {"templates": templates}
    body = one.encode(
        data, len(chunk), offset, out[: one.room], carried=carried, read_ms=read_ms, seen_ms=seen_ms, **given
    )
    assert (out[one.room :] == 0xA5).all(), "written behind the body's room"
    return body, out[: body.size].tobytes()


def stamps(lines: list[bytes], *, fast: bool, zone: tzinfo | None = UTC) -> list[str]:
    _, body = encode(encoder(fast=fast, zone=zone), b"".join(line + b"\n" for line in lines))
    return [json.loads(row)["@timestamp"] for row in body.splitlines()[1::2]]


@dataclass(slots=True)
class Written:
    """The whole of a file, in bodies cut by chunks and caps."""

    text: bytes
    bodies: int
    carried: Carried


def write_all(one: Encoder, chunks: list[bytes], templates: Int32, offset: int = 0) -> Written:
    """Encode chunk after chunk, each as often as its caps ask."""
    done, bodies, carried, line = [], 0, Carried(), 0
    for chunk in chunks:
        left = chunk
        while left:
            body, text = encode(one, left, offset, carried=carried, templates=templates[line:])
            done.append(text)
            left, carried = left[body.consumed :], body.carried
            offset += body.consumed
            line += body.lines
            bodies += 1
    return Written(b"".join(done), bodies, carried)


def expected(chunk: bytes, offset: int, stamps_: list[str], templates: list[int] | None = None) -> bytes:
    """The documents of whole lines that are not too long, by the standard library."""
    rows: list[str] = []
    kept = iter(stamps_)
    for number, line in enumerate(chunk.split(b"\n")[:-1]):
        text = line.removesuffix(b"\r")
        at, text, blank = offset, text.lstrip(b"\0"), not text
        offset += len(line) + 1
        if not text and not blank:
            continue
        log: dict[str, Any] = {"file": {"path": PATH}, "offset": at}
        level = level_of(text)
        if level:
            log["level"] = level.decode()
        if templates is not None and templates[number] >= 0:
            log["template"] = templates[number]
        document = {"@timestamp": next(kept), "message": text.decode(errors="replace"), "log": log, **REST}
        rows.append(_json({"create": {"_id": f"f1-2-{at:012x}"}}))
        rows.append(_json(document))
    return "".join(row + "\n" for row in rows).encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
