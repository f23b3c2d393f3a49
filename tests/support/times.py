"""Lines that are read one at a time, each when it came, and once more after the shipper was killed."""

import json
from datetime import UTC, tzinfo

import numpy as np

from logship.engine.encoder import Encoder
from logship.engine.hand import SLACK
from logship.engine.times import Carried
from logship.shaping.objects import Objects
from logship.shaping.shape import LINES, Shape
from tests.support.engine_chunks import NOW


def read(
    lines: list[bytes],
    read_ms: list[int],
    *,
    fast: bool,
    seen_ms: int = NOW,
    zone: tzinfo | None = UTC,
    objects: bool = False,
) -> list[tuple[str, bool]]:
    """The time of each line, and whether the time at which it was read must be kept for it."""
    shape = Shape(None, Objects(zone)) if objects else LINES
    one = Encoder("f", 0, "/x", {}, zone=zone, longest=1000, cap=1 << 16, shape=shape, fast=fast)
    out, found, carried = np.zeros(one.room, np.uint8), [], Carried()
    for line, at in zip(lines, read_ms, strict=True):
        data = np.frombuffer(line + b"\n" + bytes(SLACK), np.uint8)
        body = one.encode(data, len(line) + 1, 0, out, carried=carried, read_ms=at, seen_ms=seen_ms)
        carried = body.carried
        document = json.loads(out[: body.size].tobytes().splitlines()[1])
        found.append((document["@timestamp"], body.fallback))
    return found
