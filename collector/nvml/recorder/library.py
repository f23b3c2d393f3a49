"""A libnvidia-ml that notes every call: nvidia-ml-py uses it as it uses the driver's, and gets the same answers."""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from collector.nvml.recorder.cells import Argument, Cell, Handle, Names, take
from collector.nvml.recorder.masks import SECRET_CALLS, Masks

LIBRARY: Final = "libnvidia-ml.so.1"

Line = dict[str, Any]


class RecordingLibrary:
    """Stands between nvidia-ml-py and the library.

    Args:
        library: the driver's.
        write: takes the line of each call, on the thread that made it, one at a time.
        masks: what is replaced.
    """

    def __init__(self, library: ctypes.CDLL, write: Callable[[Line], None], masks: Masks) -> None:
        self._library = library
        self._write = write
        self._masks = masks
        self._names = Names()
        self._made: dict[str, int] = {}
        self._lock = threading.Lock()
        self._begun = time.monotonic()

    def __getattr__(self, name: str) -> "_Function":
        return _Function(self, name, getattr(self._library, name))

    def call(self, name: str, function: Any, args: tuple[Any, ...]) -> Any:
        """Make a call, and note it."""
        taken = [take(argument) for argument in args]
        with self._lock:
            before = [self._known(argument) for argument in taken]
        begun = time.monotonic()
        result = function(*args)
        ended = time.monotonic()
        if not isinstance(result, int):
            return result  # a text of the library itself: nvmlErrorString
        with self._lock:
            self._learn(name, taken, before)
            line = {
                "call": name,
                "in": [self._written(name, argument, data) for argument, data in zip(taken, before, strict=True)],
                "ret": result,
                "out": list(self._changes(taken, before)),
                "at": round(begun - self._begun, 6),
                "took": round(ended - begun, 6),
            }
            self._write(line)
        return result

    def _known(self, argument: Argument) -> bytes | None:
        return argument.read() if isinstance(argument, Cell) else None

    def _learn(self, name: str, taken: list[Argument], before: list[bytes | None]) -> None:
        """Take in the secrets of an answer, and the handles that it gave."""
        for argument in taken:
            if isinstance(argument, Cell):
                self._masks.learn(name, argument)
                if isinstance(argument.owner, ctypes._Pointer):  # noqa: SLF001
                    self._name(name, taken, before, argument)

    def _name(self, name: str, taken: list[Argument], before: list[bytes | None], cell: Cell) -> None:
        address = int.from_bytes(cell.read(), "little")
        makes = name.endswith(("Alloc", "Create"))
        if not address or (not makes and address in self._names.of_address):
            return
        given = [self._written(name, argument, data) for argument, data in zip(taken, before, strict=True)]
        title = f"{name}({', '.join(str(one) for one in given if not isinstance(one, dict))})"
        if makes:
            self._made[title] = self._made.get(title, 0) + 1
            title += f"#{self._made[title]}"
        self._names.add(address, title)

    def _written(self, name: str, argument: Argument, data: bytes | None) -> Any:
        if isinstance(argument, Cell):
            assert data is not None
            return self._bytes(argument, data)
        if isinstance(argument, Handle):
            return {"handle": self._names.of_address.get(argument.address, "")}
        if isinstance(argument, str) and name in SECRET_CALLS:
            return self._masks.text(argument)
        return argument

    def _changes(self, taken: list[Argument], before: list[bytes | None]) -> Iterator[Any]:
        for argument, data in zip(taken, before, strict=True):
            now = argument.read() if isinstance(argument, Cell) else None
            yield None if now == data or not isinstance(argument, Cell) or now is None else self._bytes(argument, now)

    def _bytes(self, cell: Cell, data: bytes) -> Line:
        """A cell in a recording: its type, size, bytes without the zeros at the end, and the handles in it."""
        bare, handles = self._names.strip(data, cell.pointers())
        written: Line = {"type": cell.type_name, "size": len(data), "hex": self._masks.apply(bare).rstrip(b"\0").hex()}
        return {**written, "handles": handles} if handles else written


class _Function:
    """One function of the library; what nvidia-ml-py sets on it (restype) is set on the driver's."""

    def __init__(self, recording: RecordingLibrary, name: str, function: Any) -> None:
        self.__dict__.update(_recording=recording, _name=name, _function=function)

    def __call__(self, *args: Any) -> Any:
        recording: RecordingLibrary = self.__dict__["_recording"]
        return recording.call(self.__dict__["_name"], self.__dict__["_function"], args)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_function"], name, value)
