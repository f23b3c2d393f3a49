"""NVMe drives: their state for everyone, their wear for whoever may ask them.

The page of health takes an admin command, which the kernel grants to CAP_SYS_ADMIN alone. Where the daemon does not
have it, what only the page tells is absent.
"""

import ctypes
import errno
import fcntl
import logging
import os
import struct
from collections.abc import Callable, Sequence

from collector.samplers.host.tree import Roots, names_in, word
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample

log = logging.getLogger(__name__)

_ADMIN_COMMAND = 0xC0484E41  # _IOWR('N', 0x41, struct nvme_passthru_cmd)
_GET_LOG_PAGE = 0x02
_SMART = 0x02
_PAGE_BYTES = 512
_ALL_NAMESPACES = 0xFFFFFFFF
_TIMEOUT_MS = 2_000
_COMMAND = struct.Struct("=BBHIIIQQIIIIIIIIII")  # struct nvme_passthru_cmd (uapi/linux/nvme_ioctl.h), 72 bytes
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENXIO, errno.ENODEV}
_UNIT = 512_000  # data units are thousands of 512 bytes


def log_page_command(address: int) -> bytearray:
    """The command that writes the page of health to an address."""
    dword10 = (_PAGE_BYTES // 4 - 1) << 16 | _SMART
    return bytearray(
        _COMMAND.pack(
            _GET_LOG_PAGE, 0, 0, _ALL_NAMESPACES, 0, 0, 0, address,
            0, _PAGE_BYTES, dword10, 0, 0, 0, 0, 0, _TIMEOUT_MS, 0,
        )
    )  # fmt: skip


def smart_page(path: str) -> bytes:
    """The page of health of a controller, 512 bytes.

    Raises:
        OSError: it may not be asked, or it refuses.
    """
    page = ctypes.create_string_buffer(_PAGE_BYTES)
    command = log_page_command(ctypes.addressof(page))
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = fcntl.ioctl(descriptor, _ADMIN_COMMAND, command)
    finally:
        os.close(descriptor)
    if status:
        raise OSError(errno.EIO, f"the controller refuses with status {status:#x}")
    return page.raw


def wear(page: bytes, device: str) -> list[Sample]:
    """The samples of a page of health (NVM Express base specification 2.0, figure 208)."""
    label = ("device", device)

    def total(offset: int) -> int:
        return int.from_bytes(page[offset : offset + 16], "little")

    return [
        gauge("nvme_critical_warning", page[0], *label),
        gauge("nvme_available_spare_ratio", page[3] / 100, *label),
        gauge("nvme_available_spare_threshold_ratio", page[4] / 100, *label),
        gauge("nvme_wear_ratio", page[5] / 100, *label),
        counter("nvme_read_bytes_total", total(32) * _UNIT, *label),
        counter("nvme_written_bytes_total", total(48) * _UNIT, *label),
        counter("nvme_power_on_seconds_total", total(128) * 3600, *label),
        counter("nvme_unsafe_shutdowns_total", total(144), *label),
        counter("nvme_media_errors_total", total(160), *label),
    ]


class Nvme:
    """Whether each controller is alive, what it is, and how worn.

    Args:
        roots: where /sys and /dev are.
        ask: fetches the page of health from the controller's device.
    """

    def __init__(self, roots: Roots, ask: Callable[[str], bytes] = smart_page) -> None:
        self._folder = f"{roots.sys}/class/nvme"
        self._dev = roots.dev
        self._ask = ask

    def devices(self) -> Sequence[str]:
        """Controllers."""
        return names_in(self._folder)

    def read(self, device: str) -> list[Sample]:
        """One controller's samples."""
        folder = f"{self._folder}/{device}"
        samples: list[Sample] = []
        state = word(f"{folder}/state")
        if state is not None:
            samples.append(gauge("nvme_live", state == "live", "device", device))
        model, firmware = word(f"{folder}/model"), word(f"{folder}/firmware_rev")
        if model is not None:
            labels = ("device", device, *(("firmware", firmware) if firmware else ()), "model", model)
            samples.append(gauge("nvme_info", 1, *labels))
        try:
            samples += wear(self._ask(f"{self._dev}/{device}"), device)
        except OSError as error:
            if error.errno not in _NOT_ALLOWED:
                log.debug("a drive does not tell its health", extra={"device": device, "error": str(error)})
        return samples
