"""Secrets and prompts masked where they stand, byte by byte, before a line is looked at any further."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.patterns.compiled import AVAILABLE
from logship.shaping.keys import KEY_BEGIN, KEY_END, KEY_TRIGGER, OUTSIDE, Around, Inside, body_of, goes_on
from logship.shaping.masked import Masked
from logship.shaping.quoted import Quoted
from logship.shaping.rule import Rule
from logship.shaping.rules import PRIVATE_KEY, rules_of
from logship.shaping.settings import RedactSettings
from logship.shaping.sieve import Sieve
from logship.shaping.triggers import Trigger
from logship.shaping.values import find_texts, readable, room_for

_NEWLINE = ord("\n")
LOOK_BACK = 16 * 1024
"""Bytes of a private key in PEM, at most, as far as it matters where reading begins."""
_NEAR, _FURTHER = 512, 16
"""Bytes in which the ends of a line are looked for first, and how many times as many next."""
_NOTHING = np.zeros((0, 3), np.int64)
_Line = tuple[int, int]


class Redactor:
    """Masks the lines of all sources; for one thread at a time.

    Args:
        settings: what is masked.
        fast: whether to use compiled code.

    Attributes:
        counts: how often each rule masked something in lines that were passed on.
    """

    def __init__(self, settings: RedactSettings, *, fast: bool = AVAILABLE) -> None:
        rules = rules_of(settings)
        self.counts: Counter[str] = Counter()
        self._set = cache(lambda prompts: _Set(rules, settings, prompts=prompts, fast=fast))
        self._enabled = settings.enabled
        self._masked = Masked()
        self._keys: list[tuple[int, int, Around]] = []
        self._data, self._prompts = np.empty(0, np.uint8), False
        self._quoted, self._quoted_name = Quoted(), ""

    def redact(self, data: Bytes, size: int, *, inside: Inside = OUTSIDE, prompts: bool = False) -> None:
        """Mask what is found in whole lines, in place.

        Args:
            data: the lines, 64 bytes of slack behind them.
            size: their bytes.
            inside: what they begin inside of.
            prompts: whether they are a log of requests, in which prompts stand.
        """
        self._keys = []
        self._data, self._prompts = data, prompts
        self._masked.clear()
        self._quoted.clear()
        if not self._enabled:
            return
        if inside.line:
            self._mask(data, 0, _line(data, size, 0)[1])
        rules = self._set(prompts)
        due = self._due(rules, data, size)
        keys = [line for line, numbers in due if numbers[0] < 0]
        if keys or inside.key is not None:
            self._mask_keys(data, data[:size].tobytes(), keys, inside.key)
        for (begin, end), numbers in due:
            for number in numbers:
                if number >= 0:
                    self._apply(rules.rules[number], data, begin, end)
        if rules.everywhere:
            lines = list(_lines(data[:size].tobytes()))
            for number in rules.everywhere:
                for begin, end in lines:
                    self._apply(rules.rules[number], data, begin, end)

    def passed(self, size: int) -> Inside:
        """Count what was masked in the first bytes of the chunk; what follows them is inside of what is returned."""
        self.counts.update(self._masked.counted(size))
        quoted = self._quoted.before(size)
        if quoted:
            self.counts[self._quoted_name] += quoted
        if not (self._enabled and size):
            return OUTSIDE
        if self._data[size - 1] != _NEWLINE:  # a part of a line that is too long for one document
            open_ = self._prompts or self._masked.holds(size) or self._quoted.holds(size)
            return Inside(line=True) if open_ else OUTSIDE
        return next((Inside(around) for first, last, around in self._keys if first <= size <= last), OUTSIDE)

    def restore(self, data: Bytes) -> None:
        """Put back what was masked in the chunk: what is known of a file is told by its own bytes."""
        self._masked.put_back(data)
        self._quoted.put_back(data)

    def marks(self) -> list[tuple[int, str]]:
        """What was masked in the chunk: places, and the rules' names."""
        return sorted(self._masked.marks() + [(place, self._quoted_name) for place in self._quoted.begins.tolist()])

    def _due(self, rules: "_Set", data: Bytes, size: int) -> list[tuple[_Line, list[int]]]:
        """Lines in order, each with the numbers of the rules that are to be applied to it."""
        found = self._hits(rules, data, size)
        begins, triggers = found[:, 0].tolist(), found[:, 2].tolist()
        due: list[tuple[_Line, list[int]]] = []
        at = 0
        while at < len(begins):
            line = _line(data, size, begins[at])
            behind = bisect_left(begins, line[1], at)
            numbers = {number for trigger in set(triggers[at:behind]) for number in rules.of_trigger[trigger]}
            due.append((line, sorted(numbers)))
            at = behind
        return due

    def _hits(self, rules: "_Set", data: Bytes, size: int) -> Int64:
        """Begins, ends and triggers of what may have to be masked; quoted texts are masked at once."""
        if rules.sieve is None:
            return _NOTHING
        found = rules.sieve.find(data, size)
        if len(found) and rules.quoted >= 0 and not rules.everywhere:
            self._quoted_name = rules.quoted_name
            found = self._quoted.mask(data, size, found, rules.quoted)
        return found

    def _apply(self, rule: Rule, data: Bytes, begin: int, end: int) -> None:
        spans = _spans(rule, data[begin:end].tobytes())
        if len(spans):
            self._masked.cover(data, spans + begin, rule.name)

    def _mask(self, data: Bytes, begin: int, end: int) -> None:
        self._masked.cover(data, np.array([(begin, end)], np.int64))

    def _mask_keys(self, data: Bytes, chunk: bytes, lines: list[_Line], inside: Around | None) -> None:
        if inside is not None:
            self._mask_key(data, chunk, 0, inside)
        for begin, end in lines:
            self._begin_key(data, chunk, begin, end)

    def _begin_key(self, data: Bytes, chunk: bytes, begin: int, end: int) -> None:
        at = begin
        while found := KEY_BEGIN.search(chunk, at, end):
            self._masked.note(found.end(), PRIVATE_KEY)
            closed = KEY_END.search(chunk, found.end(), end)
            at = closed.end() if closed else end
            if closed or chunk[found.end() : end].strip():
                self._mask(data, found.end(), closed.start() if closed else end)
            if closed is None:
                around = goes_on(chunk[begin:end], found.start() - begin, found.end() - begin)
                if around is not None:
                    self._mask_key(data, chunk, end + 1, around)

    def _mask_key(self, data: Bytes, chunk: bytes, begin: int, around: Around) -> None:
        """Mask the lines of a key up to its end or to one that is not a key's."""
        at = begin
        while at < len(chunk):
            end = chunk.find(b"\n", at)
            end = len(chunk) if end < 0 else end
            found = body_of(chunk[at:end], around)
            if found is None:
                break
            self._mask(data, at + found[0], at + found[1])
            if found[2] != around:
                self._keys.append((begin, at, around))
                begin, around = end + 1, found[2]
            at = end + 1
        self._keys.append((begin, min(at, len(chunk)), around))


