"""What goes over the boundary to the driver's library, as nvidia-ml-py hands it over, and its form in a recording.

An argument is a number, a text, a handle (the address of something in the driver) or a cell: memory of ours that the
library reads and writes. A recording holds a cell's bytes without addresses: handles by the name of the call that gave
them, other pointers as zeros.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

Plain = int | str | None
"""A number, a text, or nothing, as it stands in a recording."""

_POINTERS: Final = (ctypes._Pointer, ctypes.c_void_p, ctypes.c_char_p)  # noqa: SLF001
_WORD: Final = ctypes.sizeof(ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Handle:
    """The address of something that the driver gave out."""

    address: int


class Cell:
    """Memory of ours that a call was given.

    Args:
        owner: the ctypes object that it belongs to.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.type_name = type(owner).__name__

    def read(self) -> bytes:
        """Its bytes at this moment."""
        return ctypes.string_at(ctypes.addressof(self.owner), ctypes.sizeof(self.owner))

    def write(self, data: bytes) -> None:
        """Put these bytes into it, as far as it has room."""
        ctypes.memmove(ctypes.addressof(self.owner), data, min(len(data), ctypes.sizeof(self.owner)))

    def pointers(self) -> tuple[int, ...]:
        """Where in it addresses stand."""
        return _pointers(type(self.owner))  # type: ignore[arg-type]  # mypy takes Any for unhashable

    def fields(self) -> Iterator[tuple[str, bytes, bool]]:
        """Where it is a structure, its fields of text (up to its end) and of bytes: name, content, whether text."""
        for name, kind, *_ in getattr(self.owner, "_fields_", ()):
            if issubclass(kind, ctypes.Array):
                at = getattr(type(self.owner), name)
                data = self.read()[at.offset : at.offset + at.size]
                is_text = kind._type_ is ctypes.c_char and data.isascii()
                yield name, data.split(b"\0", 1)[0] if is_text else data, is_text


Argument = Plain | Handle | Cell


def take(argument: Any) -> Argument:
    """An argument as nvidia-ml-py hands it over, told apart."""
    if isinstance(argument, ctypes.c_char_p):
        argument = argument.value
    if isinstance(argument, bytes):
        return argument.decode("utf-8", "replace")
    if argument is None or isinstance(argument, int | str):
        return argument
    if hasattr(argument, "_obj"):  # what byref() made
        return Cell(argument._obj)  # noqa: SLF001
    if isinstance(argument, _POINTERS):
        address = ctypes.cast(argument, ctypes.c_void_p).value
        return None if address is None else Handle(address)
    if isinstance(argument, ctypes.Structure | ctypes.Union | ctypes.Array):
        return Cell(argument)
    return int(argument.value)


@cache
def _pointers(kind: Any) -> tuple[int, ...]:
    if issubclass(kind, _POINTERS):
        return (0,)
    if issubclass(kind, ctypes.Array):
        inner, size = _pointers(kind._type_), ctypes.sizeof(kind._type_)
        return tuple(index * size + offset for index in range(kind._length_) for offset in inner)
    if issubclass(kind, ctypes.Structure):
        return tuple(
            getattr(kind, name).offset + offset
            for name, inner_kind, *_ in kind._fields_
            for offset in _pointers(inner_kind)
        )
    return ()


@dataclass
class Names:
    """Handles by the name of the call that first gave them, both ways."""

    of_address: dict[int, str] = field(default_factory=dict)
    address_of: dict[str, int] = field(default_factory=dict)

    def add(self, address: int, name: str) -> None:
        """Call an address by that name from now on."""
        self.of_address[address] = name
        self.address_of[name] = address

    def strip(self, data: bytes, offsets: tuple[int, ...]) -> tuple[bytes, list[tuple[int, str]]]:
        """Bytes without addresses, and where handles stood."""
        if not offsets:
            return data, []
        bare, handles = bytearray(data), []
        for offset in offsets:
            name = self.of_address.get(int.from_bytes(data[offset : offset + _WORD], "little"))
            if name is not None:
                handles.append((offset, name))
            bare[offset : offset + _WORD] = bytes(_WORD)
        return bytes(bare), handles

    def fill(self, data: bytes, handles: list[tuple[int, str]]) -> bytes:
        """Bytes with the addresses that handles have here and now."""
        whole = bytearray(data)
        for offset, name in handles:
            whole[offset : offset + _WORD] = self.address_of[name].to_bytes(_WORD, "little")
        return bytes(whole)
