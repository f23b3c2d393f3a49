"""Lines of an inference server, 125 bytes on average, each with a number of its own: ``seq=`` and eight digits."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK = 200_000
"""Lines of a block; a block is one minute of a log."""
DIGITS = 8
MOST = 10**DIGITS
_LEVELS = ("INFO", "INFO", "INFO", "INFO", "DEBUG", "WARNING", "ERROR")
_TEXTS = (
    'Received request cmpl-{a:08x}: prompt: "Hello", temperature=0.{b}, seq={seq}',
    "Avg prompt throughput: {b}.{b} tokens/s, Running: {b} reqs, KV cache usage: {b}%, seq={seq}",
    "Finished request cmpl-{a:08x} after {b} ms with {b} tokens, seq={seq}, reason length",
    '10.0.0.{b}:{b} - "POST /v1/chat/completions HTTP/1.1" 200 OK seq={seq} trace={a:08x}',
    "queue\tdepth {b}, path C:\\models\\{b}, seq={seq}, größe {b} 队列",
    'loaded shard {b} of {b} from "/models/llama/{a:08x}.safetensors" in {b} ms seq={seq}',
)


class Block:
    """A minute of a log, to be written again and again with other numbers and another minute.

    Args:
        lines: how many.
        seed: of what they say.
    """

    def __init__(self, lines: int = BLOCK, seed: int = 1) -> None:
        chance = random.Random(seed)
        found = [_line(chance, number, lines).encode() for number in range(lines)]
        self.lines = lines
        self.text = np.frombuffer(b"".join(found), np.uint8).copy()
        lengths = np.array([len(line) for line in found])
        self.starts = np.concatenate(([0], np.cumsum(lengths)))
        inside = np.array([line.index(b"seq=") + 4 for line in found])
        self._numbers = self.starts[:-1] + inside

    def at(self, first: int) -> NDArray[np.uint8]:
        """The block whose first line has this number; good until the next call."""
        numbers = np.arange(first, first + self.lines)
        for digit in range(DIGITS):
            self.text[self._numbers + digit] = numbers // 10 ** (DIGITS - 1 - digit) % 10 + ord("0")
        minute = first // self.lines % (24 * 60)
        for place, digit in zip((11, 12, 14, 15), f"{minute // 60:02d}{minute % 60:02d}".encode(), strict=True):
            self.text[self.starts[:-1] + place] = digit
        return self.text


def write(path: Path, lines: int, block: Block) -> int:
    """A file of so many lines, whole blocks of them; its size in bytes."""
    size = 0
    with path.open("wb") as file:
        for first in range(0, lines, block.lines):
            size += file.write(memoryview(block.at(first)))
    return size


def paced(block: Block, per_second: int, seconds: float, step: float) -> Iterator[tuple[int, memoryview]]:
    """What a program writes at a steady rate: number of the first line, and the lines of each step."""
    each = max(1, int(per_second * step))
    count = int(per_second * seconds)
    text, begun = block.at(0), 0
    for first in range(0, count - each + 1, each):
        if first - begun + each > block.lines:
            begun = first
            text = block.at(begun)
        piece = text[block.starts[first - begun] : block.starts[first - begun + each]]
        yield first, memoryview(piece.copy())


def _line(chance: random.Random, number: int, lines: int) -> str:
    text = chance.choice(_TEXTS).format(a=chance.getrandbits(32), b=chance.randrange(10, 100), seq="0" * DIGITS)
    thousandths = number * 60_000 // lines
    clock = f"2026-02-02 00:00:{thousandths // 1000:02d},{thousandths % 1000:03d}"
    return f"{clock} {chance.choice(_LEVELS)} [engine.py:{chance.randrange(100, 999)}] {text}\n"
