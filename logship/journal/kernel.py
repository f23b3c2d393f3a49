"""Entries to rows and rows to documents, in machine code. Every array of bytes carries 64 bytes of slack."""

from typing import Any

import numpy as np

from logship.engine.kernel import _klog as klog
from logship.engine.kernel_text import constant, decimal, digits, hexadecimal, level_of, message
from logship.engine.vectors import copy, word
from logship.journal.rows import LATEST, LEFT_OUT, PLAIN, TEXT, TIME
from logship.patterns.compiled import compiled, inlined

DAMAGED = 4
"""A kind of field that makes its entry unreadable."""
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_FNV_START, _FNV = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_LONGEST_NAME = 64
_DAY = 86_400_000_000


@inlined
def number(value: Any) -> Any:
    """A signed number: a sum of one and an unsigned one would be a fraction."""
    return np.int64(value)


@inlined
def mixed(key: Any, value: Any) -> Any:
    """A key and one more number."""
    key = (key ^ np.uint64(value)) * _PRIME
    return key ^ (key >> _HALF)


@inlined
def find(keys: Any, key: Any) -> Any:
    """The cell of a key in a table, or, as -1 - cell, where it would go; 0 is no key."""
    mask = len(keys) - 1
    cell = number((key * _PRIME) >> _HALF) & mask
    while keys[cell] != 0:
        if keys[cell] == key:
            return cell
        cell = (cell + 1) & mask
    return -1 - cell


@compiled
def cell_for(keys: Any, key: Any) -> Any:
    """The cell of a key in a table that has room for it."""
    cell = find(keys, key)
    if cell < 0:
        cell = -1 - cell
        keys[cell] = key
    return cell


@compiled
def name_key(data: Any, begin: Any, end: Any) -> Any:
    """The key of the field name at the beginning of a payload; 0 where there is none. FNV-1a, 64 bits."""
    key = _FNV_START
    for i in range(begin, min(end, begin + _LONGEST_NAME + 1)):
        byte = data[i]
        if byte == 61:
            return key
        key = (key ^ np.uint64(byte)) * _FNV
    return np.uint64(0)


@inlined
def _time(data: Any, begin: Any, end: Any) -> Any:
    micros = 0
    if end - begin > 18:
        return 0
    for i in range(begin, end):
        digit = number(data[i]) - 48
        if not 0 <= digit <= 9:
            return 0
        micros = micros * 10 + digit
    return micros if micros < LATEST else 0


@compiled
def walk(
    data: Any,
    low: int,
    high: int,
    offsets: Any,
    head: int,
    width: int,
    keys: Any,
    kinds: Any,
    places: Any,
    lengths: Any,
    names: Any,
    name_kinds: Any,
    other: int,
    frame_keys: Any,
    frame_numbers: Any,
    longest: int,
    seqnums: Any,
    times: Any,
    begins: Any,
    sizes: Any,
    cut: Any,
    frames: Any,
    hashes: Any,
    misses: Any,
    about: Any,
) -> int:
    """Read entries up to the first that is not wholly in the window; how many.

    Args:
        data: the window of the file, then messages from elsewhere.
        low: offset of the window in the file.
        high: offset of its end.
        offsets: where the entries are.
        head: bytes before a data object's payload.
        width: bytes of an entry's item.
        keys: offsets of data objects that are known, a table.
        kinds: of these.
        places: where in ``data`` the message of one is, or the time that it names.
        lengths: of the messages.
        names: keys of field names, a table.
        name_kinds: of these.
        other: the kind of other fields.
        frame_keys: keys of frames, a table.
        frame_numbers: of these.
        longest: bytes of a message.
        seqnums: taken from each entry, as are those below.
        times: the time at the sender or that of the entry.
        begins: where in ``data`` the message begins.
        sizes: bytes of it.
        cut: whether there were more.
        frames: the frame, -2 broken, -3 not known yet.
        hashes: the frame's key.
        misses: takes the offsets of data objects that are asked for.
        about: takes how many these are, and how many entries wait for a frame.
    """
    missing = 0
    waiting = 0
    done = len(offsets)
    span = high - low
    for k in range(len(offsets)):
        at = offsets[k] - low
        if at < 0 or at + 64 > span:
            done = k
            break
        size = number(word(data, at + 8))
        if data[at] != 3 or size < 64 or size > 64 + 4096 * width:
            frames[k] = -2
            seqnums[k] = number(word(data, at + 16))
            continue
        if at + size > span:
            done = k
            break
        seqnums[k] = number(word(data, at + 16))
        time = number(word(data, at + 24))
        source = number(0)
        key = _FNV_START
        begin = number(-1)
        length = number(0)
        pending = False
        broken = False
        for p in range(at + 64, at + size, width):
            item = number(word(data, p) & _LOW) if width == 4 else number(word(data, p))
            if item <= 0:
                broken = True
                continue
            q = item - low
            kind = number(-1)
            place = number(0)
            held = number(0)
            if q >= 0 and q + head < span and data[q] == 1 and data[q + 1] & 7 == 0:
                total = number(word(data, q + 8))
                if head < total and q + total <= span:
                    named = name_key(data, q + head, q + total)
                    cell = find(names, named)
                    kind = number(name_kinds[cell]) if cell >= 0 else number(other)
                    if named == 0:
                        kind = number(LEFT_OUT)
                    if kind == TEXT:
                        place = q + head + 8
                        held = total - head - 8
                    elif kind == TIME:
                        place = _time(data, q + head + 27, q + total)
            if kind < 0:
                cell = find(keys, np.uint64(item))
                if cell < 0:
                    pending = True
                    if missing < len(misses):
                        misses[missing] = item
                        missing += 1
                    continue
                kind = number(kinds[cell])
                place = places[cell]
                held = lengths[cell]
            if kind == PLAIN:
                key = mixed(key, item)
            elif kind == TEXT:
                if begin < 0:
                    begin = place
                    length = held
                else:
                    key = mixed(key, item)
            elif kind == TIME:
                source = place
            elif kind == DAMAGED:
                broken = True
        if pending:
            frames[k] = -3
            continue
        times[k] = source if source > 0 else time
        begins[k] = max(begin, 0)
        sizes[k] = min(length, longest)
        cut[k] = length > longest
        if broken or not 0 < times[k] < LATEST:
            frames[k] = -2
            continue
        key = max(key, np.uint64(1))
        hashes[k] = key
        cell = find(frame_keys, key)
        if cell < 0:
            frames[k] = -3
            waiting += 1
        else:
            frames[k] = frame_numbers[cell]
    about[0] = missing
    about[1] = waiting
    return done


