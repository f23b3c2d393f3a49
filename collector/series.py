"""Series: their identity, their samples, and matchers that pick them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Labels = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PAIR = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
_UNESCAPE = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """Label pairs in their one order: sorted by name; empty values mean no label."""
    return tuple(sorted((name, value) for name, value in pairs.items() if value != ""))


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """A series' identity: metric name and labels, the labels sorted by name."""

    name: str
    labels: Labels = ()

    @classmethod
    def of(cls, name: str, **labels: str) -> "SeriesKey":
        """A key from keyword labels."""
        return cls(name, labels_of(labels))

    @classmethod
    def parse(cls, text: str) -> "SeriesKey":
        """The key that ``name`` or ``name{label="value",...}`` names.

        Raises:
            ValueError: the text is of neither form.
        """
        name, matchers = _split(text)
        if name is None or any(matcher.operator != "=" for matcher in matchers):
            raise ValueError(f"{text!r} is no series name")
        return cls(name, labels_of({matcher.label: matcher.value for matcher in matchers}))

    def label(self, name: str) -> str:
        """A label's value, empty where the series does not have it."""
        return next((value for key, value in self.labels if key == name), "")

    def with_labels(self, extra: Labels) -> "SeriesKey":
        """The same series with more labels (which win over its own)."""
        return SeriesKey(self.name, labels_of({**dict(self.labels), **dict(extra)}))

    def __str__(self) -> str:
        if not self.labels:
            return self.name
        return f"{self.name}{{{','.join(f'{name}={quoted(value)}' for name, value in self.labels)}}}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series; ``counter`` marks values that only grow between resets."""

    key: SeriesKey
    value: float
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one round found: its time in milliseconds, shared by all of its samples."""

    time_ms: int
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Matcher:
    """One condition on a label, or on the name (``__name__``). Expressions are anchored, as in Prometheus."""

    label: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.value)

    def matches(self, key: SeriesKey) -> bool:
        """Whether the series fulfils the condition."""
        value = key.name if self.label == "__name__" else key.label(self.label)
        found = self._expression.fullmatch(value) is not None if "~" in self.operator else value == self.value
        return found != self.operator.startswith("!")


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """Matchers of a Prometheus instant selector: ``name``, ``{label="v"}`` or ``name{label=~"v.*",...}``.

    Raises:
        ValueError: the text is no selector.
    """
    name, matchers = _split(text)
    return (*((Matcher("__name__", "=", name),) if name is not None else ()), *matchers)


def select(keys: Iterable[SeriesKey], matchers: Sequence[Matcher]) -> list[SeriesKey]:
    """The keys that fulfil all conditions."""
    return [key for key in keys if all(matcher.matches(key) for matcher in matchers)]


def _split(text: str) -> tuple[str | None, list[Matcher]]:
    text = text.strip()
    start = _NAME.match(text)
    name, rest = (start[0], text[start.end() :].strip()) if start else (None, text)
    if not rest and name is not None:
        return name, []
    if not (rest.startswith("{") and rest.endswith("}")):
        raise ValueError(f'{text!r} is no series; write it like name{{label="value"}}')
    matchers, body = [], rest[1:-1].strip()
    while body:
        pair = _PAIR.match(body)
        if pair is None:
            raise ValueError(f'{text!r} is no series; labels are written like label="value"')
        value = re.sub(r"\\[n\"\\]", lambda found: _UNESCAPE[found[0]], pair[3])
        matchers.append(_matcher(pair[1], pair[2], value))
        body = body[pair.end() :]
    if name is None and not matchers:
        raise ValueError("an empty selector would match everything")
    return name, matchers


def _matcher(label: str, operator: str, value: str) -> Matcher:
    if "~" in operator:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return Matcher(label, operator, value)  # type: ignore[arg-type]  # the pattern above lets only these four through


def quoted(value: str) -> str:
    """A label's value in double quotes, as Prometheus writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
