"""What is known of the GPUs beyond one configuration: it outlives a reload, and most of it a restart."""

from collections.abc import Iterable
from pathlib import Path

from collector.nvml.health.conditions import Newest
from collector.nvml.health.expected import ExpectedGpus
from collector.nvml.health.pause import Pause
from collector.nvml.xid.kernel_log import AUTO, KernelLog
from collector.nvml.xid.ledger import XidLedger
from collector.series import SeriesKey
from forewarn.base.clock import Clock


class GpuRecords:
    """The files and memories of one data directory.

    Args:
        folder: the data directory.
        clock: the time.
        way: how the kernel's log is read, as :class:`KernelLog` takes it.
        since_boot: whether XID errors from before the start count.
        newest: looks up the newest values of metrics.
        last_seen: when XID codes were last seen before the start.

    Attributes:
        expected: the GPUs that the node is known to have (gpus.json).
        xids: the XID errors that were seen.
        kernel_log: the second witness of them.
        pause: whether collection is paused (nvml-pause.json).
        newest: looks up the newest values of metrics.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        way: str = AUTO,
        since_boot: bool = False,
        newest: Newest = lambda _: (),
        last_seen: Iterable[tuple[SeriesKey, float]] = (),
    ) -> None:
        self.expected = ExpectedGpus(folder / "gpus.json")
        self.xids = XidLedger(clock, self.expected.at)
        self.xids.restore(last_seen)
        self.kernel_log = KernelLog(way, clock, since_boot=since_boot)
        self.kernel_log.take = self.xids.take_line
        self.xids.second_witness = lambda: self.kernel_log.followed
        self.pause = Pause(folder / "nvml-pause.json", clock)
        self.newest = newest
