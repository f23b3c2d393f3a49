"""The miner: a template for every line, online, with one setting for every system."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cramjam
import numpy as np
import orjson

from logship.errors import LogshipError
from logship.patterns.compiled import AVAILABLE
from logship.patterns.groups import Groups, Tokens
from logship.patterns.header import SAMPLE
from logship.patterns.headers import LONGEST_LINE, Sources
from logship.patterns.jsonlines import holds_json, messages_of
from logship.patterns.stage import MOST_SIGNATURES, SLACK, Bytes, Chunk, Int32, Int64, Stop, make_stage
from logship.patterns.template import Template, template_of
from logship.patterns.tokens import tokens_of
from logship.patterns.words import HOLE

ANEW = "remove it; templates are then found anew, under new ids"
TAIL = 0
"""The id of what overflows: free text of which every line is another template."""
OPEN = 8
"""Distinct tokens at a place of a template from which on they are no longer kept apart."""
MOST_MASKED = 4
MOST_EXEMPLARS = 4
MOST_MESSAGE = 4_096
"""Bytes of a message that its template is made of."""
LONGEST_EXAMPLE = 512
MOST_MERGED = 8
"""Ids that were merged and are still known, for each template that may be held."""
SIGNATURES_PER_TEMPLATE = 4
STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a miner may hold.

    Attributes:
        templates: kept at once, before merging; the ones unseen for longest make room.
        burst: new templates, and 4 times as many unseen signatures, that may come at once.
        lines_per_template: then one new template, and 4 unseen signatures, for so many lines.
    """

    templates: int = 20_000
    burst: int = 20_000
    lines_per_template: int = 100


