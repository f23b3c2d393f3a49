"""What a line is to the lines before it: a frame of a stack, an exception behind its frames, a line of its own.

Each function runs as it stands, on bytes, and compiled, on an array of them: only numbers, indices and loops.
"""

from typing import Any

import numpy as np

from logship.patterns.compiled import compiled

PLAIN, BLANK, INDENT, FRAME, TRACEBACK, CHAIN, MORE, PANIC, ROUTINE, ASSERT, OBJECT, CLOSER = range(12)
"""A line of its own; an empty one; an indented one, and that of a Python frame; the head of a traceback; the words
between two; one that always goes on; a Go program's last words, a goroutine; an assertion of a CUDA kernel; a JSON
object; a bracket that closes indented lines."""
_FIRST = b" \t\r\nTDCFSEWfpga.[{/(}])"
FIRST = np.zeros(256, np.uint8)
"""Whether a line that begins with a byte may be anything but plain."""
FIRST[list(_FIRST)] = 1
_LONGEST_PREFIX = 96


@compiled
def starts(data: Any, i: int, stop: int, text: Any) -> Any:
    """Whether a text stands at i."""
    if stop - i < len(text):
        return False
    for k in range(len(text)):
        if data[i + k] != text[k]:
            return False
    return True


@compiled
def holds(data: Any, i: int, stop: int, text: Any) -> Any:
    """Whether a text stands anywhere."""
    for j in range(i, stop - len(text) + 1):
        if data[j] == text[0] and starts(data, j, stop, text):
            return True
    return False


@compiled
def _digit(byte: Any) -> Any:
    return 48 <= byte <= 57


@compiled
def _upper(byte: Any) -> Any:
    return 65 <= byte <= 90


@compiled
def _stamped(data: Any, i: int, stop: int) -> Any:
    """Whether a time or a level begins at i, as in a log whose lines are all indented."""
    if i < stop and data[i] == 91:
        i += 1
    if i + 5 > stop:
        return False
    j = i
    while j < stop and j < i + 5 and _digit(data[j]):
        j += 1
    if j > i:
        return (
            (j == i + 2 or j == i + 4)
            and j + 6 <= stop
            and 45 <= data[j] <= 58
            and _digit(data[j + 1])
            and _digit(data[j + 2])
            and (data[j + 3] == data[j] or data[j + 3] == 32)
            and _digit(data[j + 4])
            and _digit(data[j + 5])
        )
    while j < stop and _upper(data[j]):
        j += 1
    if not 4 <= j - i <= 8 or j >= stop or (data[j] != 32 and data[j] != 58 and data[j] != 93):
        return False
    return (
        starts(data, i, j, b"INFO")
        or starts(data, i, j, b"DEBUG")
        or starts(data, i, j, b"WARN")
        or starts(data, i, j, b"ERROR")
        or starts(data, i, j, b"TRACE")
        or starts(data, i, j, b"CRITICAL")
        or starts(data, i, j, b"FATAL")
        or starts(data, i, j, b"NOTICE")
    )


@compiled
def _indented(data: Any, i: int, stop: int) -> int:
    while i < stop and (data[i] == 32 or data[i] == 9 or data[i] == 13):
        i += 1
    if i == stop:
        return BLANK
    if starts(data, i, stop, b'File "'):
        return FRAME
    return PLAIN if _stamped(data, i, stop) else INDENT


@compiled
def _goes_on(data: Any, i: int, stop: int) -> Any:
    """Whether a line always belongs to the one before."""
    first = data[i]
    if first == 67:
        return (
            starts(data, i, stop, b"Caused by: ")
            or starts(data, i, stop, b"CUDA kernel errors might be")
            or starts(data, i, stop, b"Compile with `TORCH_USE_CUDA_DSA`")
        )
    if first == 70:
        return starts(data, i, stop, b"For debugging consider passing")
    if first == 68:
        return starts(data, i, stop, b"Device-side assertion")
    if first == 83:
        return starts(data, i, stop, b"Search for `cuda")
    if first == 69:
        return starts(data, i, stop, b"Exception raised from ")
    if first == 102:
        return starts(data, i, stop, b"frame #")
    if first == 97:
        return starts(data, i, stop, b"at ") and data[stop - 1] == 41
    if first == 46:
        return starts(data, i, stop, b"... ") and starts(data, stop - 5, stop, b" more")
    if first == 91:
        return starts(data, i, stop, b"[signal SIG")
    return False


