"""Since when each process has done nothing on its GPU."""

from typing import Final

from collector.attribution.entries import Found
from collector.attribution.procfs import Process

_WORKS: Final = 0.0

_Who = tuple[str, str, int, float]


class Activity:
    """Remembers when each process last kept multiprocessors busy.

    One that has not worked since it was first seen counts as idle from then on. Number and start together name a
    process, so that one which got a dead one's number begins anew.
    """

    def __init__(self) -> None:
        self._worked: dict[_Who, float] = {}
        self._seen: set[_Who] = set()

    def idle_seconds(self, uuid: str, found: Found, now: float) -> float | None:
        """Seconds since it last worked; None where the driver or /proc does not tell."""
        if found.entry.sm is None or not isinstance(found.process, Process):
            return None
        who = (uuid, found.entry.gpu_instance, found.entry.pid, found.process.started)
        self._seen.add(who)
        if found.entry.sm > _WORKS:
            self._worked[who] = now
        return now - self._worked.setdefault(who, now)

    def forget_others(self) -> None:
        """Forget those that were not asked for since the last call."""
        self._worked = {who: worked for who, worked in self._worked.items() if who in self._seen}
        self._seen = set()
