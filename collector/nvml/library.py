"""Calls into nvidia-ml-py, with the traps of its errors in one place.

Sources: nvml.h for the codes; nvidia-ml-py 13.615 for what escapes its own error class: NVMLLibraryMismatchError is no
NVMLError, text that is not UTF-8 raises UnicodeDecodeError, and ``str()`` of an unknown code calls the driver again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pynvml

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


@dataclass(frozen=True, slots=True)
class CallInProgress:
    """A call that has not come back: its name, the index of its GPU (or nothing), seconds since it began."""

    call: str
    gpu: str
    seconds: float


class Nvml:
    """Makes the calls of one thread and knows which one it is in; another thread may ask."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._current: tuple[str, str, float] | None = None

    def call(self, name: str, *args: Any, gpu: str = "") -> Any:
        """The result of the function of that name.

        Raises:
            NvmlError: it failed, is not in the library, or answered with text that cannot be read.
        """
        return self._call(getattr(pynvml, name), name, args, gpu)

    def symbol(self, name: str, *args: Any, gpu: str = "") -> None:
        """Call the library's own function of that name, for structures that are laid out once and used many times.

        Raises:
            NvmlError: it failed, or is not in the library.
        """
        function = getattr(pynvml.nvmlLib, name, None)
        code = self._call(function, name, args, gpu) if function else int(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        if code:
            raise NvmlError(name, code)

    def _call(self, function: Callable[..., Any], name: str, args: tuple[Any, ...], gpu: str) -> Any:
        self._current = (name, gpu, self._monotonic())
        try:
            return function(*args)
        except pynvml.NVMLError as error:
            code = int(error.value)
        except pynvml.NVMLLibraryMismatchError:
            code = int(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        except UnicodeDecodeError:
            code = UNDECODABLE
        finally:
            self._current = None
        raise NvmlError(name, code)

    def in_progress(self) -> CallInProgress | None:
        """The call that this moment has not come back."""
        current = self._current
        if current is None:
            return None
        name, gpu, since = current
        return CallInProgress(name, gpu, self._monotonic() - since)