@compiled
def kind_of(data: Any, i: int, stop: int) -> int:
    """What the text is that begins at i, behind what every line of its writer begins with."""
    if i >= stop:
        return BLANK
    first = data[i]
    if first == 32 or first == 9 or first == 13:
        return _indented(data, i, stop)
    if first == 123:
        return OBJECT if data[stop - 1] == 125 else PLAIN
    if first == 125 or first == 93 or first == 41:
        return CLOSER if stop - i <= 2 else PLAIN
    if first == 84:
        if starts(data, i, stop, b"Traceback (most recent call last)"):
            return TRACEBACK
        return CHAIN if starts(data, i, stop, b"The above exception was the direct cause") else PLAIN
    if first == 68 and starts(data, i, stop, b"During handling of the above exception"):
        return CHAIN
    if first == 112 or first == 102:
        if starts(data, i, stop, b"panic: ") or starts(data, i, stop, b"fatal error: "):
            return PANIC
    elif first == 103:
        return ROUTINE if starts(data, i, stop, b"goroutine ") and data[stop - 1] == 58 else PLAIN
    if first == 46 or first == 47:
        if starts(data, stop - 7, stop, b"failed.") and stop - i > 32 and holds(data, i, stop, b": block: ["):
            return ASSERT
        if first == 47:
            return PLAIN
    return MORE if _goes_on(data, i, stop) else PLAIN


@compiled
def prefix_of(data: Any, i: int, stop: int) -> int:
    """Bytes that a writer puts before each line of a text: ``(name pid=1) ERROR 01-01 12:00:00 [core.py:390] ``.

    Also ``[rank0]: ``; 0 where there is none.
    """
    end = min(stop, i + _LONGEST_PREFIX)
    p = i
    if starts(data, p, end, b"[rank"):
        while p < end and data[p] != 93:
            p += 1
        return p + 3 - i if starts(data, p, end, b"]: ") else 0
    if data[p] == 40:
        while p < end and data[p] != 41:
            p += 1
        if not starts(data, p, end, b") "):
            return 0
        p += 2
    begin = p
    while p < end and _upper(data[p]):
        p += 1
    if not 4 <= p - begin <= 8 or p + 17 > end:
        return begin - i
    if data[p] != 32 or data[p + 3] != 45 or data[p + 6] != 32 or data[p + 9] != 58 or data[p + 12] != 58:
        return begin - i
    p += 17
    if data[p - 1] != 91:
        return begin - i
    while p < end and data[p] != 93:
        p += 1
    if p + 1 == end == stop:
        return stop - i
    return p + 2 - i if starts(data, p, end, b"] ") else begin - i


@compiled
def names_error(data: Any, i: int, stop: int) -> Any:
    """Whether a line may be an exception's: a dotted name, alone or before a colon."""
    begin = i
    while i < stop:
        c = data[i]
        if not (97 <= (c | 32) <= 122 or c == 95 or c == 46 or (i > begin and _digit(c))):
            break
        i += 1
    if i == begin:
        return False
    return i == stop or data[i] == 58 or (data[i] == 13 and i + 1 == stop)


@compiled
def is_call(data: Any, i: int, stop: int) -> Any:
    """Whether a line may be one of a goroutine's: a function with its arguments, or who made it."""
    if i >= stop or not 97 <= (data[i] | 32) <= 122:
        return False
    return data[stop - 1] == 41 or starts(data, i, stop, b"created by ") or starts(data, i, stop, b"exit status ")


@compiled
def is_severe(data: Any, i: int, stop: int) -> Any:
    """Whether a line speaks of an error, so that a traceback behind it is its own."""
    end = min(stop, i + 200)
    return (
        holds(data, i, end, b"ERR")
        or holds(data, i, end, b"CRIT")
        or holds(data, i, end, b"FATAL")
        or holds(data, i, end, b"WARN")
        or holds(data, i, end, b"rror")
        or holds(data, i, end, b"xception")
        or holds(data, i, end, b"ailed")
    )
