"""Sentences with blanks, as on-call reads them."""

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_]+)(?:\.([a-zA-Z_][a-zA-Z0-9_]*))?\}|[{}]")


def placeholders(template: str) -> set[str]:
    """Names that a template asks for, without the dotted part.

    Raises:
        ValueError: a brace stands alone, or the dotted part is used with anything but ``labels``.
    """
    names = set()
    for match in _PLACEHOLDER.finditer(template):
        if match[0] in {"{", "}"}:
            raise ValueError(
                f"{template!r} has a lone {match[0]!r}; placeholders look like {{value}}, a brace is doubled"
            )
        if match[1] is None:
            continue
        if (match[2] is not None) != (match[1] == "labels"):
            raise ValueError(f"{match[0]} is no placeholder; a label is written like {{labels.gpu}}")
        names.add(match[1])
    return names


def fill(template: str, facts: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """The sentence; a label that the series does not have is empty. Nothing in the text is evaluated."""

    def word(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        return labels.get(match[2], "") if match[2] is not None else facts.get(match[1], "")

    return _PLACEHOLDER.sub(word, template)
