"""nvmlDeviceGetFieldValues: many numbers of one GPU in one call, each with a return code and a type of its own."""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import pynvml

from collector.nvml.devices import Device
from collector.nvml.library import Nvml

CALL: Final = "nvmlDeviceGetFieldValues"
UNAVAILABLE: Final = frozenset({0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})
"""All bits set: the driver has the call, but no answer."""

_FIELD_VALUE: Final = struct.Struct("=IIqqII8s")
"""nvmlFieldValue_t: number, scope, time stamp, latency, type of the value, return code, the value's eight bytes."""

_BY_TYPE: Final = tuple(map(struct.Struct, ("@d", "@I4x", "@L", "@Q", "@q", "@i4x", "@H6x")))
"""How the value reads, by its type: double, unsigned int, long and long long, long long, int, unsigned short."""

_NARROW: Final = frozenset({1, 5, 6})
"""Types of fewer than 64 bits."""


class Answer(NamedTuple):
    """What the driver says of one field: return code, value where known, whether of 32 bits or fewer, its time."""

    code: int
    value: float | None
    narrow: bool
    time: float


class FieldRequest:
    """The same fields of the same GPU, asked again and again: the request is laid out once.

    Args:
        nvml: makes the call.
        device: the GPU.
        fields: number and scope of each field.
    """

    def __init__(self, nvml: Nvml, device: Device, fields: Sequence[tuple[int, int]]) -> None:
        self._nvml = nvml
        self._device = device
        self._count = len(fields)
        self._request = (pynvml.c_nvmlFieldValue_t * len(fields))()
        self._buffer = memoryview(self._request).cast("B")
        for slot, (number, scope) in zip(self._request, fields, strict=True):
            slot.fieldId, slot.scopeId = number, scope

    def answers(self) -> Iterator[Answer]:
        """What the driver says of each field.

        Raises:
            NvmlError: the call as a whole failed.
        """
        self._nvml.symbol(CALL, self._device.handle, self._count, self._request, gpu=self._device.gpu)
        return (
            Answer(code, None if code else _value(kind, raw), kind in _NARROW, microseconds * 1e-6)
            for _, _, microseconds, _, kind, code, raw in _FIELD_VALUE.iter_unpack(self._buffer)
        )


def _value(kind: int, raw: bytes) -> float | None:
    if kind >= len(_BY_TYPE):
        return None
    (value,) = _BY_TYPE[kind].unpack(raw)
    return None if value in UNAVAILABLE else float(value)
