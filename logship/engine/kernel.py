"""Documents in machine code. Every array carries 64 bytes of slack."""

from typing import Any

import numpy as np

from logship.engine.kernel_text import constant, decimal, hexadecimal, level_of, message
from logship.engine.kernel_times import ASK, CARRIED, is_digit, stamp
from logship.engine.vectors import copy, pointer
from logship.patterns.compiled import compiled

HEAD, STAMP, MESSAGE, OFFSET, SPLIT, TEMPLATE, END, NOTHING, LEVELS_AT = np.arange(9)
"""The constants: what stands before each part, the end, nothing at all, the levels from there on.

They are no literals, for each of which what they are handed to would be compiled once more.
"""


@compiled
def _klog(data: Any, begin: int, end: int) -> Any:
    """The letter of a klog line, or 0."""
    letter = data[begin] if begin < end else 0
    known = letter == 73 or letter == 87 or letter == 69 or letter == 70  # noqa: PLR1714  compiled as it stands
    if not known or begin + 14 > end:
        return 0
    for i in range(begin + 1, begin + 5):
        if not is_digit(data[i]):
            return 0
    i = begin + 5
    if data[i] != 32:
        return 0
    while i < end and data[i] == 32:
        i += 1
    if i + 8 > end or data[i + 2] != 58 or data[i + 5] != 58:
        return 0
    for j in range(8):
        if j % 3 != 2 and not is_digit(data[i + j]):
            return 0
    return letter


@compiled
def write(
    data: Any,
    begins: Any,
    stops: Any,
    origins: Any,
    split: Any,
    line_of: Any,
    templates: Any,
    offset: int,
    form: Any,
    columns: Any,
    fixed: Any,
    minute: Any,
    text: Any,
    bounds: Any,
    escapes: Any,
    widths: Any,
    names: Any,
    name_levels: Any,
    letters: Any,
    out: Any,
    cap: int,
    about: Any,
) -> bool:
    """Write documents up to the cap, one at least, or up to one whose time comparing does not tell.

    Args:
        data: the chunk.
        begins: where each document's text begins.
        stops: where it ends.
        origins: where it begins with the NULs before its text.
        split: whether its line goes on behind it.
        line_of: its line.
        templates: of each line, negative for none; may be empty.
        offset: of the chunk in the file.
        form: see kernel_times.stamp().
        columns: a bit for each column at which the form stood.
        fixed: masks of the form's signs and of its digits.
        minute: the form's pattern, the minute's key, its tail, its text, the stamp that is carried on, ROW bytes each.
        text: the constants one after the other.
        bounds: where each of them begins.
        escapes: what JSON writes for a byte.
        widths: bytes of that, 0 for itself.
        names: a table of words that name levels.
        name_levels: the constant that each of them stands for.
        letters: the constant that each klog letter stands for.
        out: takes the body.
        cap: bytes of it, at most.
        about: the document to begin at, the bytes written so far, where the last stamp stands in them and its length,
            negative and that of the stamp carried on where none does, whether the first document's time is that one;
            all but the last are set to what holds at the end.

    Returns:
        Whether Python is asked for the time of the next document.
    """
    again: bool = _write(
        pointer(data), pointer(begins), pointer(stops), len(begins), pointer(origins), pointer(split), pointer(line_of),
        pointer(templates), len(templates) > 0, offset, pointer(form), columns, pointer(fixed), pointer(minute),
        pointer(text), pointer(bounds), pointer(escapes), pointer(widths), pointer(names), pointer(name_levels),
        pointer(letters), pointer(out), cap, pointer(about),
    )  # fmt: skip
    return again


@compiled
def _write(
    data: Any,
    begins: Any,
    stops: Any,
    count: int,
    origins: Any,
    split: Any,
    line_of: Any,
    templates: Any,
    numbered: bool,
    offset: int,
    form: Any,
    columns: Any,
    fixed: Any,
    minute: Any,
    text: Any,
    bounds: Any,
    escapes: Any,
    widths: Any,
    names: Any,
    name_levels: Any,
    letters: Any,
    out: Any,
    cap: int,
    about: Any,
) -> bool:
    first, o, last, length, told = about[0], about[1], about[2], about[3], about[4]
    for k in range(first, count):
        before, before_last, before_length = o, last, length
        begin, stop = begins[k], stops[k]
        at = offset + origins[k]
        o = constant(text, bounds, HEAD, out, o)
        o = hexadecimal(at, out, o)
        o = constant(text, bounds, STAMP, out, o)
        found = 0
        if k > first or not told:
            found = stamp(data, begin, stop, form, columns, fixed, minute, out, o)
        if found == ASK:
            about[0], about[1], about[2], about[3] = k, before, last, length
            return True
        if found:
            last = o
            length = found
        elif last < 0:
            copy(minute, CARRIED, out, o)
        else:
            copy(out, last, out, o)
        o += length
        o = constant(text, bounds, MESSAGE, out, o)
        o = message(data, begin, stop, out, o, escapes, widths)
        o = constant(text, bounds, OFFSET, out, o)
        o = decimal(at, out, o)
        level = level_of(data, begin, stop, names, name_levels)
        if level == -1:
            letter = _klog(data, begin, stop)
            level = letters[letter] if letter else -1
        if level >= 0:
            o = constant(text, bounds, level, out, o)
        if split[k] != 0:
            o = constant(text, bounds, SPLIT, out, o)
        if numbered and templates[line_of[k]] >= 0:
            o = constant(text, bounds, TEMPLATE, out, o)
            o = decimal(templates[line_of[k]], out, o)
        o = constant(text, bounds, END, out, o)
        if o > cap and k > 0:
            about[0], about[1], about[2], about[3] = k, before, before_last, before_length
            return False
        if o >= cap:
            about[0], about[1], about[2], about[3] = k + 1, o, last, length
            return False
    about[0], about[1], about[2], about[3] = count, o, last, length
    return False
