"""Calls into nvidia-ml-py, with the traps of its errors in one place.

Source: nvidia-ml-py 13.615 for what escapes its own error class: NVMLLibraryMismatchError is no NVMLError, text that is
not UTF-8 raises UnicodeDecodeError, and ``str()`` of an unknown code calls the driver again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pynvml

from collector.nvml.codes import UNDECODABLE, NvmlError


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
