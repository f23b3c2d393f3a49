"""What tells one machine from another is replaced by text of the same shape, the same everywhere in a recording."""

import re
from typing import Final

from collector.nvml.recorder.cells import Cell

SECRET_CALLS: Final = frozenset(
    {
        "nvmlDeviceGetUUID",
        "nvmlDeviceGetSerial",
        "nvmlDeviceGetHandleByUUID",
        "nvmlDeviceGetHandleBySerial",
        "nvmlSystemGetProcessName",
    }
)
"""Calls whose text is a secret."""

SECRET_FIELDS: Final = frozenset({"uuid", "serial", "clusterUuid", "ibGuid", "rackGuid", "chassisSerialNumber"})
"""Fields of structures that are."""

_PREFIX: Final = re.compile(rb"(?:GPU|MIG)-(?:GPU-)?")
_CHANGED: Final = re.compile(rb"[0-9A-Za-z]")
_SHORTEST: Final = 6
"""Shorter secrets are masked where they stand by themselves only: elsewhere a few bytes are equal by chance."""


class Masks:
    """Replaces what it was told of.

    Args:
        secrets: known before the first call: the machine's name.
    """

    def __init__(self, *secrets: str) -> None:
        self._masks: dict[bytes, bytes] = {}
        for secret in secrets:
            self.text(secret)

    def learn(self, call: str, cell: Cell) -> None:
        """Note what an answer tells of the machine."""
        if call in SECRET_CALLS:
            self._mask(cell.read().split(b"\0", 1)[0])
        for name, data, is_text in cell.fields():
            if name in SECRET_FIELDS:
                self._mask(data, is_text=is_text)

    def apply(self, data: bytes) -> bytes:
        """Bytes without what is known to tell of the machine, as long as before."""
        for secret, mask in self._masks.items():
            if len(secret) >= _SHORTEST or data.rstrip(b"\0") == secret:
                data = data.replace(secret, mask)
        return data

    def text(self, text: str) -> str:
        """The same for a secret text."""
        return self._mask(text.encode()).decode()

    def _mask(self, secret: bytes, *, is_text: bool = True) -> bytes:
        known = self._masks.get(secret)
        if known is None:
            known = self.apply(secret)  # the UUID of a slice may hold that of its GPU
            if known == secret and any(secret):
                number = len(self._masks) + 1
                known = _same_shape(secret, number) if is_text else number.to_bytes(len(secret), "big")
            self._masks[secret] = known
        return known


def _same_shape(secret: bytes, number: int) -> bytes:
    """Zeros for letters and digits, and the number at the end."""
    prefix = _PREFIX.match(secret)
    start = prefix.end() if prefix else 0
    zeros = bytearray(_CHANGED.sub(b"0", secret[start:]))
    digits = [place for place, char in enumerate(zeros) if char == ord("0")]
    for place, digit in zip(reversed(digits), reversed(b"%d" % number), strict=False):
        zeros[place] = digit
    return secret[:start] + bytes(zeros)
