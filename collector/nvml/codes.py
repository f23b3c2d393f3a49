"""The driver's error numbers (nvml.h), each with a word, without nvidia-ml-py: only the child loads that."""

from typing import Final

UNDECODABLE: Final = -1

CODES: Final[dict[int, str]] = {
    UNDECODABLE: "undecodable_text",
    0: "success_as_error",
    1: "uninitialized",
    2: "invalid_argument",
    3: "not_supported",
    4: "no_permission",
    6: "not_found",
    9: "driver_not_loaded",
    10: "timeout",
    12: "library_not_found",
    13: "function_not_found",
    14: "corrupted_inforom",
    15: "gpu_is_lost",
    16: "reset_required",
    17: "operating_system",
    18: "driver_version_mismatch",
    20: "memory",
    21: "no_data",
    25: "argument_version_mismatch",
    26: "deprecated",
    27: "not_ready",
    28: "gpu_not_found",
    999: "unknown",
}

NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
TIMEOUT: Final = 10
LIBRARY_NOT_FOUND: Final = 12
DRIVER_NOT_LOADED: Final = 9
GPU_IS_LOST: Final = 15
RESET_REQUIRED: Final = 16
VERSION_MISMATCH: Final = 18
UNKNOWN: Final = 999

NOT_OFFERED: Final = frozenset({UNDECODABLE, 2, 3, 4, 6, 13, 22, 25, 26})
"""The device or the driver does not have it, and will not have it a round later."""

DRIVER_GONE: Final = frozenset({1, DRIVER_NOT_LOADED, VERSION_MISMATCH})
"""The driver was unloaded or replaced; only a new process can load the library anew."""


class NvmlError(Exception):
    """A call did not succeed.

    Attributes:
        call: name of the function in nvidia-ml-py.
        code: number of the error in nvml.h.
    """

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: error {code} ({code_name(code)})")
        self.call = call
        self.code = code


def code_name(code: int) -> str:
    """A word for an error number, made without asking the driver."""
    return CODES.get(code, f"error_{code}")
