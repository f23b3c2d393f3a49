"""XID errors, as the driver's events tell them, on a thread of their own that owns the event set."""

import ctypes
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import pynvml

from collector.nvml.codes import NOT_OFFERED, TIMEOUT, NvmlError
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.xid.meanings import UNKNOWN_XID
from forewarn.base.frames import Frame

log = logging.getLogger(__name__)

WAIT_SECONDS: Final = 1.0
_UNKNOWN_XID: Final = 999


class XidWatch:
    """Waits for XID errors of the GPUs it was told of and hands each on as a frame.

    Args:
        send: takes the frames; called on the watching thread.
    """

    def __init__(self, send: Callable[[Frame], None]) -> None:
        self._send = send
        self._nvml = Nvml()
        self._stopping = threading.Event()
        self._new: queue.SimpleQueue[Device] = queue.SimpleQueue()
        self._devices: dict[int, Device] = {}
        self._last_failure: int | None = None
        self._thread = threading.Thread(target=self._run, name="xid", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def watch(self, device: Device) -> None:
        """Wait for this GPU's errors too."""
        self._new.put(device)

    def close(self) -> None:
        """Stop waiting; returns once the driver has let go, which takes up to a second."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                events = self._nvml.call("nvmlEventSetCreate")
            except NvmlError as error:
                log.info("XID errors cannot be watched", extra={"call": error.call, "code": error.code})
                return
            self._follow(events)
            self._free(events)

    def _follow(self, events: Any) -> None:
        """Wait until the end, or until waiting fails, as it does for all GPUs of the set when one of them is lost."""
        for device in self._devices.values():
            self._new.put(device)
        self._devices = {}
        while not self._stopping.is_set():
            self._register(events)
            if not self._wait(events):
                return

    def _free(self, events: Any) -> None:
        try:
            self._nvml.call("nvmlEventSetFree", events)
        except NvmlError as error:
            log.info("the event set was not given back", extra={"code": error.code})

    def _register(self, events: Any) -> None:
        while not self._new.empty():
            device = self._new.get()
            try:
                self._nvml.call(
                    "nvmlDeviceRegisterEvents",
                    device.handle,
                    pynvml.nvmlEventTypeXidCriticalError,
                    events,
                    gpu=device.gpu,
                )
            except NvmlError as error:
                level = logging.INFO if error.code in NOT_OFFERED else logging.WARNING
                log.log(level, "no XID events from this GPU", extra={"gpu": device.gpu, "code": error.code})
                continue
            self._devices[_address(device.handle)] = device

    def _wait(self, events: Any) -> bool:
        """Wait for one event; False where this set is of no more use."""
        begun = time.monotonic()
        try:
            event = self._nvml.call("nvmlEventSetWait_v2", events, int(WAIT_SECONDS * 1000))
        except NvmlError as error:
            if error.code not in {TIMEOUT, self._last_failure}:
                self._last_failure = error.code
                log.warning(
                    "waiting for XID errors failed, the others' are waited for anew", extra={"code": error.code}
                )
            # A driver that answers at once, which some do after a failure, must not make this thread spin.
            self._stopping.wait(max(0.0, WAIT_SECONDS - (time.monotonic() - begun)))
            return error.code == TIMEOUT
        if event.eventType == pynvml.nvmlEventTypeXidCriticalError:
            self._report(event)
        return True

    def _report(self, event: Any) -> None:
        device = self._devices.get(_address(event.device))
        xid = UNKNOWN_XID if event.eventData == _UNKNOWN_XID else str(event.eventData)
        gpu, uuid = (device.gpu, device.uuid) if device else ("", "")
        self._send({"kind": "xid", "gpu": gpu, "uuid": uuid, "xid": xid, "time_ms": time.time_ns() // 1_000_000})


def _address(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
