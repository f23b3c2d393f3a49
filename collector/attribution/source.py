"""The source of ``forewarn_gpu_process_*``: the driver's process lists, and /proc for who stands behind each number."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from collector.attribution.activity import Activity
from collector.attribution.entries import GpuLists, GpuUse
from collector.attribution.groups import Owners, gather, samples_of
from collector.attribution.listing import Idle, Picture
from collector.attribution.procfs import Missing, ProcFs
from collector.attribution.sight import Dead, Sight
from collector.attribution.users import Users
from collector.series import Sample, SeriesKey
from forewarn.base.clock import Clock
from forewarn.base.frames import Frame
from forewarn.base.lane import Lane

log = logging.getLogger(__name__)

_FRESH_ROUNDS: Final = 2
_NAMES_SHARE: Final = 0.3
_HIDDEN_HINT: Final = (
    "under systemd, 'forewarn install-service --attribution' adds the drop-in forewarn-attribution.conf; "
    "elsewhere mount /proc without hidepid"
)
_NAMESPACE_HINT: Final = "let the container see the machine's process numbers: --pid=host, or hostPID: true"


class GpuProcesses:
    """Who uses the GPUs.

    The nvml child hands in the lists; /proc is read on a lane, names of users come over a second one.

    Args:
        clock: tells how old the lists are.
        patience: seconds that a round's look-ups may take.
        proc: looks processes up.
        users: names users.
    """

    name = "gpu_processes"

    def __init__(self, clock: Clock, patience: float, proc: ProcFs | None = None, users: Users | None = None) -> None:
        self._clock = clock
        self._deadline = (1 - _NAMES_SHARE) * patience
        self._proc = proc or ProcFs()
        self._users = users or Users(clock, _NAMES_SHARE * patience)
        self._lane = Lane("gpu-processes")
        self._owners = Owners()
        self._activity = Activity()
        self._dead = Dead()
        self._said: set[str] = set()
        self._frame: Frame | None = None
        self._digested: Frame | None = None
        self._taken = 0.0
        self._samples: list[Sample] = []
        self._picture: Picture | None = None

    def take(self, frame: Frame) -> None:
        """The child's newest lists, as made in :mod:`collector.nvml.readings.processes`."""
        self._frame = frame
        self._taken = self._clock.monotonic()

    def forget(self) -> None:
        """Nobody looks at the GPUs at the moment."""
        self._frame = None

    async def collect(self) -> Sequence[Sample]:
        """The samples of the newest lists; none where they are old: why, the source ``nvml`` tells.

        Raises:
            StuckError: /proc does not answer.
        """
        frame = self._frame
        if frame is None or self._clock.monotonic() - self._taken > _FRESH_ROUNDS * frame["every"]:
            self._samples, self._picture = [], None
        elif frame is not self._digested:
            await self._digest(frame)
        return self._samples

    def listing(self) -> list[dict[str, Any]] | None:
        """Every process of the last look, the largest of each GPU first, as JSON; None where nothing is known now."""
        return None if self._picture is None else self._picture.rows()

    async def close(self) -> None:
        """Let the threads end."""
        self._lane.close()
        self._users.close()

    async def _digest(self, frame: Frame) -> None:
        lists = [GpuLists.of(body) for body in frame["gpus"]]
        sight = await self._lane.call(Sight.take, self._proc, lists, deadline=self._deadline)
        names = await self._users.names(sight.uids)
        self._tell("the GPUs' processes cannot be looked up from in here", _NAMESPACE_HINT, when=sight.own_namespace)
        self._tell("GPU processes of other users are hidden from us", _HIDDEN_HINT, when=sight.hides)
        known = {sample.key: sample.key for sample in self._samples}
        self._samples = []
        gpus = [(use, self._describe(use, sight, known)) for use in self._dead.use(lists, sight, names)]
        self._picture = Picture(gpus, sight.boot_time, self._clock.now_ms())
        self._activity.forget_others()
        self._digested = frame

    def _describe(self, use: GpuUse, sight: Sight, known: Mapping[SeriesKey, SeriesKey]) -> Idle:
        now = self._clock.monotonic()
        idle = [(each, self._activity.idle_seconds(use.uuid, each, now)) for each in use.found]
        living = [(each, seconds) for each, seconds in idle if each.process is not Missing.GONE]
        groups = self._owners.choose(use.uuid, gather(living), now)
        for sample in samples_of(use, groups, tells_dead=not sight.own_namespace):
            self._samples.append(Sample(known.get(sample.key, sample.key), sample.value))
        return idle

    def _tell(self, what: str, hint: str, *, when: bool) -> None:
        """Say once that something is so, and once that it is over."""
        if when and what not in self._said:
            self._said.add(what)
            log.warning("%s", what, extra={"hint": hint})
        elif not when and what in self._said:
            self._said.discard(what)
            log.info("no longer so: %s", what)
