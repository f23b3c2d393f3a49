"""The GPUs that a node is known to have, kept across restarts, so that one that vanished is missed."""

import contextlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from collector.nvml.xid.kernel_log import pci_slot
from forewarn.base.files import write_json

log = logging.getLogger(__name__)

_VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownGpu:
    """A GPU that was seen here: where it sat, and which one it is."""

    uuid: str
    gpu: str
    pci_bus_id: str
    name: str


class ExpectedGpus:
    """The known GPUs by UUID.

    A GPU that turns up in the slot of a missing one has replaced it. One that is gone for good is forgotten when an
    operator says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._gpus = {gpu.uuid: gpu for gpu in _read(path)}
        self.unsaved = False

    @property
    def gpus(self) -> Mapping[str, KnownGpu]:
        """The known GPUs by UUID."""
        return self._gpus

    def learn(self, present: Iterable[Mapping[str, str]]) -> None:
        """Take in what an inventory found; ``unsaved`` says whether ``save`` has something to write."""
        seen = {entry["uuid"]: KnownGpu(*(entry.get(key, "") for key in KnownGpu.__slots__)) for entry in present}
        slots = {gpu.pci_bus_id for gpu in seen.values() if gpu.pci_bus_id}
        kept = {}
        for uuid, gpu in self._gpus.items():
            if uuid in seen or gpu.pci_bus_id not in slots:
                kept[uuid] = gpu
            else:
                log.warning("GPU was replaced", extra={"old_uuid": uuid, "pci_bus_id": gpu.pci_bus_id})
        known = {**kept, **seen}
        self.unsaved = self.unsaved or known != self._gpus
        self._gpus = known

    def at(self, slot: str) -> KnownGpu | None:
        """The GPU in a PCI slot (as ``pci_slot`` writes it), None where none is known there."""
        return next((gpu for gpu in self._gpus.values() if pci_slot(gpu.pci_bus_id) == slot), None)

    def forget(self, uuids: Iterable[str]) -> None:
        """Miss these GPUs no longer."""
        gone = set(uuids)
        self._gpus = {uuid: gpu for uuid, gpu in self._gpus.items() if uuid not in gone}
        self.unsaved = True

    def save(self) -> None:
        """Write the file anew: beside it, fsync, rename.

        Raises:
            OSError: it could not be written.
        """
        body = {"version": _VERSION, "gpus": [asdict(gpu) for gpu in self._gpus.values()]}
        self.unsaved = False  # first: what is learnt while the disk writes is unsaved again
        try:
            write_json(self.path, body)
        except OSError:
            self.unsaved = True
            raise


def _read(path: Path) -> list[KnownGpu]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return [KnownGpu(**entry) for entry in body["gpus"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("cannot read the known GPUs", extra={"path": str(path), "error": error.strerror})  # noqa: TRY400
        return []
    except (ValueError, TypeError, KeyError):
        damaged = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(OSError):
            path.replace(damaged)
        log.error("the list of known GPUs was damaged, a new one begins", extra={"set_aside": str(damaged)})  # noqa: TRY400
        return []
