"""What each template says, so that its number can be read as a sentence."""

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from forewarn.base.clock import parse_time, rfc3339
from forewarn.base.files import replacing
from logship.anomalies.reading import TEMPLATES, templates
from logship.anomalies.tally import First
from logship.engine.documents import Int64
from logship.patterns.miner import Miner
from logship.patterns.template import template_of
from logship.stamps import level_of

MOST_WRITTEN = 2_000
"""Templates in the file: the ones seen last."""
MOST_KNOWN = 20_000
MOST_WORDS = 30
"""Of a text, which are compared with those of others."""
UNKNOWN = "(a template that is not described yet)"

_Half = tuple[int | str, ...]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """One template.

    Attributes:
        text: the message with <*> for what varies.
        level: the one that its first line names; empty where it names none.
        example: its first line, redacted as documents are.
        first_ms: when it was first seen.
        last_ms: when it was last seen.
        lines: how many were seen.
        datasets: where.
    """

    text: str
    level: str
    example: str
    first_ms: int
    last_ms: int
    lines: int = 0
    datasets: set[str] = field(default_factory=set)


class Glossary:
    """The templates of a node."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.levels: dict[int, str] = {}
        self._stale: set[int] = set()

    def load(self, directory: Path, miner: Miner, now_ms: int, known: Collection[int]) -> None:
        """Go on from what an earlier process left, and from what its miner knows, of the templates that it had met."""
        left = _left(directory)
        for slot in miner.live():
            template = miner.ids[miner.groups.root(slot)]
            if template in self.entries or not slot or template not in known:
                continue
            entry = left.get(template)
            if entry is None:
                self.entries[template] = Entry(UNKNOWN, "", miner.examples[slot], now_ms, now_ms)
                self._stale.add(template)
                continue
            self.entries[template] = entry
            if entry.level:
                self.levels[template] = entry.level

    def meet(self, firsts: Collection[First]) -> None:
        """New templates, each with its first line."""
        for first in firsts:
            if first.template in self.entries:
                continue
            level = (level_of(first.line.encode()) or b"").decode()
            self.entries[first.template] = Entry(UNKNOWN, level, first.line, first.time_ms, first.time_ms)
            self._stale.add(first.template)
            if level:
                self.levels[first.template] = level

    def count(self, dataset: str, ids: Int64, counts: Int64, now_ms: int) -> None:
        """Lines of a tick."""
        for template, lines in zip(ids.tolist(), counts.tolist(), strict=True):
            entry = self.entries.get(template)
            if entry is not None:
                entry.lines += lines
                entry.last_ms = now_ms
                entry.datasets.add(dataset)

    def move(self, merged: dict[int, int]) -> None:
        """Templates were merged: the older entry takes over what was counted."""
        for old, new in merged.items():
            entry, into = self.entries.pop(old, None), self.entries.get(new)
            self.levels.pop(old, None)
            self._stale.discard(old)
            self._stale.add(new)
            if entry is None:
                continue
            if into is None:
                self.entries[new] = entry
                if entry.level:
                    self.levels[new] = entry.level
                continue
            into.lines += entry.lines
            into.first_ms, into.last_ms = min(into.first_ms, entry.first_ms), max(into.last_ms, entry.last_ms)
            into.datasets |= entry.datasets

    def describe(self, miner: Miner) -> None:
        """Ask the miner for the texts that are not known or may have changed; under the packing lock."""
        if not self._stale:
            return
        members: dict[int, list[int]] = defaultdict(list)
        for slot in miner.live():
            root = miner.groups.root(slot)
            if miner.ids[root] in self._stale:
                members[root].append(slot)
        for root, slots in members.items():
            slots.sort(key=lambda slot: (slot != root, miner.ids[slot]))
            tokens = [miner.groups.tokens[slot] for slot in slots]
            entry = self.entries.get(miner.ids[root])
            if entry is not None and tokens[0]:
                entry.text = template_of(miner.ids[root], tokens, [1] * len(slots), [], ()).text
        self._stale.clear()

    def text(self, template: int | None) -> str:
        """What a template says; empty for none."""
        if template is None:
            return ""
        entry = self.entries.get(template)
        return entry.text if entry is not None else UNKNOWN

    def examples(self, template: int | None) -> tuple[str, ...]:
        """Lines of a template."""
        entry = None if template is None else self.entries.get(template)
        return (entry.example,) if entry is not None else ()

    def variants(self, templates: Collection[int]) -> set[int]:
        """Those of which another template differs in one word at most."""
        halves: dict[_Half, list[tuple[int, list[str]]]] = defaultdict(list)
        lengths = set()
        for template in templates:
            text = self.text(template)
            if text == UNKNOWN:
                continue
            words = text.split(" ", MOST_WORDS)[:MOST_WORDS]
            lengths.add(len(words))
            for half in _halves(words):
                halves[half].append((template, words))
        found = set()
        for other, entry in self.entries.items():
            if min(entry.text.count(" ") + 1, MOST_WORDS) not in lengths:
                continue
            words = entry.text.split(" ", MOST_WORDS)[:MOST_WORDS]
            for half in _halves(words):
                alike = halves.get(half, ())
                found |= {template for template, mine in alike if template != other and _one_apart(mine, words)}
        return found

    def write(self, directory: Path, now_ms: int) -> None:
        """Leave the templates where commands and the daemon read them.

        Raises:
            ForewarnError: the file cannot be written.
        """
        newest = sorted(self.entries.items(), key=lambda item: -item[1].last_ms)
        for template, _ in newest[MOST_KNOWN:]:
            del self.entries[template]
            self.levels.pop(template, None)
        rows = [
            {
                "id": template,
                "template": entry.text,
                "level": entry.level or None,
                "lines": entry.lines,
                "datasets": sorted(entry.datasets),
                "first_seen": rfc3339(entry.first_ms),
                "last_seen": rfc3339(entry.last_ms),
                "example": entry.example,
            }
            for template, entry in sorted(newest[:MOST_WRITTEN])
        ]
        with replacing(directory / TEMPLATES) as file:
            file.write(orjson.dumps({"time": rfc3339(now_ms), "templates": rows}))


def _halves(words: list[str]) -> tuple[_Half, _Half]:
    """Texts that differ in one word only are alike in one of these."""
    middle = len(words) // 2
    return (len(words), 0, *words[:middle]), (len(words), middle, *words[middle:])


def _one_apart(words: list[str], others: list[str]) -> bool:
    return sum(one != other for one, other in zip(words, others, strict=True)) <= 1


def _left(directory: Path) -> dict[int, Entry]:
    """What an earlier process left; nothing where it cannot be read: then the miner says it anew."""
    try:
        left = templates(directory) or {"templates": []}
        return {
            row["id"]: Entry(
                row["template"],
                row["level"] or "",
                row["example"],
                parse_time(row["first_seen"]),
                parse_time(row["last_seen"]),
                row["lines"],
                set(row["datasets"]),
            )
            for row in left["templates"]
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("what log templates say is asked anew", extra={"error": str(error)})
        return {}
