"""A decoder of remote write's requests, written from the specification and not from the encoder."""

import struct
from collections.abc import Iterator
from typing import Any

import cramjam

Decoded = list[tuple[list[tuple[str, str]], list[tuple[int, float]]]]
"""Labels and (time, value) of each entry, in the order of the request."""


def decode(body: bytes) -> Decoded:
    """The entries of a compressed request."""
    return decode_plain(bytes(cramjam.snappy.decompress_raw(body)))


def decode_plain(data: bytes) -> Decoded:
    """The entries of a request."""
    entries: Decoded = []
    for number, series in _fields(data):
        assert number == 1, number
        labels, samples = [], []
        for part, body in _fields(series):
            if part == 1:
                name, value = dict(_fields(body))[1], dict(_fields(body))[2]
                labels.append((name.decode(), value.decode()))
            else:
                assert part == 2, part
                fields = dict(_fields(body))
                samples.append((fields.get(2, 0), fields.get(1, 0.0)))
        entries.append((labels, samples))
    return entries


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield number, value - (1 << 64) if value >= 1 << 63 else value
        elif kind == 1:
            yield number, struct.unpack_from("<d", data, place)[0]
            place += 8
        else:
            assert kind == 2, kind
            length, place = _varint(data, place)
            assert place + length <= len(data)
            yield number, data[place : place + length]
            place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, place
