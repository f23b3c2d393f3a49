"""What shipping masks is masked in what is found in files as well."""

import numpy as np

from logship.shaping.redaction import LOOK_BACK, Redactor
from logship.shaping.settings import RedactSettings

_SLACK = 64
_KEY = b"PRIVATE KEY"


class Mask:
    """Masks lines of one file.

    Args:
        settings: what is masked.
        prompts: whether it is a log of requests, in which prompts stand.
    """

    def __init__(self, settings: RedactSettings, *, prompts: bool) -> None:
        self._redactor = Redactor(settings, fast=False)
        self._prompts = prompts

    def mask(self, data: bytes, start: int, stop: int) -> bytes:
        """A line of a block as it may be shown.

        Args:
            data: the block.
            start: where the line begins.
            stop: where it ends.
        """
        before = max(0, start - LOOK_BACK)
        begin = start
        if _KEY in data[before:start]:  # the line may stand within one
            begin = data.find(b"\n", before, start) + 1 if before else 0
        size = min(stop + 1, len(data)) - begin
        buffer = np.zeros(size + _SLACK, np.uint8)
        buffer[:size] = np.frombuffer(data, np.uint8, size, begin)
        self._redactor.redact(buffer, size, prompts=self._prompts)
        return buffer[start - begin : stop - begin].tobytes()
