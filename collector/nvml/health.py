"""What is known of the GPUs' health, readings or not: a source that always has something to say."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from collector.nvml.expected import ExpectedGpus
from collector.nvml.overdue import Overdue
from collector.series import Sample, SeriesKey
from forewarn.base.frames import Frame
from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

_SAVE_SECONDS: Final = 2.0


class GpuHealth:
    """GPUs expected, present and up, their XID errors, and whether the driver is stuck."""

    name = "gpu_health"

    def __init__(self, expected: ExpectedGpus, overdue: Overdue) -> None:
        self._expected = expected
        self._overdue = overdue
        self._up: frozenset[str] | None = None
        self._xids: dict[tuple[str, str, str], tuple[int, float]] = {}
        self._lane = Lane("known-gpus-file")
        self._saving: asyncio.Task[None] | None = None

    @property
    def expects_gpus(self) -> bool:
        """Whether this node is known to have GPUs."""
        return bool(self._expected.gpus)

    def take_inventory(self, devices: Sequence[Mapping[str, str]]) -> None:
        """The GPUs that have a handle."""
        self._expected.learn(devices)
        missing = self._expected.gpus.keys() - {device["uuid"] for device in devices}
        if missing:
            hint = f"if they were taken out for good, remove them from {self._expected.path}"
            log.warning("GPUs that this node had are missing", extra={"uuids": sorted(missing), "hint": hint})

    def take_up(self, uuids: Sequence[str]) -> None:
        """The GPUs that answered in the last round."""
        self._up = frozenset(uuids)

    def forget_up(self) -> None:
        """Nobody looks at the GPUs at the moment, so nothing is said about which are up."""
        self._up = None

    def take_xid(self, frame: Frame) -> None:
        """An XID error was reported."""
        key = (frame["gpu"], frame["uuid"], frame["xid"])
        count, _ = self._xids.get(key, (0, 0.0))
        self._xids[key] = (count + 1, frame["time_ms"] / 1000)

    async def collect(self) -> Sequence[Sample]:
        """The samples; none before the child was started."""
        if self._expected.unsaved and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._save(), name="save known GPUs")
        if not self._overdue.ever_started:
            return []
        stuck = self._overdue.judge() is not None
        samples = [Sample(SeriesKey("forewarn_nvml_stuck"), float(stuck)), *self._xid_samples()]
        if self.expects_gpus:
            samples.append(Sample(SeriesKey("forewarn_gpu_expected"), len(self._expected.gpus)))
            samples += self._presence(stuck=stuck)
        return samples

    async def close(self) -> None:
        """Let a write that is under way come to its end."""
        if self._saving is not None:
            await self._saving
        self._lane.close()

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

    def _xid_samples(self) -> list[Sample]:
        samples = []
        for (gpu, uuid, xid), (count, last) in self._xids.items():
            total = SeriesKey.of("forewarn_gpu_xid_errors_total", gpu=gpu, uuid=uuid, xid=xid)
            samples.append(Sample(total, count, counter=True))
            samples.append(Sample(SeriesKey("forewarn_gpu_xid_last_timestamp_seconds", total.labels), last))
        return samples

    async def _save(self) -> None:
        try:
            await self._lane.call(self._expected.save, deadline=_SAVE_SECONDS)
        except (OSError, StuckError) as error:
            log.warning("the known GPUs were not saved: %s", error, extra={"path": str(self._expected.path)})