@compiled
def gather(data: Any, begins: Any, sizes: Any, order: Any, chunk: Any, starts: Any) -> int:
    """Messages one after the other, a line end behind each; the bytes."""
    o = 0
    for n in range(len(order)):
        starts[n] = o
        begin = begins[order[n]]
        size = sizes[order[n]]
        for i in range(0, size, 64):
            copy(data, begin + i, chunk, o + i)
        o += size
        chunk[o] = 10
        o += 1
    starts[len(order)] = o
    return o


@inlined
def _date(days: int, out: Any, o: int) -> Any:
    """Write the date of a day since 1970; one past it. http://howardhinnant.github.io/date_algorithms.html."""
    z = days + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    o = digits(yoe + era * 400 + (1 if month <= 2 else 0), 4, out, o)
    out[o] = 45
    o = digits(month, 2, out, o + 1)
    out[o] = 45
    return digits(doy - (153 * mp + 2) // 5 + 1, 2, out, o + 1)


@inlined
def _clock(micros: int, out: Any, o: int) -> Any:
    seconds = micros // 1_000_000
    out[o] = 84
    o = digits(seconds // 3600, 2, out, o + 1)
    out[o] = 58
    o = digits(seconds // 60 % 60, 2, out, o + 1)
    out[o] = 58
    o = digits(seconds % 60, 2, out, o + 1)
    out[o] = 46
    o = digits(micros % 1_000_000, 6, out, o + 1)
    out[o] = 90
    return o + 1


@compiled
def write(
    chunk: Any,
    begins: Any,
    stops: Any,
    seqnums: Any,
    times: Any,
    frames: Any,
    cut: Any,
    templates: Any,
    text: Any,
    bounds: Any,
    frame_text: Any,
    frame_bounds: Any,
    frame_levels: Any,
    spoken: Any,
    escapes: Any,
    widths: Any,
    names: Any,
    name_levels: Any,
    letters: Any,
    out: Any,
    cap: int,
    about: Any,
) -> int:
    """Write documents up to the cap, one at least; how many.

    Args:
        chunk: holds the messages.
        begins: where each begins.
        stops: where it ends.
        seqnums: of the entries.
        times: of these, microseconds since 1970.
        frames: their frames' numbers.
        cut: whether a message was longer.
        templates: of each, negative for none.
        text: constants one after the other: before the id, before the stamp, before the message, the flag of what
            was cut, before the template, before the offset, then the levels.
        bounds: where each of them begins.
        frame_text: the frames one after the other.
        frame_bounds: where each half of them begins.
        frame_levels: number of each one's level, or -1.
        spoken: whether a level in the text counts more.
        escapes: what JSON writes for a byte.
        widths: bytes of that, 0 for itself.
        names: a table of words that name levels.
        name_levels: the number of the level that each of them names.
        letters: the number of the level that each klog letter stands for.
        out: takes the body.
        cap: bytes of it, at most.
        about: takes the bytes written.
    """
    o = 0
    for k in range(len(begins)):
        before = o
        frame = frames[k]
        o = constant(text, bounds, 0, out, o)
        o = hexadecimal(seqnums[k], out, o)
        o = constant(text, bounds, 1, out, o)
        o = _date(times[k] // _DAY, out, o)
        o = _clock(times[k] % _DAY, out, o)
        o = constant(text, bounds, 2, out, o)
        o = message(chunk, begins[k], stops[k], out, o, escapes, widths)
        o = constant(frame_text, frame_bounds, 2 * frame, out, o)
        level = frame_levels[frame]
        if spoken[frame]:
            named = level_of(chunk, begins[k], stops[k], names, name_levels)
            if named == -1:
                letter = klog(chunk, begins[k], stops[k])
                if letter:
                    named = letters[letter]
            if named >= 0:
                level = named
        if level >= 0:
            o = constant(text, bounds, 6 + level, out, o)
        if cut[k]:
            o = constant(text, bounds, 3, out, o)
        if templates[k] >= 0:
            o = constant(text, bounds, 4, out, o)
            o = decimal(templates[k], out, o)
            out[o] = 44
            o += 1
        o = constant(text, bounds, 5, out, o)
        o = decimal(seqnums[k], out, o)
        o = constant(frame_text, frame_bounds, 2 * frame + 1, out, o)
        if o > cap and k > 0:
            about[0] = before
            return k
        if o >= cap:
            about[0] = o
            return k + 1
    about[0] = o
    return len(begins)
