"""forewarn backfill."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, progress, say

if TYPE_CHECKING:
    from collector.backfill import BackfillReport


def backfill(
    file: Annotated[Path, typer.Argument(help="FILE.csv or FILE.csv.gz with columns series, timestamp, value.")],
    shift_to_now: Annotated[
        bool,
        typer.Option("--shift-to-now", help="Move all of it by whole hours so that it ends in the last full hour."),
    ] = False,
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Load recorded history, so that forecasts start from it. A load that was cut off goes on where it stopped."""
    from collector.backfill import backfill as load_history

    from forewarn.base.clock import SystemClock
    from forewarn.sinks import open_sink

    settings = load(config)
    with open_sink(data_dir(data_dir_), settings) as sink, progress(f"loading {file.name}") as bar:
        report = load_history(file, sink, shift_to_now=shift_to_now, clock=SystemClock(), progress=bar)
    if json:
        print_json(report.to_dict())
    else:
        _print(report)


def _print(report: "BackfillReport") -> None:
    for line in report.lines():
        say(line)
