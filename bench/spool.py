"""The spool: processor time to keep lines encrypted and to read them again, beside a plain file.

    python -m bench.spool [--quick]

Lines of an inference server in blocks of 256 KiB, as many as are under way in a minute of a fast node. A round puts
all blocks in, syncs every 16 MiB, reads all back in order and releases them. The peer writes, syncs and reads the same
blocks as they are. Times are of the process (system time included), the best of several rounds.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.engine import chunk
from bench.machine import describe
from bench.report import Figure, Report, Within
from forewarn.base.clock import SystemClock
from logship.spool.keys import Key, KeyRing
from logship.spool.layout import Header
from logship.spool.seal import Envelope, Sealer
from logship.spool.segment import SPOOLED
from logship.spool.settings import SpoolSettings
from logship.spool.spool import BLOCK_BYTES, SEGMENT_BYTES, Spool

MIB = 1024 * 1024
ROUNDS = 3


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of processor time."""
    least = float("inf")
    for _ in range(rounds):
        before = time.process_time()
        work()
        least = min(least, time.process_time() - before)
    return least


class Rig:
    """A spool and a plain file in one folder, and the blocks that go through both."""

    def __init__(self, folder: Path, blocks: Sequence[bytes]) -> None:
        self.blocks = blocks
        self.size = sum(map(len, blocks))
        settings = SpoolSettings()
        self.spool = Spool(folder, settings, KeyRing(settings, folder, {}), SystemClock())
        self.plain = folder / "plain"
        self.at = self.disk_bytes = 0

    def put(self) -> None:
        unsynced = 0
        for block in self.blocks:
            end = self.at + len(block)
            self.spool.put(Envelope("bench", self.at, end, {"path": "/var/log/a.log"}), block, block.count(b"\n"))
            self.at, unsynced = end, unsynced + len(block)
            if unsynced >= SEGMENT_BYTES:
                self.spool.sync()
                unsynced = 0
        self.spool.sync()
        self.disk_bytes = self.spool.size

    def read(self) -> None:
        at = self.at - self.size
        for block in self.blocks:
            found = self.spool.block("bench", at)
            if found is None or found.data != block:
                raise SystemExit("the spool gave back other bytes than were put in")
            at = found.end

    def release(self) -> None:
        self.spool.release("bench", self.at)
        self.spool.tend()

    def pass_by(self) -> None:
        """What ``everything`` does where the server takes it: copied, sent, let go of."""
        for number, block in enumerate(self.blocks, 1):
            end = self.at + len(block)
            envelope = Envelope("bench", self.at, end, {"path": "/var/log/a.log"})
            self.spool.put(envelope, block, 1, compress=False)
            self.at = end
            if number % 128 == 0:
                self.spool.release("bench", end - 64 * BLOCK_BYTES)
        self.release()

    def put_plain(self) -> None:
        unsynced = 0
        with self.plain.open("wb", buffering=0) as file:
            for block in self.blocks:
                file.write(block)
                unsynced += len(block)
                if unsynced >= SEGMENT_BYTES:
                    os.fdatasync(file.fileno())
                    unsynced = 0
            os.fdatasync(file.fileno())

    def read_plain(self) -> None:
        with self.plain.open("rb", buffering=0) as file:
            for block in self.blocks:
                if file.read(len(block)) != block:
                    raise SystemExit("the plain file gave back other bytes")


def measure(rig: Rig) -> dict[str, float]:
    """Milliseconds of processor time for a MiB of lines."""
    found: dict[str, list[float]] = {"put": [], "read": [], "release": []}
    for _ in range(ROUNDS):
        for name, work in (("put", rig.put), ("read", rig.read), ("release", rig.release)):
            found[name].append(best(work, 1))
    taken = {name: min(times) for name, times in found.items()}
    taken["pass_by"] = best(rig.pass_by)
    taken["plain_put"], taken["plain_read"] = best(rig.put_plain), best(rig.read_plain)
    sealer = Sealer(Key(bytes(range(32))), Header(SPOOLED, bytes(16), bytes(8), 0, 0))
    envelope = Envelope("bench", 0, 1, {"path": "/var/log/a.log"})
    taken["seal"] = best(
        lambda: [bytes(sealer.seal(number, envelope, block)) for number, block in enumerate(rig.blocks)]
    )
    return {name: round(1000 * seconds / (rig.size / MIB), 3) for name, seconds in taken.items()}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    text = chunk() * (32 if given.quick else 256)
    blocks = [text[at : at + BLOCK_BYTES] for at in range(0, len(text), BLOCK_BYTES)]
    with tempfile.TemporaryDirectory() as name:
        report = Report("spool", describe(Path(name), {}), given.quick)
        rig = Rig(Path(name), blocks)
        taken = measure(rig)
        ours, plain = taken["put"] + taken["read"] + taken["release"], taken["plain_put"] + taken["plain_read"]
        line = rig.size / text.count(b"\n")
        report.add(
            Figure(
                "put, read, release a MiB",
                ours,
                "ms",
                Within(most=5.0),
                "processor time; zstd and AES-256-GCM; 200 MiB/s and core",
                beside={"plain file": f"{plain:.2f} ms"},
            ),
            Figure("put a MiB", taken["put"], "ms", beside={"plain file": f"{taken['plain_put']:.2f} ms"}),
            Figure("of it sealing", taken["seal"], "ms"),
            Figure("read a MiB", taken["read"], "ms", beside={"plain file": f"{taken['plain_read']:.2f} ms"}),
            Figure("put a million lines", taken["put"] * line * 1e6 / MIB / 1000, "s", note=f"of {line:.0f} bytes"),
            Figure(
                "copy a million lines before they are sent",
                taken["pass_by"] * line * 1e6 / MIB / 1000,
                "s",
                note="what = everything, while the server takes them: not compressed, not synced",
            ),
            Figure("on the disk", rig.disk_bytes / rig.size, "", note="share of the lines' bytes"),
        )
        report.raw = {"milliseconds_a_mib": taken, "bytes": rig.size, "load": os.getloadavg()}
        rig.spool.close()
        report.finish()


if __name__ == "__main__":
    main()
