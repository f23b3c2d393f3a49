"""The parent's side of the nvml child: its last round as long as it is fresh, and what is known of the GPUs' health.

The supervisor hands in what happens (``on_start``, ``on_frame``, ``on_exit``); nothing here waits for the driver.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from collector.attribution.source import GpuProcesses
from collector.nvml.health.absence import WITHOUT_GPUS, meaning_of
from collector.nvml.health.records import GpuRecords
from collector.nvml.health.source import GpuHealth
from collector.nvml.overdue import Overdue, StuckCall
from collector.nvml.wire import Receiver
from collector.series import Sample
from collector.source import CollectError
from forewarn.base.clock import Clock
from forewarn.base.frames import Frame

log = logging.getLogger(__name__)

FIRST_REPORT_SECONDS: Final = 2.0
STUCK_SECONDS: Final = 8.0
"""Time enough for a slow answer, and little enough that the alert is out within fifteen seconds of the hang."""
_FRESH_INTERVALS: Final = 2


class NvmlSource:
    """GPU samples of the nvml child.

    Args:
        interval: seconds between two rounds of the child.
        records: the GPUs that this node is known to have, their XID errors, and whether collection is paused.
        clock: tells how old things are.
        processes: takes the process lists; None where they are not wanted.
        stuck_after: seconds after which a driver call that has not come back counts as stuck.

    Attributes:
        health: a second source, which goes on while this one has no data: GPUs expected, present and up, XID errors,
            and whether the driver is stuck.
        records: as given.
        processes: a third source, for who uses the GPUs, or None.
    """

    name = "nvml"

    def __init__(
        self,
        interval: float,
        records: GpuRecords,
        clock: Clock,
        processes: GpuProcesses | None = None,
        *,
        stuck_after: float = STUCK_SECONDS,
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._overdue = Overdue(clock, interval, stuck_after=stuck_after)
        self._wire = Receiver()
        self._samples: list[Sample] = []
        self._round_at: float | None = None
        self._absent: Frame | None = None
        self._said_absent: str | None = None
        self._reported = asyncio.Event()
        self._waited = False
        self.records = records
        self.health = GpuHealth(records, self._overdue, clock)
        self.processes = processes
        self._takers: dict[str, Callable[[Frame], None]] = {
            "begin": lambda frame: self._overdue.begun(frame["call"], frame["gpu"]),
            "busy": lambda frame: self._overdue.busy(frame["call"], frame["gpu"], frame["seconds"]),
            "inventory": self.health.take_inventory,
            "layout": self._wire.take_layout,
            "round": self._take_round,
            "absent": self._take_absence,
            "xid": self.health.take_xid,
            "driver_changed": _say_driver_changed,
            **({"processes": processes.take} if processes else {}),
        }

    @property
    def stuck(self) -> StuckCall | None:
        """The driver call that is stuck, or None."""
        return self._overdue.judge()

    @property
    def hanging(self) -> StuckCall | None:
        """The driver call that would outlast the end of the daemon: out for two seconds or more.

        While there is one, the child must be left to end itself.
        """
        return self._overdue.hanging()

    def on_start(self) -> None:
        """The child was started."""
        self._overdue.started()

    def on_frame(self, frame: Frame) -> None:
        """The child said something (kinds as in :mod:`collector.nvml.child`)."""
        take = self._takers.get(frame["kind"])
        if take is not None:
            take(frame)

    def on_exit(self, code: int) -> None:
        """The child ended."""
        log.debug("nvml child ended", extra={"status": code})
        self._overdue.ended()
        self._wire.forget()
        self._round_at = None
        self._samples = []
        if self.records.pause.on:  # after it everything is found out anew
            self._absent = self._said_absent = None
            self._waited = False
            self._reported.clear()
        self.health.forget_up()
        if self.processes is not None:
            self.processes.forget()

    async def collect(self) -> Sequence[Sample]:
        """The samples of the child's last round; none, and no error, in a pause and on a node that never had a GPU.

        Raises:
            CollectError: ``stuck`` while a driver call does not come back, ``no_data`` where the last round is too old,
                else the reason why GPUs that this node is known to have cannot be read.
        """
        if self.records.pause.on:
            return []
        await self._wait_for_first_report()
        stuck = self._overdue.judge()
        if stuck is not None:
            raise CollectError("stuck", str(stuck))
        if self._absent is not None:
            if self.health.expects_gpus or self._absent["reason"] not in WITHOUT_GPUS:
                raise CollectError(self._absent["reason"], meaning_of(self._absent["reason"]))
            return []
        if self._round_at is None:
            raise CollectError("no_data", "the nvml child has not reported")
        age = self._clock.monotonic() - self._round_at
        if age > _FRESH_INTERVALS * self._interval:
            raise CollectError("no_data", f"the last round of the nvml child is {age:.1f} s old")
        return self._samples

    async def close(self) -> None:
        """There is nothing to let go of: the supervisor owns the child."""

    async def _wait_for_first_report(self) -> None:
        """Give a child that has just been started a moment, once, so that the daemon's first round is whole."""
        if not self._waited:
            self._waited = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reported.wait(), min(FIRST_REPORT_SECONDS, 0.4 * self._interval))

    def _take_round(self, frame: Frame) -> None:
        self._overdue.progressed(due_in=self._interval, took=frame["duration"])
        self._samples = self._wire.samples(frame)
        self._round_at = self._clock.monotonic()
        self._absent = self._said_absent = None
        self.health.take_round(frame)
        self._reported.set()

    def _take_absence(self, frame: Frame) -> None:
        self._overdue.progressed(due_in=frame["retry"])
        self._absent = frame
        self._round_at = None
        self._samples = []
        self.health.take_absence(frame)
        if frame["reason"] != self._said_absent:
            self._said_absent = frame["reason"]
            if frame["reason"] in WITHOUT_GPUS and not self.health.expects_gpus:
                log.info("no GPU to watch: %s", frame["hint"], extra={"reason": frame["reason"]})
        self._reported.set()


def _say_driver_changed(frame: Frame) -> None:
    log.warning("the GPU driver was unloaded or replaced, starting anew", extra={"code": frame["code"]})
