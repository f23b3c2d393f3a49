"""What is known of the GPUs' health, readings or not: a source that always has something to say."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from collector.nvml.health.absence import MISSED, WITHOUT_GPUS
from collector.nvml.health.conditions import Conditions, Place, of_missing
from collector.nvml.health.expected import KnownGpu
from collector.nvml.health.records import GpuRecords
from collector.nvml.overdue import Overdue
from collector.series import Sample, SeriesKey
from forewarn.base.clock import Clock
from forewarn.base.frames import Frame
from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

_SAVE_SECONDS: Final = 2.0
_NOT_THE_DRIVERS: Final = frozenset({"no_gpu", "gpu_lost"})
_STUCK: Final = "driver_stuck"


class GpuHealth:
    """GPUs expected, present and up, their XID errors, what is wrong with them, and whether collection is paused.

    Args:
        records: what outlives this object.
        overdue: knows of driver calls that do not come back.
        clock: the time.

    Attributes:
        conditions: what is wrong.
    """

    name = "gpu_health"

    def __init__(self, records: GpuRecords, overdue: Overdue, clock: Clock) -> None:
        self._records = records
        self._expected = records.expected
        self._overdue = overdue
        self._up: frozenset[str] | None = None
        self._codes: Mapping[str, int] = {}
        self._absent: Frame | None = None
        self._mismatch = ""
        self.conditions = Conditions(clock, records.newest)
        self._lane = Lane("known-gpus-file")
        self._saving: asyncio.Task[None] | None = None

    @property
    def expects_gpus(self) -> bool:
        """Whether this node is known to have GPUs."""
        return bool(self._expected.gpus)

    def take_inventory(self, frame: Frame) -> None:
        """The GPUs that have a handle, and how the versions of the driver's parts differ."""
        self._expected.learn(frame["devices"])
        self._mismatch = frame.get("mismatch", "")

    def take_round(self, frame: Frame) -> None:
        """The GPUs that answered in the last round, and the error numbers of those that did not."""
        self._absent = None
        self._up, self._codes = frozenset(frame["up"]), frame.get("down", {})

    def take_absence(self, frame: Frame) -> None:
        """There is no GPU to read."""
        self._absent = frame
        self._up, self._codes = frozenset(), {}

    def forget_up(self) -> None:
        """Nobody looks at the GPUs at the moment, so nothing is said about which are up."""
        self._up = self._absent = None

    def take_xid(self, frame: Frame) -> None:
        """The driver told of an XID error."""
        self._records.xids.take_event(frame)

    @property
    def looked(self) -> bool:
        """Whether it is known which GPUs are missing: they were looked for, and the driver as a whole is well."""
        driver_well = self._absent is None or self._absent["reason"] in _NOT_THE_DRIVERS
        return self._up is not None and driver_well

    def missing(self) -> list[KnownGpu]:
        """The known GPUs that did not answer when they were last looked for."""
        if self._up is None:
            return []
        return [gpu for uuid, gpu in self._expected.gpus.items() if uuid not in self._up]

    async def forget(self, uuids: Sequence[str]) -> None:
        """Miss these GPUs no longer; kept on the disk when it returns.

        Raises:
            OSError: it could not be kept.
            StuckError: the disk does not answer.
        """
        self._expected.forget(uuids)
        await self._lane.call(self._expected.save, deadline=_SAVE_SECONDS)

    async def keep_pause(self) -> None:
        """Keep on the disk whether there is a pause; that it could not be kept is said, and the pause goes on."""
        await self._keep(self._records.pause.save, "the pause is not known to a daemon that is started meanwhile")

    async def collect(self) -> Sequence[Sample]:
        """The samples; of GPUs none before the child was started, nor during a pause."""
        pause = self._records.pause
        self._records.kernel_log.start()
        if pause.end_in_time():
            await self.keep_pause()
        if self._expected.unsaved and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(
                self._keep(self._expected.save, "the known GPUs were not saved"), name="save known GPUs"
            )
        samples = [Sample(SeriesKey("forewarn_nvml_paused"), float(pause.on)), *self._records.xids.samples()]
        if pause.on:
            samples.append(Sample(SeriesKey("forewarn_nvml_pause_remaining_seconds"), pause.left))
        if not self._overdue.ever_started:
            return samples
        stuck = self._overdue.judge() is not None
        samples.append(Sample(SeriesKey("forewarn_nvml_stuck"), float(stuck)))
        self._diagnose(stuck=stuck)
        if pause.on:
            return samples
        samples += self.conditions.samples()
        if self.expects_gpus:
            samples.append(Sample(SeriesKey("forewarn_gpu_expected"), len(self._expected.gpus)))
            samples += self._presence(stuck=stuck)
        return samples

    async def close(self) -> None:
        """Let a write that is under way come to its end."""
        if self._saving is not None:
            await self._saving
        await self._records.kernel_log.close()
        self._lane.close()

    def report(self) -> dict[str, Any]:
        """What ``forewarn status`` says of the GPUs."""
        pause = self._records.pause
        return {
            "expected": len(self._expected.gpus),
            "present": None if self._up is None or self._overdue.stuck else len(self._up),
            "paused_until": pause.until,
            "xid_witness": "driver events and kernel log" if self._records.kernel_log.followed else "driver events",
            "conditions": [row for row in self.conditions.rows() if not pause.on or row["condition"] == _STUCK],
        }

    def _diagnose(self, *, stuck: bool) -> None:
        """Judge anew, as far as anything is known."""
        if stuck:
            self.conditions.add({Place(_STUCK): str(self._overdue.stuck)})
        elif self._absent is not None:
            self.conditions.update(self._why_absent(self._absent))
        elif self._up is not None:
            found = of_missing(self.missing(), self._codes)
            if self._mismatch:
                found[Place("driver_mismatch")] = self._mismatch
            if slow := self._overdue.slow:
                found[Place("driver_slow")] = slow
            self.conditions.update(found)
        else:
            self.conditions.end(_STUCK)

    def _why_absent(self, frame: Frame) -> dict[Place, str]:
        reason = frame["reason"]
        if reason in WITHOUT_GPUS:
            if not self.expects_gpus:
                return {}
            if reason not in MISSED:
                return of_missing(self._expected.gpus.values(), {})
            reason = MISSED[reason]
        return {Place(reason): frame.get("detail", "")}

    def _presence(self, *, stuck: bool) -> list[Sample]:
        """Who is up, as far as it is known: a stuck driver tells nothing of those that were."""
        if self._up is None:
            return []
        present = [] if stuck else [Sample(SeriesKey("forewarn_gpu_present"), len(self._up))]
        return present + [
            Sample(SeriesKey.of("forewarn_gpu_up", gpu=gpu.gpu, uuid=uuid), float(uuid in self._up))
            for uuid, gpu in self._expected.gpus.items()
            if not (stuck and uuid in self._up)
        ]

    async def _keep(self, save: Callable[[], None], otherwise: str) -> None:
        try:
            await self._lane.call(save, deadline=_SAVE_SECONDS)
        except (OSError, StuckError) as error:
            log.warning("%s: %s", otherwise, error)
