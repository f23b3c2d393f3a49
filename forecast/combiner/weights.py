"""Weights on disk: safetensors, read and written with NumPy alone.

Layout (huggingface/safetensors, README, "Format"): the header's length as uint64, little endian; a JSON object that
gives each tensor's dtype, shape and place, and text under ``__metadata__``; the tensors' bytes.
"""

import json
import struct
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from forewarn.base.errors import ForewarnError

_LENGTH = struct.Struct("<Q")
_TYPES: dict[str, "np.dtype[Any]"] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8")}
Tensor = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class WeightsError(ForewarnError):
    """The weights cannot be read."""


def read(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata by name.

    Raises:
        WeightsError: it is not a safetensors file of floats.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        header: dict[str, Any] = json.loads(data[_LENGTH.size : _LENGTH.size + length].ljust(length, b"?"))
        metadata = header.pop("__metadata__", {})
        body = memoryview(data)[_LENGTH.size + length :]
        return {name: _tensor(body, **entry) for name, entry in header.items()}, metadata
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise WeightsError("the weights are not a safetensors file of floats", hint="install Forewarn again") from error


def _tensor(body: memoryview, dtype: str, shape: list[int], data_offsets: list[int]) -> Tensor:
    begin, end = data_offsets
    values: Tensor = np.frombuffer(body[begin:end], dtype=_TYPES[dtype]).astype(np.float32)
    return values.reshape(shape)


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A safetensors file of float32."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at = 0
    for name, tensor in tensors.items():
        size = tensor.size * 4
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(tensor, dtype="<f4").tobytes() for tensor in tensors.values())
    path.write_bytes(_LENGTH.pack(len(text)) + text + body)


@cache
def shipped(name: str) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """The tensors and metadata of a file that comes with the package; None where it does not."""
    place = files("forecast") / "weights" / f"{name}.safetensors"
    return read(place.read_bytes()) if place.is_file() else None
