"""Prometheus: blocks that promtool makes of OpenMetrics text, as a server's head becomes them; what they take."""

import shutil
import subprocess
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TextIO

from bench.measure import folder_bytes
from bench.peers.servers import PeerError
from bench.workload import Column

VERSION = ["promtool", "--version"]


def stored_bytes(columns: Sequence[Column], folder: Path) -> int:
    """Bytes of the blocks that hold these series: blocks of a day, the best that Prometheus' compaction could do.

    Raises:
        PeerError: promtool is not installed, or refuses the text.
    """
    if shutil.which(VERSION[0]) is None:
        raise PeerError("promtool is not installed", hint="run bench/install-peers")
    text, blocks = folder / "openmetrics.txt", folder / "prometheus"
    with text.open("w", encoding="utf-8", buffering=2**20) as file:
        _write(columns, file)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h"]
    done = subprocess.run([*command, text, blocks], capture_output=True, text=True, check=False)
    text.unlink()
    if done.returncode != 0:
        raise PeerError("promtool makes no blocks", hint=(done.stderr or done.stdout)[-300:])
    return folder_bytes(blocks)


def _write(columns: Sequence[Column], file: TextIO) -> None:
    """OpenMetrics text (openmetrics.io): each family's samples together, times in seconds."""
    by_name = sorted(columns, key=lambda column: column.key.name)
    for name, members in groupby(by_name, key=lambda column: column.key.name):
        file.write(f"# TYPE {name} unknown\n")
        for column in members:
            head = str(column.key)
            rows = zip(column.values.tolist(), column.times.tolist(), strict=True)
            file.writelines(f"{head} {value!r} {time_ms / 1000:.3f}\n" for value, time_ms in rows)
    file.write("# EOF\n")
