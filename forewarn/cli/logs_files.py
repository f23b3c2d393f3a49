"""Log files that commands read: plain, compressed, or standard input."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forewarn.cli.output import Progress

STANDARD_INPUT = "-"


def pieces(file: Path, size: int, bar: Progress = lambda _done, _total: None) -> Iterator[bytes]:
    """What a file holds, in pieces of whole lines.

    Args:
        file: plain or compressed, whatever its name; ``-`` is standard input.
        size: bytes of a piece, and the rest of its last line.
        bar: is told how many bytes are read, and how many there are.

    Raises:
        UsageError: it cannot be read, or not to its end.
    """
    from forewarn.base.errors import UsageError
    from logship.search.backwards import DAMAGE, opened

    try:
        length = 0 if str(file) == STANDARD_INPUT else file.stat().st_size
        source: Any = sys.stdin.buffer if str(file) == STANDARD_INPUT else file.open("rb", buffering=0)
        raw = io.BufferedReader(source)
        with raw, opened(raw, raw.peek(6)) as lines:
            done = 0
            while piece := lines.read(size):
                piece += lines.readline()
                yield piece
                done += len(piece)
                bar(min(raw.tell() if length else done, length or done), length or done)
    except DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            raise UsageError(f"{file}: {error.strerror}", hint="name log files that can be read") from error
        hint = "what stands before that can be had by 'zcat FILE > NEW' and the like"
        raise UsageError(f"{file} is cut off or damaged: {error}", hint=hint) from error
