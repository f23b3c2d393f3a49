"""forewarn nvml record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import DataDirOption, JsonOption, data_dir
from forewarn.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from forewarn.datadir import DataDir


def record(
    file: Annotated[Path, typer.Argument(help="Where to write it: JSON lines, compressed where it ends in .gz.")],
    *,
    rounds: Annotated[int, typer.Option("--rounds", min=2, max=10_000, help="Rounds of readings to record.")] = 10,
    interval: Annotated[float, typer.Option("--interval", min=0.2, max=60, help="Seconds between two.")] = 1.0,
    source: Annotated[str, typer.Option("--source", help="What is recorded, for the file's first line.")] = "machine",
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Record what this machine's GPU driver answers, for tests without a GPU; prints what it checked on the way.

    Serial numbers, UUIDs and the machine's name are masked. It only asks, and changes nothing. A daemon that reads the
    GPUs must be paused: two that sample GPM at once have crashed kernels.
    """
    _not_beside_a_daemon(data_dir(data_dir_))
    from collector.nvml.recorder.record import record as make_recording

    checks = make_recording(file, rounds=rounds, interval=interval, source=source, say=say)
    if json:
        print_json([check.as_json() for check in checks])
    else:
        print_table(
            ("gpu", "question", "answer", "what was seen"),
            ((check.gpu, check.question, check.answer, check.detail) for check in checks),
        )
    say(f"wrote {file}")


def _not_beside_a_daemon(data: "DataDir") -> None:
    from forewarn.base.errors import ForewarnError
    from forewarn.cli.daemon import ask_api

    if not data.control.exists():
        return
    try:
        children = ask_api(data, "/v1/status")["children"]
    except ForewarnError:  # its socket is left over
        return
    if any(child["name"] == "nvml" and child["state"] == "up" for child in children):
        raise ForewarnError("the daemon reads the GPUs", hint="'forewarn nvml pause' first, and resume afterwards")