class Miner:
    """Finds the template of each line.

    Lines come in chunks of a source (a file, a unit); templates are shared by all sources. The result depends on
    the lines and their order only; a leading shape of which a chunk shows fewer than 20 lines is cut by its
    columns alone until more come.

    Args:
        limits: what it may hold.
        fast: use machine code; needs the extra ``fast``.
    """

    def __init__(self, limits: Limits = Limits(), *, fast: bool = AVAILABLE) -> None:
        self.limits = limits
        self.lines = 0
        self._stage = make_stage(fast=fast)
        self._sources = Sources()
        self.groups = Groups()
        self.ids: list[int] = []
        self.examples: list[str] = []
        size = limits.templates + 1
        self.counts = np.zeros(size, np.int64)
        self.latest = np.zeros(size, np.int64)
        self._slots: dict[Tokens, int] = {}
        self._free: list[int] = []
        self._next_id = 0
        self.unseen = 0
        self.merged: dict[int, int] = {}
        self._roots = np.zeros(0, np.int32)
        self._changed = True
        self._forget()
        self._add(("<tail>",), "")

    def feed(self, source: str, data: bytes | Bytes, starts: Int64 | None = None) -> Int32:
        """The template ids of a chunk's lines.

        Args:
            source: whose lines they are; its headers are learned by themselves.
            data: whole lines; the last one may lack its line end. An array is read where it is, and must have SLACK
                bytes behind the last line.
            starts: where each line begins, and the end of the last; an array's must be given.

        Returns:
            An id for each line, TAIL for what overflowed. A later chunk may merge an id into an older one: see
            resolve().
        """
        chunk = self._chunk(data, starts)
        headers = self._sources.of(source)
        learned = set[int]()
        first = 0
        while (stop := self._stage.scan(chunk, first, headers, self.counts, self.latest)) is not None:
            if stop.shape is not None:
                self._sources.learn(source, stop.shape, self._alike(chunk, stop))
                learned.add(stop.shape)
                first = stop.line
                continue
            self.lines = chunk.number + stop.line
            slot = self._unseen(stop)
            chunk.slots[stop.line] = slot
            self.counts[slot] += 1
            self.latest[slot] = self.lines
            first = stop.line + 1
        self._sources.ask_again(source, learned)
        self.lines = chunk.number + len(chunk.slots)
        return self._root_ids()[chunk.slots]

    def resolve(self, ids: Int32) -> Int32:
        """Ids given earlier as the ids that stand for them now."""
        distinct, places = np.unique(ids, return_inverse=True)
        return np.array([self.current(template) for template in distinct.tolist()], np.int32)[places]

    def templates(self) -> list[Template]:
        """All templates, by id."""
        members: dict[int, list[int]] = defaultdict(list)
        for slot in self.live():
            members[self.groups.root(slot)].append(slot)
        into: dict[int, list[int]] = defaultdict(list)
        for old in sorted(self.merged):
            into[self.current(old)].append(old)
        found = []
        for root, slots in members.items():
            if slots == [0] and not self.counts[0]:
                continue
            slots.sort(key=lambda slot: (slot != root, self.ids[slot]))
            found.append(
                template_of(
                    self.ids[root],
                    [self.groups.tokens[slot] for slot in slots],
                    [int(self.counts[slot]) for slot in slots],
                    [self.examples[slot] for slot in slots],
                    tuple(into[self.ids[root]]),
                )
            )
        return sorted(found, key=lambda template: template.id)

    def save(self) -> bytes:
        """What it knows, compact: for load(), so that a restart keeps the ids."""
        self._root_ids()
        slots = [
            (self.ids[slot], self.groups.root(slot), int(self.counts[slot]), int(self.latest[slot]), example, tokens)
            for slot, (example, tokens) in enumerate(zip(self.examples, self.groups.tokens, strict=True))
        ]
        state = {
            "version": STATE_VERSION,
            "lines": self.lines,
            "next_id": self._next_id,
            "unseen": self.unseen,
            "slots": slots,
            "free": self._free,
            "merged": sorted(self.merged.items()),
            "sources": self._sources.save(),
        }
        return bytes(cramjam.zstd.compress(orjson.dumps(state)))

    @classmethod
    def load(cls, saved: bytes, limits: Limits = Limits(), *, fast: bool = AVAILABLE) -> "Miner":
        """A miner that goes on where the one that was saved had been.

        Raises:
            LogshipError: the bytes are not such a state, or hold more templates than the limits allow.
        """
        try:
            state = orjson.loads(bytes(cramjam.zstd.decompress(saved)))
            version = state["version"]
        except (cramjam.DecompressionError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise LogshipError(f"not a state of the template miner: {error}", hint=ANEW) from error
        if version != STATE_VERSION or len(state["slots"]) > limits.templates + 1:
            raise LogshipError("a state of another version, or of more templates than are allowed now", hint=ANEW)
        miner = cls(limits, fast=fast)
        miner._restore(state)
        return miner

    def _restore(self, state: dict[str, Any]) -> None:
        self.lines, self._next_id, self.unseen = state["lines"], state["next_id"], state["unseen"]
        self.groups, self._free, self.merged = Groups(), state["free"], dict(state["merged"])
        self.ids = [entry[0] for entry in state["slots"]]
        self.examples = [entry[4] for entry in state["slots"]]
        for slot, (_, _, count, latest, _, parts) in enumerate(state["slots"]):
            tokens = tuple(parts)
            self.groups.put(slot, tokens, self.ids)
            self.counts[slot], self.latest[slot] = count, latest
            if tokens:
                self._slots[tokens] = slot
        self.groups.parent = [entry[1] for entry in state["slots"]]
        self._sources.load(state["sources"])

    def current(self, template: int) -> int:
        """The id that stands for an id given earlier."""
        while template in self.merged:
            template = self.merged[template]
        return template

    def live(self) -> Iterator[int]:
        """The slots in use."""
        return (slot for slot, tokens in enumerate(self.groups.tokens) if tokens)

    def _chunk(self, data: bytes | Bytes, starts: Int64 | None) -> Chunk:
        if not isinstance(data, np.ndarray):
            starts = line_starts(data) if starts is None else starts
            data = with_slack(data)
        assert starts is not None
        if holds_json(data, starts):
            said, starts = messages_of(data, starts)
            data = with_slack(said)
        return Chunk(data, starts, np.zeros(len(starts) - 1, np.int32), self.lines)

    def _root_ids(self) -> Int32:
        if self._changed:
            root, ids = self.groups.root, self.ids
            self._roots = np.array([ids[root(slot)] for slot in range(len(ids))], np.int32)
            for slot, template in enumerate(ids):
                if self._roots[slot] != template:
                    self.merged[template] = int(self._roots[slot])
            self._changed = False
        return self._roots

    def _alike(self, chunk: Chunk, stop: Stop) -> list[bytes]:
        """The beginnings of lines of one leading shape, from where the scan stopped on."""
        if chunk.shapes is None:
            chunk.shapes = self._stage.shapes(chunk)
        alike = np.flatnonzero(chunk.shapes[stop.line :] == stop.shape)[:SAMPLE] + stop.line
        return [chunk.text(i, LONGEST_LINE) for i in alike.tolist()]

    def _unseen(self, stop: Stop) -> int:
        """The slot of a line that stage 1 does not know."""
        limits = self.limits
        if self.unseen > SIGNATURES_PER_TEMPLATE * (limits.burst + self.lines // limits.lines_per_template):
            return 0
        self.unseen += 1
        text = stop.message[:MOST_MESSAGE].decode("utf-8", "replace")
        tokens = tokens_of(text) or (HOLE,)
        slot = self._slots.get(tokens)
        if slot is None:
            if self._next_id > limits.burst + self.lines // limits.lines_per_template or not self._room():
                return 0
            slot = self._add(tokens, text[:LONGEST_EXAMPLE])
        if self._stage.size >= MOST_SIGNATURES:
            self._forget()
            self.unseen = max(0, self.unseen - SIGNATURES_PER_TEMPLATE * limits.burst)
        self._stage.learn(stop, slot)
        self._learn_mask(stop, slot)
        return slot

    def _add(self, tokens: Tokens, example: str) -> int:
        slot = self._free.pop() if self._free else len(self.ids)
        if slot == len(self.ids):
            self.ids.append(self._next_id)
            self.examples.append(example)
        else:
            self.ids[slot], self.examples[slot] = self._next_id, example
        self.counts[slot] = self.latest[slot] = 0
        self._next_id += 1
        self._slots[tokens] = slot
        self.groups.put(slot, tokens, self.ids)
        self._changed = True
        return slot

    def _room(self) -> bool:
        """Whether there is a slot; the templates unseen for longest that no others were merged into make room."""
        if self._free or len(self.ids) <= self.limits.templates:
            return True
        self._root_ids()
        sizes = Counter(self.groups.root(slot) for slot in self.live())
        old = [slot for slot in self.live() if slot and (self.groups.root(slot) != slot or sizes[slot] == 1)]
        old.sort(key=lambda slot: (self.latest[slot], self.ids[slot]))
        for slot in old[: max(1, self.limits.templates // 8)]:
            del self._slots[self.groups.tokens[slot]]
            root = self.groups.root(slot)
            self.counts[root] += self.counts[slot] if root != slot else 0
            self.groups.drop(slot)
            self._free.append(slot)
        self._free.sort(reverse=True)
        for template in sorted(self.merged)[: max(0, len(self.merged) - MOST_MERGED * self.limits.templates)]:
            del self.merged[template]
        if self._free:
            self._stage.drop(self._free)
        self._exemplars.clear()
        self._values.clear()
        return bool(self._free)

    def _forget(self) -> None:
        self._stage.forget()
        self._exemplars: dict[tuple[int, int], list[tuple[object, ...]]] = {}
        self._values: dict[tuple[int, int, tuple[int, ...]], list[set[object]]] = {}

    def _learn_mask(self, stop: Stop, slot: int) -> None:
        """Where a template's signatures differ at a few places that are free, leave these out from now on."""
        count = len(stop.elements)
        root = self.groups.root(slot)
        exemplars = self._exemplars.setdefault((root, count), [])
        for exemplar in exemplars:
            pairs = zip(exemplar, stop.elements, strict=True)
            places = tuple(i for i, (one, other) in enumerate(pairs) if one != other)
            if not 0 < len(places) <= MOST_MASKED:
                continue
            values = self._values.setdefault((root, count, places), [set() for _ in places])
            for known, place in zip(values, places, strict=True):
                if len(known) < OPEN:
                    known.add(stop.elements[place])
            if all(len(known) >= OPEN for known in values) and self._stage.mask(count, places):
                self._stage.learn(stop, slot, places)
                return
        if len(exemplars) < MOST_EXEMPLARS:
            exemplars.append(stop.elements)


def with_slack(data: bytes) -> Bytes:
    """Bytes as an array that feed() takes."""
    return np.frombuffer(bytearray(data) + bytes(SLACK), np.uint8)


def line_starts(data: bytes) -> Int64:
    """Where each line begins, and the end of the last."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
    whole = data.endswith(b"\n") or not data
    return np.concatenate(([0], ends, [] if whole else [len(data)])).astype(np.int64)
