"""The host as /proc tells it: processors, memory, disks, network, the kernel's limits and its clock."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from collector.samplers.host.diskstats import Disks
from collector.samplers.host.kernel import AdjTimex, Identity, Limits, TimeSync, ask_kernel
from collector.samplers.host.memory import Memory, Numa, Paging
from collector.samplers.host.processors import Load, Pressure, Processors
from collector.samplers.host.traffic import Conntrack, Interfaces, Sockets, Softnet
from collector.samplers.host.tree import Roots
from collector.series import Sample
from collector.settings import HostSettings
from collector.source import CollectError
from forewarn.base.clock import Clock
from forewarn.base.lane import Lane

log = logging.getLogger(__name__)

Read = Callable[[], Iterable[Sample]]

FAST, MEDIUM, SLOW = 0.0, 15.0, 300.0
"""Seconds between two reads of a part; its samples are held in between."""


@dataclass(slots=True)
class _Part:
    """One file or two of the kernel's, and what they told last."""

    name: str
    read: Read
    every: float
    due: float = 0.0
    held: list[Sample] = field(default_factory=list)
    trouble: str = ""


class Host:
    """The source of ``forewarn_node_*`` that come from /proc.

    The kernel's files are read on a lane, for /proc too waits when the kernel is in trouble. A part whose file is not
    there gives nothing; one that cannot be read is named once, and stops no other.

    Args:
        settings: which parts are wanted, and which devices are not.
        patience: seconds that all parts together may take.
        clock: time for cadences and ratios.
        roots: where /proc and /sys are.
        adjtimex: asks the kernel for its clock.
    """

    name = "host"

    def __init__(
        self,
        settings: HostSettings,
        patience: float,
        clock: Clock,
        roots: Roots | None = None,
        *,
        adjtimex: AdjTimex = ask_kernel,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._lane = Lane("host")
        self._parts = [_Part(*part) for part in _parts(settings, clock, roots or Roots(), adjtimex)]

    async def collect(self) -> Sequence[Sample]:
        """What the host does now; ratios over time are there from the second round on.

        Raises:
            CollectError: no part of it could be read.
            StuckError: the kernel did not answer.
        """
        return await self._lane.call(self._read, deadline=self._patience)

    async def close(self) -> None:
        """Let the thread end."""
        self._lane.close()

    def _read(self) -> list[Sample]:
        now = self._clock.monotonic()
        for part in self._parts:
            if now >= part.due:
                part.due = now + part.every
                _read_part(part)
        samples = [sample for part in self._parts for sample in part.held]
        if not samples:
            raise CollectError("unreadable", "nothing of the host could be read: is /proc mounted?")
        return samples


def _parts(settings: HostSettings, clock: Clock, roots: Roots, adjtimex: AdjTimex) -> list[tuple[str, Read, float]]:
    table: tuple[tuple[bool, tuple[tuple[str, Read, float], ...]], ...] = (
        (
            settings.cpu,
            (
                ("stat", Processors(roots), FAST),
                ("loadavg", Load(roots), FAST),
                ("pressure", Pressure(roots), FAST),
                ("limits", Limits(roots), MEDIUM),
                ("identity", Identity(roots), SLOW),
                ("timex", TimeSync(adjtimex), MEDIUM),
            ),
        ),
        (
            settings.memory,
            (
                ("meminfo", Memory(roots), FAST),
                ("vmstat", Paging(roots, lambda: clock.now_ms() / 1000), MEDIUM),
                ("numa", Numa(roots), MEDIUM),
            ),
        ),
        (
            settings.network,
            (
                ("sockets", Sockets(roots), MEDIUM),
                ("softnet", Softnet(roots), MEDIUM),
                ("conntrack", Conntrack(roots), MEDIUM),
            ),
        ),
        # What there may be hundreds of comes last: where a source has too many series, its last ones are refused.
        (settings.disks, (("diskstats", Disks(roots, settings.ignore_devices, clock.monotonic), FAST),)),
        (settings.network, (("interfaces", Interfaces(roots, settings.ignore_interfaces), FAST),)),
    )
    return [part for wanted, parts in table if wanted for part in parts]


def _read_part(part: _Part) -> None:
    trouble, level = "", logging.WARNING
    try:
        part.held = list(part.read())
    except FileNotFoundError:  # this kernel does not have it
        part.held = []
    except PermissionError as error:  # somebody decided so: a sandbox, a container
        part.held, trouble, level = [], str(error), logging.INFO
    except (OSError, ValueError, LookupError) as error:  # not what the kernel used to write
        part.held, trouble = [], f"{type(error).__name__}: {error}"
    if trouble and not part.trouble:
        log.log(level, "a part of the host cannot be read", extra={"part": part.name, "error": trouble})
    elif part.trouble and not trouble:
        log.info("the part of the host can be read again", extra={"part": part.name})
    part.trouble = trouble
