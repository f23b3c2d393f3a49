"""Sealing records: zstd (or nothing), then AES-256-GCM, so that no nonce is ever used twice under one key.

GCM breaks where one key meets one nonce twice (NIST SP 800-38D, sections 8 and 8.2.1; appendix A says how). So:

- Every segment has a key of its own: HKDF-SHA256 (RFC 5869) of the spool's key, salted with the segment's id, which is
  128 bits from the operating system. That two of n segments share an id has a chance below n²/2^129: after 2^32
  segments (64 PiB) below 2^-64, where the standard asks for 2^-32.
- In a segment the nonce is made the deterministic way of 8.2.1: 32 fixed bits of zero, and a 64-bit counter, the
  record's sequence. It only grows: a segment is written by the one process that began it, is never opened again to
  be written (not after a crash either), and ends with the first write that fails, whose number is not used again.

The header and the sequence are authenticated with every record, so that a record cannot be moved to another place.
"""

import importlib
import struct
from dataclasses import dataclass
from typing import Any

import cramjam
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logship.spool.keys import Key
from logship.spool.layout import TAG_BYTES, Header

LEVEL = 1
_INFO = b"forewarn spool segment 1"
_NONCE = struct.Struct(">IQ")
_SEQUENCE = struct.Struct("<Q")
_ENVELOPE = struct.Struct("<HB")
_STORED, _ZSTD = 0, 1
"""How data lie in a record."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a record holds besides its data.

    Attributes:
        account: the stream that it belongs to.
        start: where in the account it begins.
        end: where it ends.
        origin: what else is needed to send it: path, data set, ...
    """

    account: str
    start: int
    end: int
    origin: dict[str, Any]

    def pack(self, form: int) -> bytes:
        """As it is sealed, with the form that the data behind it have."""
        packed = orjson.dumps([self.account, self.start, self.end, self.origin])
        return _ENVELOPE.pack(len(packed), form) + packed


class Sealer:
    """Seals and opens the records of one segment.

    Args:
        key: of the spool.
        header: of the segment.
    """

    def __init__(self, key: Key, header: Header) -> None:
        derived = HKDF(SHA256(), 32, salt=header.segment_id, info=_INFO).derive(key.secret)
        self._cipher = AESGCM(derived)
        self._header = header.copy()
        self._plain = self._sealed = bytearray()
        self._zstd = _zstd().ZstdCompressor(level=LEVEL)

    def seal(self, sequence: int, envelope: Envelope, data: bytes | memoryview, *, compress: bool = True) -> memoryview:
        """The body of a record, good until the next call; compressing takes five times as long as the rest."""
        before = envelope.pack(_ZSTD if compress else _STORED)
        packed = self._zstd.compress(data, self._zstd.FLUSH_FRAME) if compress else data
        size = len(before) + len(packed)
        if size > len(self._plain):  # used again and again: the pages of new ones cost more than the cipher
            self._plain, self._sealed = bytearray(2 * size), bytearray(2 * size + TAG_BYTES)
        self._plain[: len(before)] = before
        self._plain[len(before) : size] = packed
        sealed = memoryview(self._sealed)[: size + TAG_BYTES]
        with memoryview(self._plain) as plain:
            self._cipher.encrypt_into(_nonce(sequence), plain[:size], self._bound(sequence), sealed)
        return sealed

    def open(self, sequence: int, body: bytes) -> tuple[Envelope, bytes] | None:
        """Envelope and data of a record, None where one bit of it is not as it was sealed."""
        try:
            plain = self._cipher.decrypt(_nonce(sequence), body, self._bound(sequence))
        except InvalidTag:
            return None
        length, form = _ENVELOPE.unpack_from(plain)
        begin = _ENVELOPE.size + length
        envelope = Envelope(*orjson.loads(plain[_ENVELOPE.size : begin]))
        return envelope, bytes(cramjam.zstd.decompress(memoryview(plain)[begin:])) if form == _ZSTD else plain[begin:]

    def _bound(self, sequence: int) -> bytes:
        return self._header + _SEQUENCE.pack(sequence)


def _nonce(sequence: int) -> bytes:
    return _NONCE.pack(0, sequence)


def _zstd() -> Any:
    """The standard library's module since Python 3.14, before that its own backport."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return importlib.import_module("backports.zstd")
