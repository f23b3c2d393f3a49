"""The layout of journal files: https://systemd.io/JOURNAL_FILE_FORMAT/. All numbers are little-endian."""

import lzma
import struct
from dataclasses import dataclass

import cramjam

from logship.errors import LogshipError

SIGNATURE = b"LPKSHHRH"
XZ, LZ4, KEYED_HASH, ZSTD, COMPACT = 1, 2, 4, 8, 16
KNOWN = XZ | LZ4 | KEYED_HASH | ZSTD | COMPACT
"""Incompatible flags that are understood here."""
OFFLINE, ONLINE, ARCHIVED = 0, 1, 2
DATA, ENTRY, ENTRY_ARRAY = 1, 3, 6
COMPRESSED = 7
"""Flags of a data object whose payload is compressed: 1 XZ, 2 LZ4, 4 ZSTD."""
OBJECT_BYTES = 16
DATA_BYTES = 64
"""Before a data object's payload; 8 more in compact files."""
ENTRY_BYTES = 64
"""Before an entry's items: 16 bytes each, 4 in compact files."""
ARRAY_BYTES = 24
"""Before an entry array's items: 8 bytes each, 4 in compact files."""
HEADER_BYTES = 208
LARGEST_FIELD = 64 * 1024 * 1024
"""Bytes of a decompressed field; anybody may write one of 768 MB to a journal, and it may be tiny before."""
_HEADER = struct.Struct("<8sIIB7x16s16s16s16s15Q")
OBJECT = struct.Struct("<BB6xQ")
ENTRY_HEAD = struct.Struct("<BB6xQQQQ16sQ")
assert _HEADER.size == HEADER_BYTES
assert ENTRY_HEAD.size == ENTRY_BYTES


class UnreadableError(LogshipError):
    """A file is no journal file, or one that is not understood, or damaged where it was read."""


class UnknownFormatError(UnreadableError):
    """A journal file of a newer format."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a journal file says of itself.

    Attributes:
        flags: incompatible ones.
        state: OFFLINE, ONLINE or ARCHIVED.
        file_id: of the file.
        machine_id: of the machine whose journal it is.
        seqnum_id: of the count of its sequence numbers; several files share one.
        size: of the header, in bytes.
        tail: offset of the last object.
        entries: how many are complete.
        head_seqnum: sequence number of the first.
        tail_seqnum: of the last.
        array: offset of the first entry array.
        head_realtime: of the first entry, microseconds since 1970.
        tail_realtime: of the last.
    """

    flags: int
    state: int
    file_id: bytes
    machine_id: bytes
    seqnum_id: bytes
    size: int
    tail: int
    entries: int
    head_seqnum: int
    tail_seqnum: int
    array: int
    head_realtime: int
    tail_realtime: int

    @property
    def compact(self) -> bool:
        """Whether offsets take four bytes."""
        return bool(self.flags & COMPACT)


def header_of(data: bytes, known: int = KNOWN) -> Header | None:
    """The header at the beginning of a file; None where it is being made and has none yet.

    Args:
        data: the file's first bytes.
        known: incompatible flags that are understood.

    Raises:
        UnreadableError: it is no journal file.
        UnknownFormatError: it has a format that is not known here.
    """
    if len(data) < HEADER_BYTES or data[:8] == bytes(8):
        return None
    (signature, _, flags, state, file_id, machine_id, _, seqnum_id, size, *rest) = _HEADER.unpack_from(data)
    if signature != SIGNATURE:
        raise UnreadableError("it is no journal file")
    if flags & ~known:
        raise UnknownFormatError(f"its format has flags that are not known here: {flags & ~known:#x}")
    (_, _, _, _, _, tail, _, entries, tail_seqnum, head_seqnum, array, head_realtime, tail_realtime, _) = rest
    return Header(
        flags, state, file_id, machine_id, seqnum_id, size, tail, entries, head_seqnum, tail_seqnum, array,
        head_realtime, tail_realtime,
    )  # fmt: skip


def unpacked(payload: bytes, flags: int, longest: int) -> bytes:
    """A data object's payload, decompressed where its flags say so, no more than its first bytes.

    Raises:
        UnreadableError: it is damaged, or too large.
    """
    kind = flags & COMPRESSED
    try:
        if kind == 0:
            return payload[:longest]
        if kind == XZ:
            stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
            text = stream.decompress(payload, longest)
            if len(text) < longest and not stream.eof:
                raise UnreadableError("a compressed field ends too early")
            return text
        size = int.from_bytes(payload[:8], "little") if kind == LZ4 else _zstd_size(payload)
        if size > LARGEST_FIELD:
            raise UnreadableError(f"a field has {size} bytes; more than {LARGEST_FIELD} are not read")
        if kind == LZ4:
            return bytes(cramjam.lz4.decompress_block(payload[8:], output_len=size))[:longest]
        return bytes(cramjam.zstd.decompress(payload))[:longest]
    except (lzma.LZMAError, cramjam.DecompressionError, ValueError, EOFError, IndexError) as error:
        raise UnreadableError(f"a compressed field is damaged: {error}") from error


def _zstd_size(frame: bytes) -> int:
    """The bytes of what a zstd frame holds, which journald always writes down: RFC 8878, 3.1.1.1."""
    descriptor = frame[4]
    width, single = descriptor >> 6, bool(descriptor & 0x20)
    at = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    if width == 0 and not single:
        raise UnreadableError("a compressed field does not say how large it is")
    size = int.from_bytes(frame[at : at + (1, 2, 4, 8)[width]], "little")
    return size + 256 if width == 1 else size
