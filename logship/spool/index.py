"""What the spool holds, in memory: ranges by account, and how much of each segment is still needed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from logship.spool.layout import Frame
from logship.spool.segment import Record, Segment

_START = attrgetter("start")
_END = attrgetter("end")


@dataclass(slots=True, eq=False)
class Held:
    """A segment and what of it is still needed.

    Attributes:
        segment: the file.
        size: bytes of it.
        entries: its ranges that were not released yet.
    """

    segment: Segment
    size: int
    entries: set["Entry"] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Entry:
    """A range of an account and where it lies."""

    held: Held
    record: Record
    account: str
    start: int
    end: int

    @property
    def frame(self) -> Frame:
        """What is known of it without reading it."""
        return self.record.frame


class Index:
    """Ranges by account. Those of one account are in order and do not hide each other."""

    def __init__(self) -> None:
        self._accounts: dict[str, list[Entry]] = {}

    def add(self, held: Held, record: Record, account: str, start: int, end: int) -> list[Held]:
        """A record is there; one that another hides (a rewriting was cut short) is passed over.

        Returns:
            The segments of those that it hides itself, which are needed no more.
        """
        entries = self._accounts.setdefault(account, [])
        at = bisect_left(entries, start, key=_START)
        if any(other.start <= start and other.end >= end for other in entries[max(0, at - 1) : at + 1]):
            return []
        hidden = entries[at : bisect_right(entries, end, lo=at, key=_END)]
        for one in hidden:
            one.held.entries.discard(one)
        entry = Entry(held, record, account, start, end)
        entries[at : at + len(hidden)] = [entry]
        held.entries.add(entry)
        return [one.held for one in hidden]

    def remove(self, entry: Entry) -> None:
        """A range is not needed, or cannot be read, any more."""
        entry.held.entries.discard(entry)
        entries = self._accounts[entry.account]
        entries.remove(entry)
        if not entries:
            del self._accounts[entry.account]

    def following(self, account: str, at: int) -> Entry | None:
        """The first range that ends behind an offset."""
        entries = self._accounts.get(account, [])
        found = bisect_right(entries, at, key=_END)
        return entries[found] if found < len(entries) else None

    def before(self, account: str, upto: int | None) -> list[Entry]:
        """The ranges that end at an offset or before it; None for all of them."""
        entries = self._accounts.get(account, [])
        return entries[: None if upto is None else bisect_right(entries, upto, key=_END)]

    def accounts(self) -> list[str]:
        """All accounts of which there is anything."""
        return list(self._accounts)

    def key_ids(self, account: str) -> set[bytes]:
        """Of the keys that an account is sealed under."""
        return {entry.held.segment.header.key_id for entry in self._accounts.get(account, [])}

    def ranges(self, account: str) -> list[tuple[int, int]]:
        """What is there of an account; ranges that touch are one."""
        joined: list[tuple[int, int]] = []
        for entry in self._accounts.get(account, []):
            if joined and entry.start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(entry.end, joined[-1][1])
            else:
                joined.append((entry.start, entry.end))
        return joined

    def missing(self, account: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Those parts of a range that are not there."""
        ranges = self.ranges(account)
        for held_start, held_end in ranges[bisect_left([stop for _, stop in ranges], start) :]:
            if held_start >= end:
                break
            if held_start > start:
                yield start, held_start
            start = max(start, held_end)
        if start < end:
            yield start, end
