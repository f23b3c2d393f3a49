"""What commands may ask about GPU collection: pause it, let it go on, forget GPUs that were taken out."""

import logging
from typing import Final

from collector.nvml.health.pause import LONGEST_SECONDS
from collector.nvml.source import NvmlSource
from forewarn.base.errors import ForewarnError, UsageError
from forewarn.base.frames import Frame
from forewarn.base.lane import StuckError
from forewarn.supervise import Child

log = logging.getLogger(__name__)

LEAVE_SECONDS: Final = 10.0
"""For so long a pause waits until the child has let go of the GPUs, before it says that it has not."""


class GpuDesk:
    """Serves these requests for the GPUs of one configuration.

    Args:
        source: the parent's side of the nvml child.
        child: the child.

    Attributes:
        source: as given.
    """

    def __init__(self, source: NvmlSource, child: Child) -> None:
        self.source = source
        self._pause = source.records.pause
        self._child = child

    async def pause(self, seconds: float) -> Frame:
        """Stop all GPU collection for so long.

        Returns:
            ``until``; ``released``: whether NVML was shut down and no process of ours holds a GPU any more; where it
            was not, ``hanging`` names the driver call that is waited for.

        Raises:
            UsageError: the time is no time, or longer than a day.
        """
        if not 0 < seconds <= LONGEST_SECONDS:
            raise UsageError("a pause lasts between a second and a day", hint="write it like --for 30m")
        self._pause.begin(seconds)
        await self.source.health.keep_pause()
        released = await self._child.leave(LEAVE_SECONDS)
        hanging = None if released else str(self.source.hanging or "a driver call")
        if not released:
            log.warning("the GPUs are not let go of yet: %s", hanging, extra={"hint": "they are once it comes back"})
        return {"until": self._pause.until, "released": released, "hanging": hanging}

    async def resume(self) -> Frame:
        """Let collection go on; ``was_paused`` says whether it was not."""
        was_paused = self._pause.on
        self._pause.end("asked to")
        await self.source.health.keep_pause()
        return {"was_paused": was_paused}

    async def forget(self, uuids: list[str] | None) -> Frame:
        """Miss the GPUs of these UUIDs no longer, or, without any, all that do not answer; ``forgotten`` lists them.

        Raises:
            ForewarnError: one is not known here, or answers; nothing is known of the GPUs; it could not be kept.
        """
        health = self.source.health
        if self._pause.on or not health.looked:
            raise ForewarnError(
                "which GPUs are missing is not known at the moment",
                hint="try again once 'forewarn status' shows them; during a pause nobody looks",
            )
        missing = {gpu.uuid: gpu for gpu in health.missing()}
        for uuid in uuids or ():
            if uuid not in self.source.records.expected.gpus:
                known = ", ".join(self.source.records.expected.gpus) or "none"
                raise ForewarnError(f"no GPU {uuid} is known here", hint=f"known are: {known}")
            if uuid not in missing:
                raise ForewarnError(f"GPU {uuid} is there", hint="only a GPU that does not answer can be forgotten")
        gone = [missing[uuid] for uuid in (missing if uuids is None else dict.fromkeys(uuids))]
        try:
            await health.forget([gpu.uuid for gpu in gone])
        except (OSError, StuckError) as error:
            raise ForewarnError(f"it could not be kept: {error}", hint="see the disk of the data directory") from error
        for gpu in gone:
            log.warning(
                "GPU was forgotten, as asked for by a command",
                extra={"uuid": gpu.uuid, "gpu": gpu.gpu, "pci_bus_id": gpu.pci_bus_id, "gpu_name": gpu.name},
            )
        return {"forgotten": [{"uuid": gpu.uuid, "gpu": gpu.gpu, "name": gpu.name} for gpu in gone]}
