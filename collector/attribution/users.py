"""Names of users, from whatever the machine's name service asks: a directory that does not answer costs names only."""

import logging
import pwd
from collections.abc import Callable, Iterable
from typing import Final

from forewarn.base.clock import Clock
from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

KNOWN_SECONDS: Final = 3600.0
UNKNOWN_SECONDS: Final = 300.0


def _look_up(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


class Users:
    """User names by number; who has no name is called by the number.

    Args:
        clock: tells when to ask again.
        deadline: seconds to wait for the name service.
        look_up: asks for one name.
    """

    def __init__(self, clock: Clock, deadline: float, look_up: Callable[[int], str | None] = _look_up) -> None:
        self._clock = clock
        self._deadline = deadline
        self._look_up = look_up
        self._lane = Lane("user-names")
        self._names: dict[int, tuple[str, float]] = {}
        self._silent = False

    async def names(self, uids: Iterable[int]) -> dict[int, str]:
        """The name of each, asked for where it is not known or was asked for long ago."""
        wanted = set(uids)
        now = self._clock.monotonic()
        new = sorted(uid for uid in wanted if self._names.get(uid, ("", 0.0))[1] <= now)
        if new:
            await self._ask(new, now)
        return {uid: self._names[uid][0] for uid in wanted}

    def close(self) -> None:
        """Let the thread end."""
        self._lane.close()

    async def _ask(self, uids: list[int], now: float) -> None:
        found: list[str | None] = [None] * len(uids)
        try:
            found = await self._lane.call(lambda: [self._look_up(uid) for uid in uids], deadline=self._deadline)
            self._silent = False
        except StuckError:
            if not self._silent:
                log.warning("the name service does not answer, users are shown by number", extra={"uids": uids})
            self._silent = True
        for uid, name in zip(uids, found, strict=True):
            before = self._names.get(uid, (str(uid), 0.0))[0]
            self._names[uid] = (name or before, now + (KNOWN_SECONDS if name else UNKNOWN_SECONDS))
