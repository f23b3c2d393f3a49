"""Which templates are one: buckets of templates that are equal but for some places, and a union-find over them.

Templates are one when, at every place where they differ, the distinct values weigh enough together. The oldest
template of a group stays its root, so an id once given is never split.
"""

from collections.abc import Iterator
from functools import lru_cache

from logship.patterns.words import HOLE, is_failure, is_name, is_numbered, weight_of

LIMIT = 4.0
"""Weight of the distinct values at one place that makes it a variable."""
FIRST_FACTOR = 4.0
"""The first word says what a line is about, so it takes more to blank it."""
PAIR_FACTOR = 2.0
"""Two places at once take more at each."""
USER_FACTOR = 1.5
"""What follows the word ``user`` is a name."""
LEAST_LEFT = 1
"""Constant words that a template keeps."""
MOST_HOLES = 48
MOST_PAIRED = 8

Tokens = tuple[str, ...]
Places = tuple[int, ...]

_BITS = (1 << 64) - 1
_MARKS = [pow(0x9E3779B97F4A7C15, i + 1, 1 << 64) for i in range(512)]
_BLANK = 0x2545F4914F6CDD1D
_BLANKS = [_BLANK * mark & _BITS for mark in _MARKS]
_PUNCTUATION = frozenset("=,;:()[]{}<>\"'|-.*")

weight = lru_cache(maxsize=65_536)(weight_of)
named = lru_cache(maxsize=65_536)(is_name)


class Bucket:
    """Templates that are equal but for the same places.

    Attributes:
        members: one slot of each group in it.
        values: for each place, the weight of each distinct value there, until they weigh enough.
    """

    __slots__ = ("members", "values")

    def __init__(self, places: int) -> None:
        self.members: list[int] = []
        self.values: list[dict[str, float]] = [{} for _ in range(places)]

    def take(self, slot: int, values: list[str], weights: list[float], limits: list[float]) -> bool:
        """Take a template in; whether all in here are one."""
        enough = True
        for known, value, weighs, limit in zip(self.values, values, weights, limits, strict=True):
            total = sum(known.values())
            if value not in known and total < limit:
                known[value] = limit if is_numbered(value) and _twin(value, known) else weighs
                total += known[value]
            if total < limit and (len(known) > 1 or value not in known):
                enough = False
        self.members.append(slot)
        return enough and len(self.members) > 1


class Groups:
    """Templates in slots, each with the slot that it was merged into."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.tokens: list[Tokens] = []
        self._buckets: dict[int, int | Bucket] = {}

    def root(self, slot: int) -> int:
        """The slot that stands for the group of a slot."""
        parent = self.parent
        while parent[slot] != slot:
            parent[slot] = parent[parent[slot]]
            slot = parent[slot]
        return slot

    def put(self, slot: int, tokens: Tokens, older: "list[int]") -> None:
        """A new template in a slot, merged with those that it is one with.

        Args:
            slot: a free slot, or the next one.
            tokens: the template.
            older: a rank for each slot; the lowest of a group stays its root.
        """
        if slot == len(self.parent):
            self.parent.append(slot)
            self.tokens.append(tokens)
        else:
            self.parent[slot], self.tokens[slot] = slot, tokens
        buckets = self._buckets
        for key, places, factor in _holes(tokens):
            if key in buckets:
                self._offer(key, slot, places, factor, older)
            else:
                buckets[key] = slot

    def drop(self, slot: int) -> None:
        """Forget a template that is no root of others."""
        root = self.root(slot)
        for key, _, _ in _holes(self.tokens[slot]):
            bucket = self._buckets.get(key)
            if bucket == slot:
                del self._buckets[key]
            elif isinstance(bucket, Bucket) and slot in bucket.members:
                bucket.members.remove(slot)
                if root != slot:
                    bucket.members.append(root)
                elif not bucket.members:
                    del self._buckets[key]
        self.tokens[slot] = ()

    def union(self, one: int, other: int, older: "list[int]") -> None:
        """Make two groups one."""
        one, other = self.root(one), self.root(other)
        if one != other:
            if older[other] < older[one]:
                one, other = other, one
            self.parent[other] = one

    def _offer(self, key: int, slot: int, places: Places, factor: float, older: "list[int]") -> None:
        bucket = self._buckets[key]
        limits = [factor * LIMIT * (FIRST_FACTOR if place == 0 else 1.0) for place in places]
        if not isinstance(bucket, Bucket):
            first, bucket = bucket, Bucket(len(places))
            self._buckets[key] = bucket
            bucket.take(first, *_values(self.tokens[first], places), limits)
        if bucket.take(slot, *_values(self.tokens[slot], places), limits):
            for member in bucket.members:
                self.union(member, slot, older)
            del bucket.members[1:]


def _twin(value: str, known: dict[str, float]) -> bool:
    """Whether another value differs in its number only, as eth0 and eth1 do."""
    return any(is_numbered(other) and other[:-1] == value[:-1] for other in known)


def _values(tokens: Tokens, places: Places) -> tuple[list[str], list[float]]:
    return [tokens[place] for place in places], [_weight_at(tokens, place) for place in places]


def _weight_at(tokens: Tokens, place: int) -> float:
    found = weight(tokens[place])
    if place and tokens[place] != HOLE and tokens[place - 1] in {"user", "User"}:
        return found * USER_FACTOR
    return found


def _holes(tokens: Tokens) -> Iterator[tuple[int, Places, float]]:
    """The buckets that a template belongs to: key, places that are blank there, factor on the limit."""
    marked = [hash(token) * mark for token, mark in zip(tokens, _MARKS, strict=False)]
    whole = sum(marked) + len(tokens) * _BLANK
    change = {
        i: _BLANKS[i] - marked[i]
        for i, token in enumerate(tokens)
        if token not in _PUNCTUATION and not is_failure(token)
    }
    constants = sum(token not in _PUNCTUATION and token != HOLE for token in tokens)
    places = [i for i in change if constants - (tokens[i] != HOLE) >= LEAST_LEFT][:MOST_HOLES]
    for i in places:
        yield (whole + change[i]) & _BITS, (i,), 1.0
    yield from _shaped(tokens, whole, change, constants)
    free = [i for i in places if _weight_at(tokens, i) > 0][:MOST_PAIRED]
    for n, i in enumerate(free):
        left = constants - (tokens[i] != HOLE)
        for j in free[n + 1 :]:
            if left - (tokens[j] != HOLE) >= LEAST_LEFT:
                yield (whole + change[i] + change[j]) & _BITS, (i, j), PAIR_FACTOR


def _shaped(tokens: Tokens, whole: int, change: dict[int, int], constants: int) -> Iterator[tuple[int, Places, float]]:
    """One bucket with all holes, all names and all values behind an equals sign blank."""
    places = tuple(
        i
        for i in change
        if tokens[i] == HOLE or named(tokens[i]) or (i and tokens[i - 1] == "=" and _weight_at(tokens, i) > 0)
    )
    words = sum(tokens[i] != HOLE for i in places)
    if len(places) > 1 and 0 < words < constants:
        yield (whole + sum(change[i] for i in places) + 1) & _BITS, places, 1.0
