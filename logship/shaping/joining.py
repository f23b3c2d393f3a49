"""Which lines begin a document. A document is a pure function of its lines from the first on, however they are cut.

Each function runs as it stands, on bytes, and compiled, on an array of them.
"""

from typing import Any

from logship.patterns.compiled import brief, compiled
from logship.shaping.kinds import (
    ASSERT,
    BLANK,
    CHAIN,
    CLOSER,
    FIRST,
    FRAME,
    INDENT,
    MORE,
    OBJECT,
    PANIC,
    PLAIN,
    ROUTINE,
    TRACEBACK,
    is_call,
    is_severe,
    kind_of,
    names_error,
    prefix_of,
)

_NONE, _FRAMES, _ERROR, _CHAINED, _GO = range(5)
"""Where in a document the last line is: nowhere, in a traceback, behind one, between two, in a Go program's stacks."""


@brief
def classify(data: Any, begins: Any, stops: Any, chosen: Any, kinds: Any, prefixes: Any) -> int:
    """Set kinds and prefixes of the chosen lines; how many of them are not plain."""
    found = 0
    for k in chosen:
        begin, stop = begins[k], stops[k]
        first = data[begin]
        if not FIRST[first]:
            kinds[k] = PLAIN
            prefixes[k] = 0
            continue
        prefix = 0
        if stop > begin and (first == 40 or first == 69 or first == 87 or first == 67 or first == 91):
            prefix = prefix_of(data, begin, stop)
        prefixes[k] = prefix
        kinds[k] = kind_of(data, begin + prefix, stop)
        if kinds[k] != PLAIN:
            found += 1
    return found


@compiled
def _like(data: Any, begins: Any, prefixes: Any, k: int) -> Any:
    """Whether a line and the one before begin with the same prefix, or with none."""
    length = prefixes[k]
    if length != prefixes[k - 1]:
        return False
    for i in range(length):
        if data[begins[k] + i] != data[begins[k - 1] + i]:
            return False
    return True


@compiled
def _joins(
    data: Any, begins: Any, stops: Any, breaks: Any, kinds: Any, prefixes: Any, k: int, doc: int, state: int
) -> Any:
    kind = kinds[k]
    if doc == k - 1 and (kinds[doc] == BLANK or kinds[doc] == OBJECT):
        return False
    like = _like(data, begins, prefixes, k)
    begin = begins[k] + prefixes[k]
    if kind == PLAIN:
        if not like:
            return False
        if state == _GO:
            return is_call(data, begin, stops[k])
        return state == _FRAMES and names_error(data, begin, stops[k])
    if not like and prefixes[k] > 0:
        return False
    if kind == INDENT or kind == FRAME or kind == MORE:
        return True
    if kind == CLOSER:
        return kinds[k - 1] == INDENT
    if kind == TRACEBACK:
        if state == _CHAINED:
            return True
        return state == _NONE and doc == k - 1 and kinds[doc] == PLAIN and is_severe(data, begins[doc], stops[doc])
    if kind == CHAIN:
        return state == _FRAMES or state == _ERROR
    if kind == ROUTINE:
        return state == _GO
    if kind == ASSERT:
        return kinds[k - 1] == ASSERT
    if kind == BLANK and state != _NONE and k + 1 < len(begins) and not breaks[k + 1]:
        after = kinds[k + 1]
        return (
            after == CHAIN
            or after == MORE
            or (after == ROUTINE and state == _GO)
            or (after == TRACEBACK and state == _CHAINED)
        )
    return False


@compiled
def _after(kind: int, state: int) -> int:
    if kind == FRAME or kind == TRACEBACK:
        return _FRAMES
    if kind == CHAIN:
        return _CHAINED
    if kind == PANIC or kind == ROUTINE:
        return _GO
    if kind == MORE and state != _GO:
        return _ERROR
    if kind == PLAIN and state == _FRAMES:
        return _ERROR
    return state


@compiled
def join(
    data: Any,
    begins: Any,
    stops: Any,
    breaks: Any,
    kinds: Any,
    prefixes: Any,
    most_lines: int,
    most_bytes: int,
    final: Any,
    first: Any,
    cut: Any,
) -> int:
    """Mark the lines that begin a document.

    Args:
        data: the chunk.
        begins: where each line begins.
        stops: where it ends.
        breaks: whether a line begins a document whatever it is.
        kinds: of the lines.
        prefixes: bytes of their prefixes.
        most_lines: of a document.
        most_bytes: of it.
        final: whether nothing more is waited for.
        first: takes whether each line begins a document.
        cut: takes whether that document goes on behind the limits in the next one.

    Returns:
        The first line of the document that may go on behind the chunk; as many as there are lines where there is none.
    """
    count = len(begins)
    doc = 0
    state = _NONE
    for k in range(count):
        first[k] = True
        cut[k] = False
        if k > 0 and not breaks[k]:
            if kinds[k] == BLANK and k + 1 == count and not final and state != _NONE:
                return doc
            if _joins(data, begins, stops, breaks, kinds, prefixes, k, doc, state):
                full = k - doc >= most_lines or stops[k] - begins[doc] > most_bytes
                first[k] = full
                cut[doc] = full
        if first[k]:
            doc = k
            state = _NONE
        state = _after(kinds[k], state)
    closed = count == 0 or (doc == count - 1 and (kinds[doc] == OBJECT or kinds[doc] == BLANK))
    return count if final or closed else doc
