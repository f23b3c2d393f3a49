"""A place in a journal, as journalctl writes it."""

from dataclasses import dataclass

from logship.journal.file import Entry


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last entry that was read.

    Attributes:
        seqnum_id: of its sequence number.
        seqnum: its sequence number.
        boot: id of its boot.
        monotonic: microseconds since that boot.
        realtime: microseconds since 1970.
        hash: of its fields.
        last: whether there was nothing behind it when it was read.
    """

    seqnum_id: bytes
    seqnum: int
    boot: bytes
    monotonic: int
    realtime: int
    hash: int
    last: bool = False

    @classmethod
    def of(cls, seqnum_id: bytes, entry: Entry, *, last: bool) -> "Cursor":
        """The place of an entry."""
        return cls(seqnum_id, entry.seqnum, entry.boot, entry.monotonic, entry.realtime, entry.hash, last)

    @classmethod
    def read(cls, text: bytes) -> "Cursor | None":
        """What ``str`` gave; None where it is no such text."""
        parts = dict(part.split("=", 1) for part in text.decode("ascii", "replace").split(";") if "=" in part)
        try:
            return cls(
                bytes.fromhex(parts["s"]), int(parts["i"], 16), bytes.fromhex(parts["b"]), int(parts["m"], 16),
                int(parts["t"], 16), int(parts["x"], 16), "last" in parts,
            )  # fmt: skip
        except (KeyError, ValueError):
            return None

    def __str__(self) -> str:
        """What journalctl's --after-cursor takes."""
        return (
            f"s={self.seqnum_id.hex()};i={self.seqnum:x};b={self.boot.hex()};m={self.monotonic:x};"
            f"t={self.realtime:x};x={self.hash:x}"
        )

    def kept(self) -> bytes:
        """For the checkpoint."""
        return (str(self) + (";last=1" if self.last else "")).encode()

    def same(self, entry: Entry) -> bool:
        """Whether an entry is this one, copied to another journal perhaps, where it has another sequence number."""
        return (entry.boot, entry.monotonic, entry.realtime, entry.hash) == (
            self.boot,
            self.monotonic,
            self.realtime,
            self.hash,
        )
