"""The XID errors that were seen: counted by GPU and code, once each, whoever saw them."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from collector.nvml.health.expected import KnownGpu
from collector.nvml.xid.kernel_log import KernelXid
from collector.nvml.xid.meanings import UNKNOWN_XID, xid_row
from collector.series import Sample, SeriesKey
from forewarn.base.clock import Clock
from forewarn.base.frames import Frame

log = logging.getLogger(__name__)

LAST_SEEN: Final = "forewarn_gpu_xid_last_timestamp_seconds"
SAME_SECONDS: Final = 5.0
"""So far apart the driver's event and the kernel's line about one error arrive at most."""
_TOLD_SECONDS: Final = 60.0
_MOST_OPEN: Final = 1000
_LEVELS: Final = {"critical": logging.ERROR, "warning": logging.WARNING, "none": logging.INFO}

Key = tuple[str, str, str]
"""GPU's index, its UUID, code."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    witness: Literal["nvml", "kernel"]
    gpu: str
    uuid: str
    xid: str
    time_ms: int
    seen: float
    text: str = ""

    @property
    def key(self) -> Key:
        return (self.gpu, self.uuid, self.xid)

    def is_of(self, other: "_Sighting") -> bool:
        """Whether both are about one error; a code that the driver did not tell may be any."""
        return (
            self.witness != other.witness
            and (self.gpu, self.uuid) == (other.gpu, other.uuid)
            and (self.xid == other.xid or UNKNOWN_XID in {self.xid, other.xid})
        )


class XidLedger:
    """Counts since the daemon's start, and when each code was last seen, which outlives it.

    Sightings of the two witnesses are paired one to one, so that an error which both tell of counts once, and one that
    the driver logs in three lines counts as often as the more talkative of them says.

    Args:
        clock: the time.
        gpu_at: the known GPU in a PCI slot, or None.
    """

    def __init__(self, clock: Clock, gpu_at: Callable[[str], KnownGpu | None]) -> None:
        self._clock = clock
        self._gpu_at = gpu_at
        self._counts: dict[Key, int] = {}
        self._last: dict[Key, float] = {}
        self._open: deque[_Sighting] = deque(maxlen=_MOST_OPEN)
        self._held: list[_Sighting] = []
        self._told: dict[Key, tuple[float, int]] = {}
        self.second_witness: Callable[[], bool] = lambda: False

    def restore(self, known: Iterable[tuple[SeriesKey, float]]) -> None:
        """Take up when codes were seen before the start: the newest values of that metric in the store."""
        for key, seconds in known:
            self._last.setdefault((key.label("gpu"), key.label("uuid"), key.label("xid")), seconds)

    def take_event(self, frame: Frame) -> None:
        """The driver told of an XID error (the nvml child's frame)."""
        self._take(
            _Sighting("nvml", frame["gpu"], frame["uuid"], frame["xid"], frame["time_ms"], seen=self._clock.monotonic())
        )

    def take_line(self, line: KernelXid) -> None:
        """The kernel's log tells of an XID error; of a GPU that nobody knows, its slot stands for its index."""
        known = self._gpu_at(line.slot)
        gpu, uuid = (known.gpu, known.uuid) if known else (line.slot, "")
        found = _Sighting("kernel", gpu, uuid, line.xid, line.time_ms, self._clock.monotonic(), line.text)
        if line.live:
            self._take(found)
        else:
            self._count(found)

    def samples(self) -> list[Sample]:
        """Counters, and times of the last ones."""
        self._settle()
        samples = [
            Sample(_series("forewarn_gpu_xid_errors_total", key), count, counter=True)
            for key, count in self._counts.items()
        ]
        return samples + [Sample(_series(LAST_SEEN, key), seconds) for key, seconds in self._last.items()]

    def _take(self, found: _Sighting) -> None:
        self._settle()
        partners = [other for other in self._open if found.is_of(other)]
        if partners:
            partner = next((other for other in partners if other.xid == found.xid), partners[0])
            self._open.remove(partner)
            if partner in self._held:
                self._held.remove(partner)
                self._count(found)
            return
        self._open.append(found)
        if found.xid == UNKNOWN_XID and self.second_witness():
            self._held.append(found)
        else:
            self._count(found)

    def _settle(self) -> None:
        """Give up waiting for the other witness of what is too old."""
        oldest = self._clock.monotonic() - SAME_SECONDS
        while self._open and self._open[0].seen < oldest:
            self._open.popleft()
        while self._held and self._held[0].seen < oldest:
            self._count(self._held.pop(0))

    def _count(self, found: _Sighting) -> None:
        key = found.key
        self._counts[key] = self._counts.get(key, 0) + 1
        self._last[key] = max(self._last.get(key, 0.0), found.time_ms / 1000)
        self._tell(found)

    def _tell(self, found: _Sighting) -> None:
        """A line in the log for the first one, then at most one a minute: some codes come by the thousand."""
        now, count = self._clock.monotonic(), self._counts[found.key]
        before = self._told.get(found.key)
        if before is not None and now - before[0] < _TOLD_SECONDS:
            return
        self._told[found.key] = (now, count)
        row = xid_row(found.xid)
        log.log(
            _LEVELS[row.severity],
            "GPU %s reported XID %s: %s",
            found.gpu or "?",
            found.xid,
            row.meaning,
            extra={
                "uuid": found.uuid,
                "blame": row.blame,
                "next_step": row.next_step,
                "seen_by": found.witness,
                "text": found.text or None,
                "times": count - (before[1] if before else 0),
            },
        )


def _series(name: str, key: Key) -> SeriesKey:
    gpu, uuid, xid = key
    return SeriesKey.of(name, gpu=gpu, uuid=uuid, xid=xid)
