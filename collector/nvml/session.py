"""NVML from its initialisation to its shutdown: the GPUs that were found, and the rounds over them."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self

from collector.nvml.codes import DRIVER_GONE, GPU_IS_LOST, NvmlError, code_name
from collector.nvml.devices import Device, take_inventory
from collector.nvml.health.absence import AbsentError, versions_differ
from collector.nvml.health.surroundings import HERE, Surroundings
from collector.nvml.library import Nvml
from collector.nvml.readings.gpm import Gpm
from collector.nvml.readings.mig import Slice
from collector.nvml.readings.not_offered import NotOffered
from collector.nvml.readings.processes import ProcessLists
from collector.nvml.readings.reader import DeviceReader
from collector.nvml.wire import Sender
from collector.nvml.xid.events import XidWatch
from forewarn.base.frames import Frame

log = logging.getLogger(__name__)

INVENTORY_SECONDS: Final = 300.0


class Session:
    """NVML with its GPUs, from ``open`` to ``close``.

    Args:
        nvml: makes the calls.
        send: takes frames for the parent.
        look_again: seconds between two looks for GPUs while one does not answer.
        lists_every: seconds between two looks at the process lists, None where they are not wanted.
        machine: where the versions of the driver's parts are looked up.
        monotonic: seconds that never go backwards.
    """

    def __init__(
        self,
        nvml: Nvml,
        send: Callable[[Frame], None],
        *,
        look_again: float,
        lists_every: float | None = None,
        machine: Surroundings = HERE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nvml = nvml
        self._send = send
        self._look_again = look_again
        self._machine = machine
        self._monotonic = monotonic
        self._gpm = Gpm(nvml, monotonic)
        self._absences = NotOffered()
        self._lists = None if lists_every is None else ProcessLists(nvml, self._absences, lists_every, monotonic)
        self._readers: dict[str, DeviceReader] = {}
        self._failed: dict[str, int] = {}
        self._xids = XidWatch(send)
        self._sender = Sender()
        self._looked = -INVENTORY_SECONDS
        self._begun: float | None = None
        self._at_work = ""

    def open(self) -> Self:
        """Initialise NVML and find the GPUs.

        Raises:
            AbsentError: there are none that answer.
        """
        try:
            self._nvml.call("nvmlInitWithFlags", 0)
        except NvmlError as error:
            raise AbsentError(error.code) from error
        try:
            self._look()
        except NvmlError as error:
            self.close()
            raise AbsentError(error.code) from error
        if not self._readers:
            self.close()
            raise self._nothing_there()
        self._xids.start()
        return self

    def round(self) -> Frame:
        """Read every GPU once.

        Raises:
            AbsentError: none of them answers any more.
            NvmlError: the driver is gone.
        """
        self._begun = self._monotonic()
        try:
            return self._round(self._begun)
        finally:
            self._begun, self._at_work = None, ""

    def reading_for(self, seconds: float) -> str:
        """The GPU that is being read, by its index, where the round has lasted so long already; else nothing."""
        begun = self._begun
        return self._at_work if begun is not None and self._monotonic() - begun >= seconds else ""

    def _round(self, begun: float) -> Frame:
        if self._outdated() or begun - self._looked >= (self._look_again if self._impaired() else INVENTORY_SECONDS):
            self._look()
        time_ms = time.time_ns() // 1_000_000
        for reader in self._readers.values():
            self._read(reader, begun)
        self._list_processes()
        self._absences.report()
        up = [reader for reader in self._readers.values() if reader.device.down is None]
        if not up:
            raise self._nothing_there()
        rows = [row for reader in up for row in reader.rows]
        layout = self._sender.layout(rows)
        if layout is not None:
            self._send(layout)
        return {
            "kind": "round",
            "time_ms": time_ms,
            **self._sender.values(rows),
            "up": [reader.device.uuid for reader in up],
            "down": self._down(),
            "duration": self._monotonic() - begun,
        }

    def close(self) -> None:
        """Give back what the driver holds for us, and shut NVML down."""
        self._xids.close()
        try:
            self._gpm.close()
            self._nvml.call("nvmlShutdown")
        except NvmlError as error:
            log.info("NVML did not shut down cleanly", extra={"call": error.call, "code": error.code})

    def _impaired(self) -> bool:
        return bool(self._failed) or any(reader.device.down is not None for reader in self._readers.values())

    def _outdated(self) -> bool:
        return any(reader.outdated for reader in self._readers.values())

    def _look(self) -> None:
        """Find the GPUs; those that were known and are well keep their state."""
        self._looked = self._monotonic()
        known_down = self._down()
        inventory = take_inventory(self._nvml)
        readers: dict[str, DeviceReader] = {}
        for device in inventory.devices:
            known = self._readers.get(device.uuid)
            readers[device.uuid] = known if known and known.still_is(device) else self._admit(device)
        for gpu, code in inventory.failed.items():
            if known_down.get(gpu) != code:
                log.error("GPU does not answer", extra={"gpu": gpu, "code": code, "meaning": code_name(code)})
        self._readers, self._failed = readers, inventory.failed
        mismatch = versions_differ(inventory.driver_version, self._machine)
        self._send({**inventory.frame(), "mismatch": mismatch})

    def _admit(self, device: Device) -> DeviceReader:
        self._gpm.forget(device.uuid)
        self._xids.watch(device)
        return DeviceReader(device, self._nvml, self._gpm, self._absences)

    def _read(self, reader: DeviceReader, now: float) -> None:
        device = reader.device
        if device.down is not None:
            return
        self._at_work = device.gpu
        try:
            reader.read(now)
        except NvmlError as error:
            if error.code in DRIVER_GONE:
                raise
            device.down = error.code
            log.error(  # noqa: TRY400  a traceback would say nothing more
                "GPU does not answer any more",
                extra={"gpu": device.gpu, "uuid": device.uuid, "call": error.call, "code": error.code},
            )

    def _list_processes(self) -> None:
        lists = self._lists.read(self._at_work_on_each()) if self._lists else None
        if lists is not None:
            self._send(lists)

    def _at_work_on_each(self) -> Iterator[tuple[Device, Sequence[Slice]]]:
        for reader in self._readers.values():
            if reader.device.down is None:
                self._at_work = reader.device.gpu
                yield reader.device, reader.layout

    def _nothing_there(self) -> AbsentError:
        codes = set(self._down().values())
        if not codes:
            return AbsentError()
        return AbsentError(codes.pop() if len(codes) == 1 else GPU_IS_LOST)

    def _down(self) -> dict[str, int]:
        """Error numbers of the GPUs that do not answer, by index."""
        devices = (reader.device for reader in self._readers.values())
        return {**self._failed, **{device.gpu: device.down for device in devices if device.down is not None}}
