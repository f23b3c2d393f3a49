"""Who has arrived: acknowledged pieces of every source, and the prefix without gaps that they make."""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator

from logship.checkpoint import Checkpoint
from logship.feed import Span


class Ledger:
    """Turns settled pieces, which come in any order, into offsets that only grow; may be used from any thread.

    Args:
        checkpoint: keeps them.
        told: is called when there is something to commit.
    """

    def __init__(self, checkpoint: Checkpoint, told: Callable[[], None] = lambda: None) -> None:
        self._checkpoint = checkpoint
        self._told = told
        self._lock = threading.Lock()
        self._committing = threading.RLock()
        self._reached: dict[str, int] = {}
        self._kept: dict[str, int] = {}
        self._waiting: dict[str, dict[int, Span]] = {}
        self._moved: dict[str, Span] = {}

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make all changes of a block durable at once, at its end."""
        with self._committing, self._checkpoint.together():
            yield

    def start(self, account: str, reached: int) -> None:
        """Begin to keep an account, at what is kept of it."""
        with self._lock:
            self._reached.setdefault(account, reached)
            self._kept.setdefault(account, reached)

    def settle(self, spans: list[Span]) -> None:
        """These pieces have arrived, whole."""
        with self._lock:
            for span in spans:
                if span.account not in self._reached:
                    continue  # forgotten meanwhile
                waiting = self._waiting.setdefault(span.account, {})
                waiting[span.start] = span
                while (following := waiting.pop(self._reached[span.account], None)) is not None:
                    self._reached[span.account] = following.end
                    self._moved[span.account] = following
            news = bool(self._moved)
        if news:
            self._told()

    def reached(self, account: str) -> int:
        """The offset before which everything of an account has arrived."""
        with self._lock:
            return self._reached[account]

    def kept(self, account: str) -> int:
        """The offset at which it would go on after a power cut."""
        with self._lock:
            return self._kept[account]

    def kept_of(self, account: str) -> int | None:
        """The same; None where no account is kept of it."""
        with self._lock:
            return self._kept.get(account)

    def commit(self) -> bool:
        """Make what has been reached durable; whether there was anything."""
        with self._committing:
            with self._lock:
                moved, self._moved = self._moved, {}
            if moved:
                self._checkpoint.keep(list(moved.values()))
                with self._lock:
                    for account, span in moved.items():
                        if account in self._kept:
                            self._kept[account] = span.end
            return bool(moved)

    def finish(self, file_id: str) -> None:
        """Nothing more is to come of a file: keep no account of it here, and what arrived of it on disk."""
        with self._committing:
            with self._lock:
                span = self._moved.pop(file_id, None)
                self._drop(file_id)
            if span is not None:
                self._checkpoint.keep([span])
            self._checkpoint.change({file_id: {"finished": True}})

    def forget(self, file_ids: Collection[str]) -> None:
        """Keep no account of these files any more, here and on disk."""
        with self._committing:
            with self._lock:
                for file_id in file_ids:
                    self._moved.pop(file_id, None)
                    self._drop(file_id)
            self._checkpoint.forget(file_ids)

    def _drop(self, account: str) -> None:
        for book in (self._reached, self._kept, self._waiting):
            book.pop(account, None)
