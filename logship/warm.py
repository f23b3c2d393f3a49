"""Machine code of what every line goes through, made once: ``python -P -m logship.warm``.

Compiling takes some hundred megabytes, which a process does not give back: so one of its own does it, and the shipper
loads what it has left behind.
"""

from datetime import UTC

import numpy as np

from logship.anomalies.finding import Finder
from logship.anomalies.tally import Tally
from logship.engine.encoder import Encoder
from logship.engine.hand import SLACK
from logship.engine.times import Carried
from logship.feed import Lines
from logship.journal.compiled import warm as warm_journal
from logship.journal.frames import Framer
from logship.journal.masking import Masks
from logship.journal.routes import Routes
from logship.patterns.compiled import note_made
from logship.patterns.kernel import masked, powers
from logship.patterns.miner import Limits, Miner, line_starts
from logship.shaping.multiline import Joiner
from logship.shaping.objects import Objects
from logship.shaping.redaction import Redactor
from logship.shaping.settings import MultilineSettings, RedactSettings
from logship.shaping.shape import LINES, Shape

_LONGEST = 4096
_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima")
_LINE = '2026-02-02 02:40:{:02d},{:03d} INFO [app.py:{}] "loading"  model {} from \\disk, caf\xe9, token=abc{}\n'
_TRACE = b"Traceback (most recent call last):\n  File x, line 1\nValueError: \xff\n"


def warm() -> None:
    """Run everything that is compiled, so that it is kept."""
    lines = "".join(_LINE.format(n % 60, n, n, word, n) for n, word in enumerate(_WORDS * 3))
    text = lines.encode() + _TRACE + b'{"message": "x", "level": "info"}\nprompt: "hi"\n"password": ["x"]\n'
    data = np.frombuffer(bytearray(text) + bytes(SLACK), np.uint8)
    redactor = Redactor(RedactSettings())
    redactor.redact(data, len(text))
    redactor.restore(data)
    Finder(b"token").places(data, len(text))
    miner = Miner(Limits(templates=len(_WORDS) // 2))
    starts = line_starts(text)
    templates = miner.feed("warm", data, starts)
    Tally().observe(Lines("warm", "warm", data, starts, 0), templates)
    miner.templates()
    masked(np.uint64(1), np.ones(1, np.uint64), powers(), np.array([0, -1, -1, -1, -1], np.int64), 0)
    for shape in (LINES, Shape(Joiner("auto", MultilineSettings(), _LONGEST), Objects(UTC))):
        encoder = Encoder("w", 0, "/w", {}, zone=UTC, longest=_LONGEST, cap=1 << 20, shape=shape)
        out = np.zeros(encoder.room, np.uint8)
        encoder.encode(data, len(text), 0, out, carried=Carried(), read_ms=0, seen_ms=0, templates=templates)
    warm_journal(Framer(Routes(()), "warm", {}, Masks(Redactor(RedactSettings()), "warm")))


if __name__ == "__main__":
    warm()
    note_made()
