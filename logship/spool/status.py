"""The spool seen from outside, without disturbing who writes it; and replacing its key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forewarn.base.clock import SystemClock
from logship.errors import SpoolBusyError, SpoolError, SpoolKeyError
from logship.settings import LogsSettings
from logship.spool import letters, spool
from logship.spool.keys import KeyRing, is_there
from logship.spool.letters import DeadLetters
from logship.spool.losses import read_losses
from logship.spool.segment import SUFFIX, Record, Segment
from logship.spool.spool import Spool


@dataclass(frozen=True, slots=True)
class Holding:
    """What one folder of segments holds.

    Attributes:
        name: spool or dead.
        segments: files.
        bytes: of them on the disk.
        lines: lines or documents in them, those that arrived already included.
        oldest_ms: when the oldest segment was begun; None where there is none.
        keys: names of the keys that they are sealed under.
    """

    name: str
    segments: int
    bytes: int
    lines: int
    oldest_ms: int | None
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What there is.

    Attributes:
        holdings: the spool, and the refused documents.
        key: name of the key in use, empty where none was made yet.
        key_source: the file that it comes from.
        missing: names of keys that are needed and not given.
        losses: what could not be kept, oldest first.
    """

    holdings: tuple[Holding, ...]
    key: str
    key_source: str
    missing: tuple[str, ...]
    losses: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new key.

    Attributes:
        key: its name.
        finished: whether all is sealed under it already.
    """

    key: str
    finished: bool


def look(settings: LogsSettings, directory: Path) -> Status:
    """What a data directory holds; nothing is made or changed."""
    holdings = tuple(_holding(directory / name) for name in (spool.FOLDER, letters.FOLDER))
    keys = KeyRing(settings.spool, directory) if is_there(settings.spool, directory) else None
    needed = dict.fromkeys(name for one in holdings for name in one.keys)
    return Status(
        holdings,
        keys.current.name if keys else "",
        str(keys.source) if keys else "",
        tuple(name for name in needed if keys is None or not _given(keys, name)),
        read_losses(directory / spool.FOLDER),
    )


def rotate(settings: LogsSettings, directory: Path) -> Rotated:
    """Use a new key from now on, and seal anew what lies under the old one unless a shipper runs, which does that.

    Raises:
        ConfigError: the key comes from elsewhere.
        SpoolError: what lies under the old key cannot be sealed anew.
    """
    keys = KeyRing(settings.spool, directory)
    key, clock = keys.rotate(), SystemClock()
    try:
        held = Spool(directory, settings.spool, keys, clock)
    except SpoolBusyError:
        return Rotated(key.name, finished=False)
    try:
        while len(held.key_ids() | {key.id}) > 1:
            before = held.key_ids()
            held.tend()
            if held.key_ids() == before:
                raise SpoolError(
                    "not all of the spool can be sealed anew", hint="'forewarn logs spool status' says why"
                )
        dead = DeadLetters(directory, settings.dead_letter_bytes, keys, clock)
        dead.renew()
        keys.drop_unused(held.key_ids() | dead.key_ids())
    finally:
        held.close()
    return Rotated(key.name, finished=True)


def _holding(folder: Path) -> Holding:
    paths = sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{SUFFIX}.taken")])
    size = lines = 0
    created: list[int] = []
    keys: dict[str, None] = {}
    for path in paths:
        try:
            segment = Segment.open(path)
            size += path.stat().st_size
            lines += sum(found.frame.lines for found in segment.records() if isinstance(found, Record))
        except (SpoolError, OSError):  # gone meanwhile, or damaged: the shipper says so
            continue
        created.append(segment.header.created_ms)
        keys[segment.header.key_id.hex()] = None
    return Holding(folder.name, len(paths), size, lines, min(created, default=None), tuple(keys))


def _given(keys: KeyRing, name: str) -> bool:
    try:
        keys.find(bytes.fromhex(name))
    except SpoolKeyError:
        return False
    return True