class _Set:
    """The rules for one kind of source, and what finds them."""

    def __init__(self, rules: list[Rule], settings: RedactSettings, *, prompts: bool, fast: bool) -> None:
        self.rules = [rule for rule in rules if prompts or not rule.prompts]
        self.everywhere = [number for number, rule in enumerate(self.rules) if not rule.triggers]
        owners: dict[object, list[int]] = {}
        for number, rule in enumerate(self.rules):
            for trigger in rule.triggers:
                owners.setdefault(trigger, []).append(number)
        if PRIVATE_KEY not in settings.off:
            owners[KEY_TRIGGER] = [-1]
        self.of_trigger = list(owners.values())
        self.quoted, self.quoted_name = -1, ""
        for number, (one, numbers) in enumerate(owners.items()):
            rule = self.rules[numbers[0]]
            if len(numbers) == 1 and numbers[0] >= 0 and isinstance(one, Trigger) and one.text == rule.quoted:
                self.quoted, self.quoted_name = number, rule.name
        self.sieve = Sieve(list(owners), fast=fast) if owners else None  # type: ignore[arg-type]


def _line(data: Bytes, size: int, place: int) -> tuple[int, int]:
    """Begin and end of the line about a place."""
    near, first, last = _NEAR, place, place
    before = after = -1
    while before < 0 < first:
        first = max(0, place - near)
        before = data[first:place].tobytes().rfind(b"\n")
        near *= _FURTHER
    near = _NEAR
    while after < 0 and last < size:
        last = min(size, place + near)
        after = data[place:last].tobytes().find(b"\n")
        near *= _FURTHER
    return first + before + 1, place + after if after >= 0 else size


def _lines(chunk: bytes) -> Iterator[tuple[int, int]]:
    begin = 0
    for line in chunk.split(b"\n"):
        yield begin, begin + len(line)
        begin += len(line) + 1


def _spans(rule: Rule, text: bytes) -> Int64:
    """What a rule masks in a line."""
    if rule.deep:
        return _deep(rule.pattern, text)
    found = [span for found in rule.pattern.finditer(text) for span in _groups(found, rule.group)]
    return np.array(found, np.int64) if found else _NOTHING


def _deep(pattern: re.Pattern[bytes], text: bytes) -> Int64:
    found = pattern.search(text)
    if found is None:
        return _NOTHING
    line, spans, count = readable(text), room_for(text), 0
    while found:
        count, at = find_texts(line, found.end(), len(text), spans, count)
        found = pattern.search(text, at)
    return spans[:count]


def _groups(found: re.Match[bytes], group: int | None) -> list[tuple[int, int]]:
    if group is not None:
        return [found.span(group)] if found.start(group) >= 0 else []
    spans = [found.span(n) for n in range(1, found.re.groups + 1) if found.start(n) >= 0]
    return spans or [found.span()]


def begins_inside(before: bytes) -> Inside:
    """What lines begin inside of.

    Args:
        before: up to LOOK_BACK bytes before them.
    """
    if before and not before.endswith(b"\n"):
        return Inside(line=True)  # of what stands further before nothing is known
    begun = next(reversed(list(KEY_BEGIN.finditer(before))), None)
    if begun is None:
        return OUTSIDE
    begin = before.rfind(b"\n", 0, begun.start()) + 1
    first, *lines = before[begin:].removesuffix(b"\n").split(b"\n")
    if KEY_END.search(first, begun.end() - begin):
        return OUTSIDE
    around = goes_on(first, begun.start() - begin, begun.end() - begin)
    for line in lines:
        found = body_of(line, around) if around is not None else None
        if found is None:
            return OUTSIDE
        around = found[2]
    return Inside(around)
