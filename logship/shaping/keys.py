"""Private keys in PEM, over lines: indented, or with the same before every line, as loggers put it there.

RFC 1421, RFC 7468, RFC 4880.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from logship.shaping.triggers import Trigger

KEY_TRIGGER = Trigger(b"-----begin ")
KEY_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
KEY_END = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY")
_LINE = rb"([A-Za-z0-9+/=]{1,128}|(?:Proc-Type|DEK-Info|Version|Comment|Hash): [^\n]{0,127}[^\s]|)[ \t]*+\r?"
_LONGEST = 256
"""Bytes before a key that may stand before its other lines, too."""
_VARIES = re.compile(rb"\d+|[ \t]+")


class Inside(NamedTuple):
    """What lines begin inside of.

    Attributes:
        key: what stands before the lines of a private key; None outside of one.
        line: whether it is a line of which nothing that follows may be shown.
    """

    key: bytes | None = None
    line: bool = False


OUTSIDE = Inside()


def before_of(text: bytes, begin: int, key: int) -> bytes:
    """What stands before a key and may stand before its other lines, whatever its numbers.

    Args:
        text: what holds the key.
        begin: where its line begins.
        key: where it begins.
    """
    return _VARIES.sub(_same, text[begin:key]) if key - begin <= _LONGEST else b""


@lru_cache(maxsize=64)
def line_of(before: bytes) -> re.Pattern[bytes]:
    """What a line of a key looks like; its group is to be masked.

    Args:
        before: what stands before the key, as ``before_of`` says it.
    """
    words = {b"0": rb"\d+", b" ": rb"[ \t]+"}
    parts = (words.get(part) or re.escape(part) for part in re.split(rb"([0 ])", before.rstrip(b" ")))
    return re.compile(rb"(?:%s[ \t]*+|[ \t]*+)%s" % (b"".join(parts), _LINE))


def _same(found: re.Match[bytes]) -> bytes:
    return b"0" if found[0][:1].isdigit() else b" "
