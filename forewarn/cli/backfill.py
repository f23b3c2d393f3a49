"""forewarn backfill."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, progress, say

if TYPE_CHECKING:
    from collector.backfill import BackfillReport, HistorySink
    from forewarn.config import Config
    from forewarn.datadir import DataDir

FORECASTING = "the daemon forecasts from it now"


_ONLY_FILES = "A file only: "
_ONLY_SERVERS = "A Prometheus only: "


class Origin(StrEnum):
    """Where history comes from."""

    CSV = "csv"
    PROMETHEUS = "prometheus"


def backfill(
    source: Annotated[
        str,
        typer.Argument(
            help="FILE.csv or FILE.csv.gz with columns series, timestamp, value; or the URL of a Prometheus.",
            metavar="FILE|URL",
        ),
    ],
    *,
    origin: Annotated[Origin, typer.Option("--from", help="Where it comes from.")] = Origin.CSV,
    shift_to_now: Annotated[
        bool,
        typer.Option(
            "--shift-to-now", help=_ONLY_FILES + "move all of it by whole hours so that it ends in the last full hour."
        ),
    ] = False,
    since: Annotated[
        str | None, typer.Option(help=_ONLY_SERVERS + "how far back, such as 30d or 2026-01-31 [default: 30d].")
    ] = None,
    until: Annotated[str | None, typer.Option(help=_ONLY_SERVERS + "where to end [default: now].")] = None,
    step: Annotated[
        str | None,
        typer.Option(help=_ONLY_SERVERS + "time between two samples [default: that of the scrapes, at least 60s]."),
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option(help=_ONLY_SERVERS + "take series with this label only, such as 'job=\"gpu\"'.")
    ] = None,
    hostname: Annotated[
        list[str] | None, typer.Option(help=_ONLY_SERVERS + "what this node is called there [default: its own name].")
    ] = None,
    instance: Annotated[
        list[str] | None, typer.Option(help=_ONLY_SERVERS + "an address, with port or without, that is this node's.")
    ] = None,
    bearer_token_file: Annotated[Path | None, typer.Option(help=_ONLY_SERVERS + "file with a token to send.")] = None,
    basic_auth_file: Annotated[Path | None, typer.Option(help=_ONLY_SERVERS + "file with user:password.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help=_ONLY_SERVERS + "a header to send, such as 'X-Scope-OrgID: llm'.")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(help=_ONLY_SERVERS + "certificates that vouch for it.")] = None,
    timeout: Annotated[
        str | None, typer.Option(help=_ONLY_SERVERS + "how long one answer may take [default: 60s].")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_ONLY_SERVERS + "list what would become of what, and what is left out.")
    ] = False,
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Load recorded history, so that forecasts start from it. A load that was cut off goes on where it stopped."""
    from forewarn.base.errors import ForewarnError, UsageError

    wanted = {
        "since": since,
        "until": until,
        "step": step,
        "match": match,
        "hostname": hostname,
        "instance": instance,
        "bearer-token-file": bearer_token_file,
        "basic-auth-file": basic_auth_file,
        "header": header,
        "ca-file": ca_file,
        "timeout": timeout,
        "dry-run": dry_run,
    }
    given = [name for name, value in wanted.items() if value]
    if origin is Origin.CSV and (given or source.startswith(("http://", "https://"))):
        what = f"--{given[0]} is for a Prometheus" if given else f"{source} is no file"
        raise UsageError(what, hint="a server's history comes with --from prometheus URL")
    if origin is Origin.PROMETHEUS and shift_to_now:
        raise UsageError("--shift-to-now is for files")
    settings, data = load(config), data_dir(data_dir_)
    try:
        if origin is Origin.CSV:
            _load_file(Path(source), settings, data, shift_to_now=shift_to_now, json=json)
        else:
            from forewarn.cli.backfill_prometheus import load_server

            load_server(source, wanted, settings, data, json=json)
    except KeyboardInterrupt:
        raise ForewarnError("stopped", hint="the same command goes on where this one stopped") from None


def _load_file(file: Path, settings: "Config", data: "DataDir", *, shift_to_now: bool, json: bool) -> None:
    from collector.backfill import backfill as load_history
    from forewarn.base.clock import SystemClock
    from forewarn.sinks import open_sink

    with open_sink(data, settings) as sink, progress(file.name) as bar:
        report = load_history(
            file,
            sink,
            shift_to_now=shift_to_now,
            clock=SystemClock(),
            progress=lambda _, done, total: bar(done, total),
        )
        forecasting = report.new > 0 and not report.already_loaded and forecasts_follow(sink)
    if json:
        print_json(_as_json(report))
    else:
        _print(file, report)
        if forecasting:
            print(FORECASTING)


def forecasts_follow(sink: "HistorySink") -> bool:
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
