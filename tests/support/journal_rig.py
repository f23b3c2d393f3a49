"""The journal's feeds without a server: what they would send, and an account that is kept or lost as a test likes."""

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson

from forewarn.base.clock import SystemClock
from logship.checkpoint import Checkpoint
from logship.delivery.batch import overrun
from logship.delivery.ledger import Ledger
from logship.feed import Lines, Span
from logship.journal.feed import JournalFeed
from logship.journal.journal import Journal
from logship.journal.layout import KNOWN
from logship.packer import Packer
from logship.settings import LogsSettings
from logship.shaping.redaction import Redactor
from logship.stats import Stats

LONGEST = 1024 * 1024


class Miner:
    """Gives every line a template of its own source, and remembers the lines."""

    def __init__(self) -> None:
        self.lines: dict[str, list[bytes]] = {}

    def of(self, lines: Lines) -> Any:
        self.lines.setdefault(lines.source, []).extend(lines.line(number) for number in range(len(lines)))
        return np.full(len(lines), len(self.lines), np.int32)


class Rig:
    """Feeds over folders, with a checkpoint in a folder of their own.

    Attributes:
        bodies: what was written, by data set.
        ahead: pieces that were written and not yet acknowledged.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        data: Path,
        *,
        sources: Sequence[dict[str, Any]] = ({},),
        fast: bool = True,
        machine_id: Path | None = None,
        miner: Any = None,
        known: int = KNOWN,
        **settings: Any,
    ) -> None:
        data.mkdir(exist_ok=True)
        self.settings = LogsSettings.model_validate(
            {
                "url": "http://localhost:1",
                "journal": list(sources),
                "journal_folders": [str(folder) for folder in folders],
                "journal_max_age": 10**9,
                **settings,
            }
        )
        clock = SystemClock()
        self.checkpoint = Checkpoint(data / "logship.db")
        self.ledger = Ledger(self.checkpoint)
        self.stats = Stats(clock)
        self.miner = miner or Miner()
        self.journal = Journal(
            self.settings,
            "node-1",
            checkpoint=self.checkpoint,
            ledger=self.ledger,
            packer=Packer(0.01),
            templates=self.miner if self.settings.templates else None,
            redactor=Redactor(self.settings.redact, fast=fast),
            stats=self.stats,
            clock=clock,
            stopping=threading.Event(),
            fast=fast,
            known=known,
            **({"machine_id": machine_id} if machine_id else {}),
        )
        self.bodies: dict[str, bytes] = {}
        self.ahead: list[Span] = []
        self.doubtful = 0
        self._room = self.settings.bulk_bytes
        self._out = np.zeros(self._room + overrun(self.settings.max_line_bytes), np.uint8)

    @property
    def feed(self) -> JournalFeed:
        """The only feed."""
        (feed,) = self.journal.feeds
        return feed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End without a word."""
        self.journal.close()
        self.checkpoint.close()

    def drain(
        self,
        *,
        keep: bool = True,
        most: int = 10**9,
        room: int | None = None,
        compress: Callable[[memoryview], object] | None = None,
    ) -> int:
        """Write everything that there is, or compress it instead of keeping it; how many documents."""
        documents = 0
        for feed in self.journal.feeds:
            while documents < most and feed.look():
                before = documents
                while documents < most and (filled := feed.fill(self._out, room or self._room)) is not None:
                    documents += filled.documents
                    self.doubtful += filled.doubtful
                    if compress is not None:
                        compress(memoryview(self._out)[: filled.size])
                    else:
                        body = self._out[: filled.size].tobytes()
                        self.bodies[feed.dataset] = self.bodies.get(feed.dataset, b"") + body
                    self.ahead.append(filled.span)
                if before == documents:
                    break
        if keep:
            self.keep()
        return documents

    def keep(self, seed: int = 1) -> None:
        """Acknowledge what was written, in any order, and make it durable."""
        random.Random(seed).shuffle(self.ahead)
        self.ledger.settle(self.ahead)
        self.ahead = []
        self.ledger.commit()

    def documents(self, dataset: str = "journal") -> dict[str, dict[str, Any]]:
        """By id; an id that stands there twice must have the same document."""
        found: dict[str, dict[str, Any]] = {}
        rows = self.bodies.get(dataset, b"").splitlines()
        for action, source in zip(rows[::2], rows[1::2], strict=True):
            name = orjson.loads(action)["create"]["_id"]
            document = orjson.loads(source)
            assert found.setdefault(name, document) == document
        return found

    def messages(self, dataset: str = "journal") -> list[str]:
        """Of all documents, in the order in which they were written."""
        return [document["message"] for document in self.documents(dataset).values()]
