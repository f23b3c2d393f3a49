"""How a segment lies on the disk: two copies of a header, then records, each a frame and a sealed body.

    header   magic, version, kind, segment id, key id, time of creation, first sequence, CRC-32; written twice
    frame    magic, length of the body, sequence, account, start, end, lines, bytes, CRC-32
    body     AES-256-GCM of envelope and data, with its tag of 16 bytes

Numbers are little-endian. A frame is not secret: it says how much of which account a record holds, so that a record
whose body is damaged can be counted without being read, and that an index can be made without the key. What is in it
stands in the sealed envelope too, and must agree.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Self

VERSION = 1
MAGIC = b"fwspool\n"
FRAME_MAGIC = b"\xf7fw\x01"
ACCOUNT_BYTES = 40
TAG_BYTES = 16

_HEADER = struct.Struct("<8sHH16s8sQQ")
_FRAME = struct.Struct(f"<4sIQQQIQ{ACCOUNT_BYTES}s")
_CRC = struct.Struct("<I")
COPY_BYTES = _HEADER.size + _CRC.size
HEADER_BYTES = 2 * COPY_BYTES
FRAME_BYTES = _FRAME.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says of itself.

    Attributes:
        kind: what its records hold; SPOOLED or REFUSED.
        segment_id: 128 random bits.
        key_id: of the key that it is sealed under.
        created_ms: when it was begun.
        first: sequence of its first record.
    """

    kind: int
    segment_id: bytes
    key_id: bytes
    created_ms: int
    first: int

    def pack(self) -> bytes:
        """Both copies."""
        return 2 * self.copy()

    def copy(self) -> bytes:
        """One copy, which every record of the segment is bound to."""
        fields = _HEADER.pack(MAGIC, VERSION, self.kind, self.segment_id, self.key_id, self.created_ms, self.first)
        return fields + _CRC.pack(zlib.crc32(fields))

    @classmethod
    def unpack(cls, data: bytes) -> Self | None:
        """From either copy, None where both are damaged or it is no segment."""
        for begin in (0, COPY_BYTES):
            copy = data[begin : begin + COPY_BYTES]
            if len(copy) == COPY_BYTES and _intact(copy):
                magic, version, *fields = _HEADER.unpack_from(copy)
                if magic == MAGIC and version == VERSION:
                    return cls(*fields)
        return None


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before a record.

    Attributes:
        length: bytes of the sealed body.
        sequence: of the record in the whole spool; it only grows.
        account: the stream that it belongs to.
        start: where in the account it begins.
        end: where it ends.
        lines: lines (or entries, documents) in it.
        size: bytes of its data before compression.
    """

    length: int
    sequence: int
    account: str
    start: int
    end: int
    lines: int
    size: int

    def pack(self) -> bytes:
        """As it is written."""
        fields = _FRAME.pack(
            FRAME_MAGIC,
            self.length,
            self.sequence,
            self.start,
            self.end,
            self.lines,
            self.size,
            self.account.encode(),
        )
        return fields + _CRC.pack(zlib.crc32(fields))

    @classmethod
    def unpack(cls, data: bytes) -> Self | None:
        """None where it is damaged, or no frame."""
        if len(data) != FRAME_BYTES or not data.startswith(FRAME_MAGIC) or not _intact(data):
            return None
        _, length, sequence, start, end, lines, size, account = _FRAME.unpack_from(data)
        try:
            return cls(length, sequence, account.rstrip(b"\0").decode(), start, end, lines, size)
        except UnicodeDecodeError:
            return None


def _intact(data: bytes) -> bool:
    (crc,) = _CRC.unpack(data[-_CRC.size :])
    return zlib.crc32(data[: -_CRC.size]) == int(crc)
