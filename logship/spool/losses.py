"""What the spool could not keep: counted, named in the log, and written down for ``forewarn logs spool status``."""

import contextlib
import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from forewarn.base.clock import Clock, rfc3339
from logship.spool.private import open_private

FILE_NAME = "losses.jsonl"
LONGEST = 1024 * 1024
"""Bytes of the list at which its older half is dropped; the counts go on."""

RECENT_SECONDS = 3600.0

Reason = Literal["size limit", "age limit", "damaged", "gone"]
"""Why: the spool was full; it was too old; bytes on the disk changed; the file vanished first."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loss:
    """A range that will never arrive.

    Attributes:
        account: its stream; empty where that is not known either.
        path: of the log, or what else it came from.
        start: where the range begins.
        end: where it ends; None where that is not known.
        lines: how many, None where that is not known.
        size: bytes, None where that is not known.
        reason: why.
        where: file, offset and key of a damaged record.
    """

    account: str
    path: str
    start: int
    end: int | None
    lines: int | None
    size: int | None
    reason: Reason
    where: str = ""


class Losses:
    """Counts since the start and the list on the disk; may be used from any thread.

    Args:
        folder: where the list lies.
        clock: tells the time.

    Attributes:
        counted: is told of each.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._recent: deque[tuple[float, int]] = deque()
        self.counted: Callable[[Loss], None] = lambda _loss: None

    def add(self, losses: Sequence[Loss]) -> None:
        """Count them, and say each range once; ranges that touch are one."""
        for loss in _joined(losses):
            with self._lock:
                self._lines[loss.reason] += loss.lines or 0
                self._bytes[loss.reason] += loss.size or 0
                self._recent.append((self._clock.monotonic(), max(1, loss.size or 1)))
            self.counted(loss)
            log.error(
                "log lines are lost (%s): %s lines, %s bytes of %s",
                loss.reason,
                _known(loss.lines),
                _known(loss.size),
                loss.path or loss.account or "a log that the damaged record does not name",
                extra={name: value for name, value in asdict(loss).items() if value not in {None, ""}},
            )
            self._write(loss)

    def add_unless_known(self, loss: Loss) -> None:
        """Count a range, unless an earlier process, or this one, has already said that it is lost."""
        rows = [row for row in read_losses(self._folder) if row["account"] == loss.account]
        if not any(row["start"] <= loss.start and (row["end"] or 0) >= (loss.end or 0) for row in rows):
            self.add([loss])

    def recent_bytes(self) -> int:
        """Bytes that were found to be lost within RECENT_SECONDS."""
        with self._lock:
            while self._recent and self._clock.monotonic() - self._recent[0][0] > RECENT_SECONDS:
                self._recent.popleft()
            return sum(size for _, size in self._recent)

    def lines(self) -> dict[str, int]:
        """Lost lines by reason."""
        with self._lock:
            return dict(self._lines)

    def bytes(self) -> dict[str, int]:
        """Lost bytes by reason."""
        with self._lock:
            return dict(self._bytes)

    def _write(self, loss: Loss) -> None:
        row = {"time": rfc3339(self._clock.now_ms()), **asdict(loss)}
        try:
            with self._lock, os.fdopen(open_private(self._path, os.O_APPEND | os.O_WRONLY | os.O_CREAT), "ab") as file:
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                file.flush()
                os.fsync(file.fileno())
                if file.tell() > LONGEST:
                    self._halve()
        except OSError as error:
            log.warning("cannot write down what was lost", extra={"path": str(self._path), "reason": error.strerror})

    def _halve(self) -> None:
        rows = self._path.read_bytes().splitlines(keepends=True)
        scratch = self._path.with_suffix(".new")
        with os.fdopen(open_private(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(b"".join(rows[len(rows) // 2 :]))
        scratch.replace(self._path)


def read_losses(folder: Path) -> list[dict[str, Any]]:
    """The list on the disk, oldest first."""
    try:
        data = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return []
    rows = []
    for row in data.splitlines():
        with contextlib.suppress(orjson.JSONDecodeError):  # a full disk or a power cut left a part of one
            rows.append(orjson.loads(row))
    return rows


def _joined(losses: Sequence[Loss]) -> Iterator[Loss]:
    pending: Loss | None = None
    for loss in sorted(losses, key=lambda one: (one.account, one.start)):
        if (
            pending is not None
            and (pending.account, pending.reason, pending.end, "")
            == (loss.account, loss.reason, loss.start, loss.where)
            and not pending.where
        ):
            pending = replace(
                pending, end=loss.end, lines=_sum(pending.lines, loss.lines), size=_sum(pending.size, loss.size)
            )
            continue
        if pending is not None:
            yield pending
        pending = loss
    if pending is not None:
        yield pending


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _known(number: int | None) -> str:
    return "an unknown number of" if number is None else str(number)
