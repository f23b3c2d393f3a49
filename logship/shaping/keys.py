"""Private keys in PEM, over lines: indented, quoted, or with something before and behind every line, as loggers put it.

RFC 1421, RFC 7468, RFC 4880.
"""

import re
from itertools import islice
from typing import NamedTuple

from logship.shaping.triggers import Trigger

KEY_TRIGGER = Trigger(b"-----begin ")
KEY_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
KEY_END = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY")
_LIMITS = (b"-----BEGIN ", b"-----END ")
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_BODY = re.compile(rb"[ \t]*+((?:Proc-Type|DEK-Info|Version|Comment|Hash): [^\n]*[^\s]|[A-Za-z0-9+/=]*+)")
_CLOSING = re.compile(rb"(?:\\[nr]|[\"',;+\\\s])*+\Z")
"""What may close a line wherever a key is quoted."""
_LONG = re.compile(rb"(?<![A-Za-z0-9+/=])([A-Za-z0-9+/=]{40,}+)(?:\\[nr]|[\"',;+\\\s])*+\Z")
"""A line's end that hardly anything but a key has, whatever stands before it."""
_MATERIAL = re.compile(rb"[A-Za-z0-9+/=]{40}")
_PART = re.compile(rb"\d+|[ \t]+|[A-Za-z\x80-\xff]+|.", re.DOTALL)
_MOST = 256
"""Parts before or behind a key that may stand about its other lines, too."""


class Around(NamedTuple):
    """What stands around the lines of a key, in parts: words, signs, ``0`` for any number, a blank for any blanks.

    Attributes:
        before: what they begin with, or with some of it.
        after: what they end with; nothing where the key itself does.
    """

    before: tuple[bytes, ...] = ()
    after: tuple[bytes, ...] = ()


class Inside(NamedTuple):
    """What lines begin inside of.

    Attributes:
        key: what stands around the lines of a private key; None outside of one.
        line: whether it is a line of which nothing that follows may be shown.
    """

    key: Around | None = None
    line: bool = False


OUTSIDE = Inside()


def goes_on(line: bytes, first: int, last: int) -> Around | None:
    """What stands around the lines of a key that begins in a line; None where it does not go on in the next one.

    Args:
        line: the line.
        first: where the key's own first line begins.
        last: where that ends.
    """
    if _CLOSING.match(line, last):
        return Around(_parts(line[:first]))
    if _MATERIAL.search(line, last):  # all of the key may stand in it
        return None
    after = _parts(line[last:])
    return Around(_parts(line[:first]), after) if after else None


def body_of(line: bytes, around: Around) -> tuple[int, int, Around] | None:
    """Where a line has its part of a key, and what stands around the next ones; None where it has none.

    Args:
        line: the line, without its end.
        around: what stands around it.
    """
    if any(limit in line for limit in _LIMITS):
        return None
    found = _BODY.match(line, _agreed(line, around.before))
    if found and (_CLOSING.match(line, found.end()) or _ends_like(line[found.end() :], around.after)):
        return (*found.span(1), around)
    found = _LONG.search(line)
    if found:
        return (*found.span(1), Around(_parts(line[: found.start()]), around.after))
    return None


def _agreed(line: bytes, parts: tuple[bytes, ...]) -> int:
    """How far a line begins like some parts; what may be a key's is not taken unless all of them are there."""
    at = 0
    for part in parts:
        found = _PART.match(line, at)
        if found is None or _look(found[0]) != part:
            break
        at = found.end()
    else:
        return at
    while at and line[at - 1] in _LETTERS:
        at -= 1
    return at


def _ends_like(rest: bytes, after: tuple[bytes, ...]) -> bool:
    return bool(after) and _parts(rest) == after


def _parts(text: bytes) -> tuple[bytes, ...]:
    """What a text looks like; nothing where it is very long."""
    found = tuple(_look(part[0]) for part in islice(_PART.finditer(text.rstrip(b" \t\r")), _MOST + 1))
    return found if len(found) <= _MOST else ()


def _look(part: bytes) -> bytes:
    if part.isdigit():
        return b"0"
    return b" " if part.isspace() else part
