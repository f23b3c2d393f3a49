"""Space and files of each file system; one that does not answer is named, and stops no other."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collector.samplers.host.mounts import MOUNTINFO, Mount, Writability, choose, parse_mountinfo
from collector.series import Sample, SeriesKey
from collector.settings import HostSettings
from collector.source import CollectError
from forewarn.base.lane import Lane, NoThreadError, StuckError

log = logging.getLogger(__name__)

_FORBIDDEN = "forbidden"

StatVfs = Callable[[str], os.statvfs_result]


class Filesystems:
    """The source of ``forewarn_node_filesystem_*``.

    Every mount has a lane of its own: statvfs of a network file system whose server is gone never returns.

    Args:
        settings: what to leave out, and the deadline of a mount in seconds.
        patience: the longest deadline, in seconds, that the rounds allow.
        statvfs: asks the kernel about one mount point.
        mountinfo: the file that lists the mounts.
    """

    name = "filesystems"

    def __init__(
        self,
        settings: HostSettings,
        patience: float,
        *,
        statvfs: StatVfs = os.statvfs,
        mountinfo: Path = MOUNTINFO,
    ) -> None:
        self._settings = settings
        self._deadline = min(settings.statvfs_timeout, patience)
        self._statvfs = statvfs
        self._mountinfo = mountinfo
        self._listing = Lane("mounts")
        self._lanes: dict[str, Lane] = {}
        self._troubles: dict[str, str] = {}
        self._writability = Writability()
        self._listed = b""
        self._chosen: list[Mount] = []

    async def collect(self) -> Sequence[Sample]:
        """Space and files of each file system that answers, and who does not.

        Raises:
            CollectError: the list of mounts cannot be read.
        """
        mounts = await self._mounts()
        for gone in self._lanes.keys() - {mount.mountpoint for mount in mounts}:
            self._lanes.pop(gone).close()
            self._troubles.pop(gone, None)
        found = await asyncio.gather(*(self._one(mount) for mount in mounts))
        return [sample for samples in found for sample in samples]

    async def close(self) -> None:
        """Let the threads end; those that are stuck end with the process."""
        for lane in (self._listing, *self._lanes.values()):
            lane.close()

    async def _mounts(self) -> list[Mount]:
        try:
            listing = await self._listing.call(self._mountinfo.read_bytes, deadline=self._deadline)
        except (OSError, StuckError) as error:
            raise CollectError("mounts", f"cannot read {self._mountinfo}: {error}") from error
        if listing != self._listed:
            mounts, settings = parse_mountinfo(os.fsdecode(listing)), self._settings
            self._writability.look(mounts)
            self._chosen = choose(mounts, settings.ignore_filesystems, settings.ignore_mountpoints)
            self._listed = listing
        return self._chosen

    async def _one(self, mount: Mount) -> list[Sample]:
        mountpoint = mount.mountpoint
        lane = self._lanes.setdefault(mountpoint, Lane(f"statvfs {mountpoint}"))
        space: os.statvfs_result | None = None
        trouble = ""
        try:
            space = await lane.call(self._statvfs, mountpoint, deadline=self._deadline)
        except NoThreadError:  # says nothing of this file system
            trouble = "no thread"
        except StuckError:
            trouble = "stuck"
        except PermissionError:  # a user's own FUSE mount, for one
            trouble = _FORBIDDEN
        except OSError as error:
            trouble = error.strerror or "error"
        self._report(mountpoint, trouble)
        if trouble == _FORBIDDEN:
            return []
        label = mountpoint.encode("utf-8", "replace").decode()  # a name that is no UTF-8 must not break /metrics
        forced = self._writability.forced(mount)
        samples = [
            _sample("stuck", label, float(trouble == "stuck")),
            _sample("error", label, float(trouble not in {"", "stuck"})),
            _sample("readonly", label, float(self._writability.readonly(mount))),
            _sample("forced_readonly", label, float(forced)),
        ]
        if space is not None:
            samples += _space(space, label, filling=forced or not mount.readonly)
        return samples

    def _report(self, mountpoint: str, trouble: str) -> None:
        if self._troubles.get(mountpoint, "") == trouble:
            return
        self._troubles[mountpoint] = trouble
        if trouble == _FORBIDDEN:
            log.info("a file system may not be looked at, and is left out", extra={"mountpoint": mountpoint})
        elif trouble:
            log.warning("a file system does not answer", extra={"mountpoint": mountpoint, "trouble": trouble})
        else:
            log.info("the file system answers again", extra={"mountpoint": mountpoint})


def _space(space: os.statvfs_result, label: str, *, filling: bool) -> Iterator[Sample]:
    """Size, and what of it is free; of a file system that is meant to be read-only and cannot fill, the size alone."""
    if space.f_blocks > 0:
        yield _sample("size_bytes", label, float(space.f_blocks * space.f_frsize))
        if filling:
            yield _sample("avail_bytes", label, float(space.f_bavail * space.f_frsize))
    if space.f_files > 0:
        yield _sample("files", label, float(space.f_files))
        if filling:
            yield _sample("files_free", label, float(space.f_ffree))


def _sample(what: str, mountpoint: str, value: float) -> Sample:
    return Sample(SeriesKey(f"forewarn_node_filesystem_{what}", (("mountpoint", mountpoint),)), value)
