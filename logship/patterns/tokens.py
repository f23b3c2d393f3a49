"""A message as the tokens that its template is made of.

Values become holes, and what differs only in how many values there are becomes equal: ``1 2 3`` is ``1``, ``()`` is
``(1)``, ``rhost=`` is ``rhost=1``, a repeated group counts once.
"""

import re

from logship.patterns.words import HOLE, is_numbered, is_variable

DELIMITERS = "=,;:()[]{}<>\"'|"
MOST_TOKENS = 160
"""Tokens of a message that are looked at; what follows is one hole."""

LONGEST_GROUP = 6
"""Tokens of a group that counts once where it is repeated."""

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_TIME = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
_UNIT = (
    r"[KMGTP]i?[Bb](?:ytes?|ps|it)?|[Bb]ytes?|[KMG]?Hz|[num]?s|secs?|seconds?|mins?|minutes?|hours?|days?|"
    r"msecs?|usecs?|B|%|[Kk]bps|Mbps|Gbps|pages?|C|F|V|W"
)
_URL = r"""(?P<url>[A-Za-z][A-Za-z0-9+.]*://[^\s"'<>(){},;\]]*)"""
_NUMBERED = rf"""
      (?P<date>(?<!\w)(?:{_DAY},?\ +)?(?:{_MONTH}\ +\d{{1,2}}(?:,?\ +\d{{4}})?|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}})
        (?:,?\ +{_TIME})?(?:\ +[A-Z]{{3,4}})?(?:\ +\d{{4}})?(?!\w))
    | (?P<endpoint>\A[\w.-]+:\d{{2,5}}(?=\s)|(?<![\w.-])[a-z0-9_-]+(?:\.[a-z0-9_-]+)+:\d+(?![\w.])
        |(?<==)[\w.$/-]+:[\w.:/-]*\d[\w.:/-]*)
    | (?P<measure>(?<![\w.:/-])[<>~]?[+-]?\d+(?:[.,]\d+)*\ ?(?:{_UNIT})(?![\w/:=-]))
"""
_REST = r"""
      "(?P<double>[^"]*)"
    | (?<!\w)'(?P<single>[^']*)'(?!\w)
    | (?P<delimiter>[=,;:()\[\]{}<>"'|])
    | (?P<word>[^\s=,;:()\[\]{}<>"'|]+)
"""
_PIECES = {
    (url, numbered): re.compile("|".join([_URL] * url + [_NUMBERED] * numbered + [_REST]), re.VERBOSE)
    for url in (False, True)
    for numbered in (False, True)
}
"""What a message is split into, by whether it holds URLs and digits: without these, most kinds cannot stand there."""
_DIGIT = re.compile(r"\d")
_CLOSE = {"(": ")", "[": "]", "{": "}", "<": ">"}
_NOTHING = frozenset({"null", "None", "nil", "none", "NULL"})
_LISTED = frozenset(",;:")
_ENDS = frozenset(",;)]}>|")


def tokens_of(message: str) -> tuple[str, ...]:
    """The tokens of a message, values as holes."""
    return tuple(_once(_joined(_filled(_split(message)))))


def _split(message: str) -> list[str]:
    found: list[str] = []
    pieces = _PIECES["://" in message, _DIGIT.search(message) is not None]
    for piece in pieces.finditer(message):
        kind, text = piece.lastgroup, piece.group()
        if kind in {"url", "date", "endpoint", "measure"}:
            found.append(HOLE)
        elif kind in {"double", "single"}:
            inner = piece.group(kind)
            found.append(_phrase(inner, text[0]))
        elif kind == "word":
            found.append(HOLE if is_variable(text) else text)
        else:
            found.append(text)
        if len(found) >= MOST_TOKENS:
            found.append(HOLE)
            break
    return found


def _phrase(inner: str, quote: str) -> str:
    words = [HOLE if is_variable(word) or "://" in word else word for word in inner.split()]
    kept = [word for i, word in enumerate(words) if word != HOLE or i == 0 or words[i - 1] != HOLE]
    return HOLE if kept in ([], [HOLE]) else quote + " ".join(kept) + quote


def _filled(tokens: list[str]) -> list[str]:
    """An empty value is a value: in brackets, and behind an equals sign."""
    found: list[str] = []
    last = len(tokens) - 1
    for i, piece in enumerate(tokens):
        found.append(HOLE if piece in _NOTHING and i and tokens[i - 1] == "=" else piece)
        after = tokens[i + 1] if i < last else ""
        if piece == "=":
            if not after or after in _ENDS or (i + 2 <= last and tokens[i + 2] == "="):
                found.append(HOLE)
        elif piece in _CLOSE and after == _CLOSE[piece]:
            found.append(HOLE)
    return found


def _joined(tokens: list[str]) -> list[str]:
    """``V V``, ``V, V`` and ``V:V`` are V; ``word(V)`` is a word."""
    found: list[str] = []
    for piece in tokens:
        if found and is_numbered(piece) and (found[-1] == HOLE or is_numbered(found[-1])):
            found.pop()
            found.append(HOLE)  # a list of devices
            continue
        if piece == HOLE and found:
            if found[-1] == HOLE:
                continue
            if len(found) > 1 and found[-1] in _LISTED and found[-2] == HOLE:
                found.pop()
                continue
        if piece in ")}" and len(found) > 2 and found[-1] == HOLE and _CLOSE.get(found[-2]) == piece:
            before = found[-3]
            if before == HOLE and piece == ")":
                del found[-2:]
                continue
            if before[-1:].isalnum():
                found[-3:] = [f"{before}{found[-2]}{HOLE}{piece}"]
                continue
        found.append(piece)
    return found


def _once(tokens: list[str]) -> list[str]:
    """A group in brackets or a pair that is repeated at once counts once."""
    if HOLE not in tokens:
        return tokens
    found: list[str] = []
    for piece in tokens:
        size = len(found)
        found.append(piece)
        if piece not in found[max(0, size - LONGEST_GROUP) : size]:
            continue
        for width in range(1, min(LONGEST_GROUP, (size + 1) // 2) + 1):
            if found[size - width] == piece and found[-width:] == found[-2 * width : -width] and HOLE in found[-width:]:
                del found[-width:]
                break
    return found
