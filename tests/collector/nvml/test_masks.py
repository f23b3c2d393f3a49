"""What tells of a machine is replaced, the same everywhere, and what does not stays."""

import ctypes

import pynvml
import pytest

from collector.nvml.recorder.cells import Cell
from collector.nvml.recorder.masks import Masks

UUID = b"GPU-deadbeef-0123-4567-89ab-cdef01234567"


def text(content: bytes) -> Cell:
    return Cell(ctypes.create_string_buffer(content, 96))


@pytest.mark.parametrize(
    ("call", "secret", "mask"),
    [
        ("nvmlDeviceGetUUID", UUID, b"GPU-00000000-0000-0000-0000-000000000001"),
        ("nvmlDeviceGetSerial", b"1654321000001", b"0000000000001"),
        ("nvmlSystemGetProcessName", b"/opt/secret/bin/train", b"/000/000000/000/00001"),
    ],
)
def test_a_secret_keeps_its_shape(call: str, secret: bytes, mask: bytes) -> None:
    masks = Masks()
    cell = text(secret)
    masks.learn(call, cell)
    assert masks.apply(cell.read()) == mask.ljust(96, b"\0")


def test_the_same_is_the_same_everywhere_and_others_are_others() -> None:
    masks = Masks()
    for secret in (UUID, b"GPU-11111111-0123-4567-89ab-cdef01234567", UUID):
        masks.learn("nvmlDeviceGetUUID", text(secret))
    assert masks.apply(b"..." + UUID + b"...") == b"...GPU-00000000-0000-0000-0000-000000000001..."
    assert masks.apply(b"GPU-11111111-0123-4567-89ab-cdef01234567").endswith(b"2")
    assert masks.text(UUID.decode()) == "GPU-00000000-0000-0000-0000-000000000001"


def test_a_slice_is_still_one_of_its_gpu() -> None:
    masks = Masks()
    masks.learn("nvmlDeviceGetUUID", text(UUID))
    masks.learn("nvmlDeviceGetUUID", text(b"MIG-" + UUID + b"/3/0"))
    assert masks.apply(b"MIG-" + UUID + b"/3/0") == b"MIG-GPU-00000000-0000-0000-0000-000000000001/3/0"


def test_a_cluster_is_masked_in_its_structure() -> None:
    fabric = pynvml.c_nvmlGpuFabricInfoV_t()
    fabric.clusterUuid[:] = range(40, 56)
    masks, cell = Masks(), Cell(fabric)
    masks.learn("nvmlDeviceGetGpuFabricInfoV", cell)
    masked = masks.apply(cell.read())
    assert bytes(range(40, 56)) not in masked
    assert (1).to_bytes(16, "big") in masked


def test_nothing_is_no_secret() -> None:
    masks, fabric = Masks(), Cell(pynvml.c_nvmlGpuFabricInfoV_t())
    masks.learn("nvmlDeviceGetGpuFabricInfoV", fabric)
    masks.learn("nvmlDeviceGetSerial", text(b""))
    assert masks.apply(bytes(64)) == bytes(64)


def test_the_machines_name_is_masked_and_a_short_one_only_by_itself() -> None:
    assert Masks("gpu-node-17").apply(b"on gpu-node-17") == b"on 000-0000-01"
    assert Masks("vm").apply(b"nvml vm") == b"nvml vm"
    assert Masks("vm").apply(b"vm\0\0") == b"01\0\0"
