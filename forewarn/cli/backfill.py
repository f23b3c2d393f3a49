"""forewarn backfill."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, progress, say

if TYPE_CHECKING:
    from collector.backfill import BackfillReport, HistorySink


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
    from forewarn.base.errors import ForewarnError
    from forewarn.sinks import open_sink

    settings = load(config)
    try:
        with open_sink(data_dir(data_dir_), settings) as sink, progress(file.name) as bar:
            report = load_history(
                file,
                sink,
                shift_to_now=shift_to_now,
                clock=SystemClock(),
                progress=lambda _, done, total: bar(done, total),
            )
            forecasting = report.new > 0 and not report.already_loaded and _forecasts_follow(sink)
    except KeyboardInterrupt:
        raise ForewarnError("stopped", hint="the same command goes on where this one stopped") from None
    if json:
        print_json(_as_json(report))
    else:
        _print(file, report)
        if forecasting:
            print("the daemon forecasts from it now")


def _forecasts_follow(sink: "HistorySink") -> bool:
    """Have a running daemon forecast at once; what was loaded stays loaded where it cannot be asked."""
    from forewarn.base.errors import ForewarnError
    from forewarn.sinks import DaemonSink

    if not isinstance(sink, DaemonSink):
        return False
    try:
        return sink.forecast_soon()
    except ForewarnError as error:
        say(f"forecasts from it come with the daemon's next ones: {error.message}")
        return False


def _as_json(report: "BackfillReport") -> dict[str, Any]:
    from dataclasses import asdict

    from forewarn.base.clock import rfc3339

    fields = asdict(report)
    oldest, newest = fields.pop("oldest_ms"), fields.pop("newest_ms")
    fields["shift_hours"] = fields.pop("shift_ms") / 3_600_000
    fields["first_malformed"] = [bad._asdict() for bad in report.first_malformed]
    return {
        **fields,
        "oldest": None if oldest is None else rfc3339(oldest),
        "newest": None if newest is None else rfc3339(newest),
    }


def _print(file: Path, report: "BackfillReport") -> None:
    from forewarn.base.clock import SystemClock

    for bad in report.first_malformed:
        say(f"{file}:{bad.line}: {bad.reason}")
    if report.malformed > len(report.first_malformed):
        say(f"{report.malformed} malformed lines in all")
    facts = _as_json(report)
    if report.already_loaded:
        say(f"{file.name} was loaded before: nothing to do")
        return
    print(
        f"{report.samples} samples of {report.series} series, {report.new} new, {facts['oldest']} to {facts['newest']}"
    )
    if report.shift_ms:
        print(f"moved by {facts['shift_hours']:.0f} hours")
    if report.newest_ms is not None and report.newest_ms > SystemClock().now_ms():
        say(f"some of it lies in the future, up to {facts['newest']}: is its clock right?")
    if report.too_old:
        print(f"{report.too_old} samples are older than the store keeps, and were left out")
