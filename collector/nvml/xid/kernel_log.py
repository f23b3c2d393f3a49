"""The kernel's log as second witness of XID errors: what the driver prints there, and how to follow it.

Read by the parent, on its event loop: /dev/kmsg opened with O_NONBLOCK never blocks and never reaches the driver, and
the moment in which it is needed most is the one in which the nvml child hangs, ends or is paused.
"""

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector.nvml.xid.journal import JournalFollower
from collector.nvml.xid.kmsg import KmsgFollower, LogLine
from forewarn.base.clock import Clock

log = logging.getLogger(__name__)

AUTO, JOURNALD, OFF = "auto", "journald", "off"
KMSG: Final = Path("/dev/kmsg")

_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<slot>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.[0-7])?(?: GPU-I:[0-9]+)?\):"
    r" (?P<xid>[0-9]{1,4})(?:, (?P<text>.*))?$"
)
"""With MIG the address is followed by the GPU instance; drivers before 346 leave ``PCI:`` out."""


@dataclass(frozen=True, slots=True)
class KernelXid:
    """An XID error as the kernel's log has it.

    Attributes:
        slot: the GPU's place, as ``pci_slot`` writes it.
        xid: the code.
        text: what follows the code: process and particulars.
        time_ms: when it was logged.
        live: it was logged just now; False for what an earlier part of the log holds.
    """

    slot: str
    xid: str
    text: str
    time_ms: int
    live: bool


def pci_slot(address: str) -> str:
    """Domain, bus and device of a PCI address in one spelling: ``00000000:3B:00.0`` and ``0000:3b:00`` are the same.

    Empty where the text is no address.
    """
    domain, _, rest = address.partition(":")
    bus, _, device = rest.partition(":")
    try:
        return f"{int(domain, 16):04x}:{int(bus, 16):02x}:{int(device.partition('.')[0], 16):02x}"
    except ValueError:
        return ""


def parse_xid(line: LogLine) -> KernelXid | None:
    """The XID error that a line of the kernel's log tells of; None for every other line."""
    found = _XID.search(line.message)
    if found is None:
        return None
    return KernelXid(pci_slot(found["slot"]), found["xid"], found["text"] or "", line.time_ms, line.live)


class KernelLog:
    """Follows the kernel's log by whichever way is open.

    Args:
        way: ``auto`` (/dev/kmsg, else journald), ``journald``, ``off``, or the path of the device.
        since_boot: whether to begin with what was logged before now.
        clock: tells the time of what is logged.

    Attributes:
        take: given every XID error; called on the event loop.
        followed: whether the log is being read.
    """

    def __init__(self, way: str, clock: Clock, *, since_boot: bool = False) -> None:
        self.take: Callable[[KernelXid], None] = lambda _: None
        self.followed = False
        self._way = way
        self._started = self._said = False
        device = KMSG if way in {AUTO, JOURNALD, OFF} else Path(way)
        self._kmsg = KmsgFollower(device, self._line, clock, since_boot=since_boot)
        self._journal = JournalFollower(self._line, self._journal_ended, clock, since_boot=since_boot)

    def start(self) -> None:
        """Begin to read, or go on where ``close`` stopped; nothing happens where it is being read. Needs a loop."""
        if self._started or self._way == OFF:
            return
        self._started = True
        if self._way != JOURNALD:
            try:
                self._kmsg.open()
            except OSError as error:
                log.debug("the kernel's log cannot be read directly", extra={"error": error.strerror})
            else:
                self.followed = True
                return
        if self._way in {AUTO, JOURNALD} and shutil.which("journalctl"):
            self.followed = True
            self._journal.start()
        else:
            self._give_up()

    async def close(self) -> None:
        """Stop reading; ``start`` goes on with what came meanwhile."""
        self._started = self.followed = False
        self._kmsg.close()
        await self._journal.close()

    def _journal_ended(self) -> None:
        self.followed = False
        self._give_up()

    def _give_up(self) -> None:
        if self._said:
            return
        self._said = True
        log.info(
            "the kernel's log cannot be read: XID errors are known from the driver's events only",
            extra={"hint": "put the daemon's user into the group systemd-journal"},
        )

    def _line(self, line: LogLine) -> None:
        found = parse_xid(line)
        if found is not None:
            self.take(found)
