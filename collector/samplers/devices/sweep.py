"""Many devices looked through one after the other, on one thread as long as none of them hangs."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

T = TypeVar("T")

_LISTING = "their list"
"""Stands for a device where not even those there are can be told."""
_MOST_LISTINGS = 3


class Sweep(Generic[T]):
    """Asks one device after the other; one that hangs keeps the thread, and the rest go on with a new one.

    A device that hung is left alone until the call comes back.

    Args:
        name: what is swept, for threads and log lines.
        deadline: seconds that one device may take.
    """

    def __init__(self, name: str, deadline: float) -> None:
        self._name = name
        self._deadline = deadline
        self._lane = Lane(name)
        self._stuck: dict[str, Lane] = {}
        self._listings: list[Lane] = []

    @property
    def stuck(self) -> frozenset[str]:
        """Devices whose last call has not come back."""
        return frozenset((*self._stuck, *([_LISTING] if self._listings else ())))

    async def devices(self, names: Callable[[], Sequence[str]]) -> Sequence[str]:
        """The devices there are.

        Raises:
            StuckError: not even that is answered. It is asked again, with a new thread, until several hang.
        """
        for lane in [lane for lane in self._listings if not lane.stuck]:
            self._listings.remove(lane)
            lane.close()
        if len(self._listings) == _MOST_LISTINGS:
            raise StuckError(self._name, self._deadline)
        try:
            return await self._lane.call(names, deadline=self._deadline)
        except StuckError as error:
            self._listings.append(self._renewed(_LISTING, error))
            raise

    async def over(self, devices: Iterable[str], read: Callable[[str], T]) -> dict[str, T]:
        """What each device answered; one that hangs, or answers with an OSError, is left out."""
        for device in [device for device, lane in self._stuck.items() if not lane.stuck]:
            self._release(device)
        found: dict[str, T] = {}
        for device in devices:
            if device in self._stuck:
                continue
            try:
                found[device] = await self._lane.call(read, device, deadline=self._deadline)
            except StuckError as error:
                self._stuck[device] = self._renewed(device, error)
            except OSError as error:
                log.debug("a device does not answer", extra={"device": device, "error": str(error)})
        return found

    def close(self) -> None:
        """Let the threads end; those that hang end with the process."""
        for lane in (self._lane, *self._listings, *self._stuck.values()):
            lane.close()

    def _renewed(self, device: str, error: StuckError) -> Lane:
        """The lane that is kept by a device; another takes its place."""
        log.warning("a device hangs", extra={"sweep": self._name, "device": device, "error": str(error)})
        kept, self._lane = self._lane, Lane(self._name)
        return kept

    def _release(self, device: str) -> None:
        log.info("the device answers again", extra={"sweep": self._name, "device": device})
        self._stuck.pop(device).close()
