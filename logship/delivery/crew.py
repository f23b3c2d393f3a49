"""The workers' threads; where all of them wait until somebody mends something, others step in."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Crew:
    """Threads that do the same work.

    Args:
        work: what each does until it is time to stop.
        count: how many there are at the beginning.
        most: how many there may be.
    """

    def __init__(self, work: Callable[[], None], count: int, most: int) -> None:
        self._work, self._count, self._most = work, count, most
        self._lock = threading.Lock()
        self._away = 0
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin."""
        for _ in range(self._count):
            self._add()

    @contextmanager
    def away(self) -> Iterator[None]:
        """In this block the calling thread waits for long, and holds what it is to send."""
        with self._lock:
            self._away += 1
            if self._away == len(self.threads) < self._most:
                self._add()
        try:
            yield
        finally:
            with self._lock:
                self._away -= 1

    def _add(self) -> None:
        thread = threading.Thread(target=self._work, name=f"worker-{len(self.threads)}", daemon=True)
        self.threads.append(thread)
        thread.start()
