"""Numbers, times and sentences as on-call reads them."""

import re
from collections.abc import Callable, Mapping

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_]+)(?:\.([a-zA-Z_][a-zA-Z0-9_]*))?\}|[{}]")
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> str:
    """At most two neighbouring units: ``2 d 4 h``, ``5 min``, ``0.25 s``."""
    if abs(seconds) < 10 and seconds != round(seconds):
        return f"{seconds:.3g} s"
    left = round(abs(seconds))
    first = next((rank for rank, (size, _) in enumerate(_STEPS) if left >= size), len(_STEPS) - 1)
    words: list[str] = []
    for size, unit in _STEPS[first : first + 2]:
        count, left = divmod(left, size)
        if count or not words:
            words.append(f"{count} {unit}")
    return ("-" if seconds < 0 else "") + " ".join(words)


def _bytes(value: float) -> str:
    size, unit = value, _BINARY[0]
    for unit in _BINARY:
        if abs(size) < 1024 or unit == _BINARY[-1]:
            break
        size /= 1024
    return f"{size:.4g} {unit}"


_QUANTITIES: dict[str, Callable[[float], str]] = {
    "bytes": _bytes,
    "ratio": lambda value: f"{value * 100:.3g} %",
    "seconds": duration,
    "celsius": lambda value: f"{value:.4g} °C",
    "watts": lambda value: f"{value:.4g} W",
    "hertz": lambda value: f"{value:.4g} Hz",
}


def quantity(value: float, unit: str) -> str:
    """A value in its base unit, with the prefix that reads best."""
    word = _QUANTITIES.get(unit)
    return word(value) if word is not None else f"{value:.6g}"


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
