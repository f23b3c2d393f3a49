"""What is searched for, and what is found."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from forewarn.base.clock import rfc3339

LEVELS = ("trace", "debug", "info", "notice", "warning", "error", "critical")
MOST_LINES = 10_000
DATASETS = r"^[a-z0-9_.*]{1,100}$"
"""What may be asked for as a data set: a name, or a pattern."""
_PART = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search.

    Attributes:
        text: words that must all occur, and phrases in quotes; upper and lower case are alike.
        since_ms: the oldest moment.
        until_ms: the first moment that is too late; None: there is none.
        level: the lowest level; lines that name none are left out.
        dataset: of the data stream; ``*`` stands for anything.
        file: the path of the file, or its end.
        host: the node's name.
        template: the number of the line's template.
        limit: lines at most, the newest.
        context: lines of the same file around each.
    """

    text: str = ""
    since_ms: int = 0
    until_ms: int | None = None
    level: str | None = None
    dataset: str | None = None
    file: str | None = None
    host: str | None = None
    template: int | None = None
    limit: int = 100
    context: int = 0

    @property
    def terms(self) -> tuple[str, ...]:
        """The words and phrases, those without a letter or digit left out."""
        parts = (quoted or word for quoted, word in _PART.findall(self.text))
        return tuple(part for part in parts if _WORD.search(part))

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that are wanted; empty for all lines."""
        return LEVELS[LEVELS.index(self.level) :] if self.level else ()

    def expressions(self) -> list[re.Pattern[str]]:
        """One for each term: its words in their order, with anything but letters and digits between them."""
        found = []
        for term in self.terms:
            words = r"[^\w]+".join(map(re.escape, _WORD.findall(term)))
            found.append(re.compile(rf"(?<![^\W_]){words}(?![^\W_])", re.IGNORECASE))
        return found


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was found.

    Attributes:
        time_ms: its time.
        message: its text.
        level: empty where it names none.
        host: the node's name.
        dataset: of its data stream.
        file: the path that is followed, whatever a rotation has made of the file.
        offset: in the file; None where it has none.
        template: the number of its template, None where it is not known.
        context: whether it only stands beside a line that fits.
        name: unlike that of any other line.
        time: its time as it was stored, RFC 3339.
        more: the document's other fields.
    """

    time_ms: int
    message: str
    level: str = ""
    host: str = ""
    dataset: str = ""
    file: str = ""
    offset: int | None = None
    template: int | None = None
    context: bool = False
    name: str = ""
    time: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The line as commands and the API answer it."""
        body = asdict(self)
        del body["time_ms"], body["name"], body["more"]
        return {**body, "time": self.time or rfc3339(self.time_ms), **({"more": self.more} if self.more else {})}
