"""A template as it is shown: its text, and the values of places that have few."""

from collections import Counter
from dataclasses import dataclass, field

from logship.patterns.tokens import DELIMITERS
from logship.patterns.words import HOLE

MOST_VALUES = 8
"""Distinct values at a merged place up to which they are counted apart, so that a change of state shows."""
MOST_EXAMPLES = 3
_NO_BLANK_BEFORE = frozenset(",;:)]}>=")
_NO_BLANK_AFTER = frozenset("([{<=")


@dataclass(frozen=True, slots=True)
class Template:
    """One template.

    Attributes:
        id: its number; those of older ones are lower.
        text: the message with <*> for what varies.
        count: lines of it.
        examples: messages of it.
        merged: ids given earlier that it stands for now.
        fields: lines of each value at places where templates were merged, by the token's place, where they are few.
    """

    id: int
    text: str
    count: int
    examples: tuple[str, ...]
    merged: tuple[int, ...] = ()
    fields: dict[int, dict[str, int]] = field(default_factory=dict)


def template_of(
    number: int, tokens: list[tuple[str, ...]], counts: list[int], examples: list[str], merged: tuple[int, ...]
) -> Template:
    """The template that stands for several; the first one is its root."""
    root = tokens[0]
    alike = [(one, count) for one, count in zip(tokens, counts, strict=True) if len(one) == len(root)]
    values = [Counter[str]() for _ in root]
    for one, count in alike:
        for known, token in zip(values, one, strict=True):
            known[token] += count
    shown = [token if len(known) == 1 else HOLE for token, known in zip(root, values, strict=True)]
    fields = {
        place: dict(sorted(known.items()))
        for place, known in enumerate(values)
        if 1 < len(known) <= MOST_VALUES and HOLE not in known
    }
    return Template(number, rendered(shown), sum(counts), tuple(examples[:MOST_EXAMPLES]), merged, fields)


def rendered(tokens: list[str]) -> str:
    """Tokens as a line to be read."""
    text = ""
    before = ""
    for one in tokens:
        joined = one in _NO_BLANK_BEFORE or before in _NO_BLANK_AFTER or (one == "(" and before not in DELIMITERS)
        text += one if not text or joined else f" {one}"
        before = one
    return text
