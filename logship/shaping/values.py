"""The texts of a value, as deep as they may stand in it: JSON, JSON within a text, Python's objects.

Whatever is not well formed is read so that rather too much is a text than too little.
"""

import re
from functools import lru_cache

_DEEPEST = 63
"""Backslashes before a quote beyond which depths are not told apart: objects in texts in texts."""
_TOKEN = re.compile(
    rb"(?<!\\)\\*+[\"']?(?<!\w)(?:type|role)\\*+[\"']?\s*[:=]\s*\\*+[\"'][\w.-]{0,40}+\\*+[\"']"
    rb"|(?<!\\)(?P<depth>\\*+)(?P<quote>[\"'])"
    rb"|(?P<open>[\[{(])"
    rb"|(?P<close>[\]})])"
    rb"|(?<=\[)(?P<numbers>[\d\s.,-]*\d)"
)
_KEY = re.compile(rb"\\*+[\"']?\s*:")


def texts_of(line: bytes, begin: int) -> tuple[list[tuple[int, int]], int]:
    """Where the texts of a value are, numbers in lists too, and where it ends; names of fields are none.

    Args:
        line: what holds it.
        begin: where the value does: at a quote, with backslashes before it, or at a bracket.
    """
    spans: list[tuple[int, int]] = []
    nested, at = 0, begin
    while found := _TOKEN.search(line, at):
        at = found.end()
        if found["open"]:
            nested += 1
        elif found["close"]:
            nested -= 1
        elif found["numbers"]:
            spans.append(found.span("numbers"))
        elif found["quote"]:
            depth = min(len(found["depth"]), _DEEPEST)
            end = _body(depth, found["quote"]).match(line, at).end()  # type: ignore[union-attr]
            if not (nested and _KEY.match(line, end)):
                spans.append((at, end))
            if end == len(line):
                break
            at = line.index(found["quote"], end) + 1
        if nested <= 0 and not (found["open"] or found["numbers"]):
            return spans, at
    return spans, len(line)


@lru_cache(maxsize=256)
def _body(depth: int, quote: bytes) -> re.Pattern[bytes]:
    r"""A text up to its closing quote, before which as many backslashes stand as before the opening one.

    A text within it has 2 * depth + 1 before its quotes: ``"``, ``\"``, ``\\\"``; a backslash at its end is written as
    2 * (depth + 1). A quote with a letter behind it closes nothing: writers that escape none leave ``'it's'``.
    """
    step = 2 * (depth + 1)
    return re.compile(
        rb"(?:[^\\%(q)s]++|\\++(?!%(q)s)|(?:\\{%(step)d})*+\\{%(inner)d}%(q)s|\\*+%(q)s(?=\w))*+"
        % {b"q": quote, b"step": step, b"inner": step - 1}
    )
