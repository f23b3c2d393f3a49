"""forewarn store: what the series store holds, whether it is sound, and its content as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, print_table, progress, say
from forewarn.cli.reading import matchers_of, moment_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from collector.store.model import Series
    from collector.store.tools.export import Wish
    from collector.store.tools.formats import Writer
    from collector.store.tools.survey import Survey, TierUse
    from forewarn.datadir import DataDir

NAMES_SHOWN = 20
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".om": "openmetrics", ".txt": "openmetrics"}

app = typer.Typer(no_args_is_help=True, help="Look into the series store, check it, export from it.")

FileOption = Annotated[
    Path | None, typer.Option("--file", help="Another metrics.db, such as one that was set aside as damaged.")
]


@app.command()
def stats(
    config: ConfigOption = None, data_dir_: DataDirOption = None, file: FileOption = None, json: JsonOption = False
) -> None:
    """What takes how much: forms of storage, metrics by series and bytes, and when the size limit is reached."""
    from collector.store.tools.survey import survey
    from forewarn.base.clock import SystemClock

    settings, data = load(config), data_dir(data_dir_)
    found = survey(file or data.metrics, settings.store, SystemClock().now_ms())
    refused = None if file else _refused(data)
    if json:
        print_json(_survey_as_json(found, refused, settings.store.max_size))
    else:
        _print_survey(found, refused, settings.store.max_size)


@app.command()
def check(data_dir_: DataDirOption = None, file: FileOption = None, json: JsonOption = False) -> None:
    """Read everything, look for damage; exit 1 where there is any. It changes nothing, a daemon may run."""
    from dataclasses import asdict

    from collector.store.tools.check import check as check_file

    path = file or data_dir(data_dir_).metrics
    with progress("checking") as bar:
        report = check_file(path, bar)
    if json:
        print_json({"file": str(path), "sound": not report.problems, **asdict(report)})
    else:
        print(
            f"{path}: {report.series} series, {report.chunks} chunks, {report.windows} roll-ups,"
            f" {report.samples} samples read"
        )
        for problem in report.problems:
            print(f"{problem.where}: {problem.what}")
        if report.more:
            print(f"and {report.more} more")
        print("sound" if not report.problems else "damaged")
    if report.problems:
        say(
            "hint: stop the daemon, move the file away and start it again: it begins a new one; then"
            " 'forewarn store rescue FILE' carries what can still be read into it. See the kernel's log."
        )
        raise SystemExit(1)


@app.command()
def rescue(
    file: Annotated[Path, typer.Argument(help="A damaged metrics.db that was set aside.", exists=True, dir_okay=False)],
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Carry what can still be read of a damaged file into the store; what that has already stays. A daemon may run."""
    from dataclasses import asdict

    from collector.store.tools.rescue import rescue as rescue_file
    from forewarn.sinks import open_sink

    with open_sink(data_dir(data_dir_), load(config)) as sink, progress("rescuing") as bar:
        done = rescue_file(file, sink, bar)
    if json:
        print_json({"file": str(file), **asdict(done)})
        return
    print(f"{done.series} series: {done.samples} samples and {done.windows} roll-ups are new in the store")
    if done.unreadable:
        say(f"{done.unreadable} entries could not be read; sqlite3's .recover may find more")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="File to write, or - for standard output.", metavar="FILE")],
    *,
    match: Annotated[
        list[str] | None,
        typer.Option(help="Series to export, such as 'forewarn_gpu_power_watts{gpu=\"0\"}'; may be repeated."),
    ] = None,
    since: Annotated[str | None, typer.Option(help="From when: an age such as 90m or 30d, or a time.")] = None,
    until: Annotated[str | None, typer.Option(help="To when, written alike [default: now].")] = None,
    step: Annotated[
        str | None,
        typer.Option(help="Export windows of this length, such as 5m or 1h, instead of single samples."),
    ] = None,
    format_: Annotated[
        Literal["csv", "openmetrics", "parquet"] | None,
        typer.Option("--format", help="Format [default: by the file's name: .csv, .om, .parquet]."),
    ] = None,
    data_dir_: DataDirOption = None,
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Write series as CSV, OpenMetrics text or Parquet; whatever their number, in little memory."""
    from collector.store.query.reader import StoreReader
    from collector.store.tools.export import chosen, pieces
    from collector.store.tools.formats import write_all

    kind = format_ or _format_of(out)
    path = file or data_dir(data_dir_).metrics
    wish = _wish(path, match or [], since, until, step)
    reader = StoreReader(path)
    try:
        series = chosen(reader, wish)
        with _output(out) as stream, progress("exporting") as bar:
            rows = write_all(_writer(kind, stream, wish, series), pieces(reader, wish, series, bar))
    finally:
        reader.close()
    if json and str(out) != "-":
        print_json({"file": str(out), "format": kind, "series": len(series), "rows": rows})
    else:
        say(f"{rows} {'samples' if wish.step_ms is None else 'windows'} of {len(series)} series")


def _wish(path: Path, match: list[str], since: str | None, until: str | None, step: str | None) -> "Wish":
    from collector.store.tools.export import Wish, beginning
    from forewarn.base.clock import SystemClock
    from forewarn.base.errors import UsageError

    now_ms = SystemClock().now_ms()
    end_ms = now_ms + 1 if until is None else moment_of(until, now_ms, "--until")
    step_ms = None if step is None else round(seconds_of(step) * 1000)
    if step_ms is not None and step_ms < 1:
        raise UsageError("--step is not longer than 0", hint="write it like 1s, 5m or 1h")
    first_ms = beginning(path, rolled=step_ms is not None)
    start_ms = 0 if since is None else moment_of(since, now_ms, "--since")
    if start_ms >= end_ms:
        raise UsageError("--since is not before --until", hint="without --until, now is meant")
    start_ms = end_ms if first_ms is None else max(start_ms, first_ms)
    return Wish([matchers_of(one) for one in match], start_ms, end_ms, step_ms)


def _format_of(out: Path) -> str:
    from forewarn.base.errors import UsageError

    kind = SUFFIXES.get(out.suffix)
    if kind is None:
        raise UsageError(f"the name {out} does not tell the format", hint="give --format csv, openmetrics or parquet")
    return kind


def _writer(kind: str, stream: "BinaryIO", wish: "Wish", series: "Sequence[Series]") -> "Writer":
    from collector.store.tools.formats import CsvWriter, OpenMetricsWriter, ParquetWriter

    if kind == "parquet":
        return ParquetWriter(stream, wish.columns, series)
    return CsvWriter(stream, wish.columns) if kind == "csv" else OpenMetricsWriter(stream, wish.columns)


def _output(out: Path) -> Any:
    import contextlib
    import sys

    from forewarn.base.files import replacing

    return contextlib.nullcontext(sys.stdout.buffer) if str(out) == "-" else replacing(out)


def _refused(data: "DataDir") -> dict[str, Any] | None:
    """What the running daemon has refused; None where none runs."""
    from forewarn.base.errors import ForewarnError
    from forewarn.cli.daemon import ask_api

    try:
        store = ask_api(data, "/v1/status")["store"]
    except ForewarnError:
        return None
    return {"series": store["refused_series"], "samples": store["refused_samples"], "first": store["refused_names"]}


def _survey_as_json(found: "Survey", refused: dict[str, Any] | None, max_bytes: int) -> dict[str, Any]:
    from dataclasses import asdict

    from forewarn.base.clock import rfc3339

    fields = asdict(found)
    full_at = fields.pop("full_at_ms")
    for tier in fields["tiers"]:
        oldest, newest, keeps = tier.pop("oldest_ms"), tier.pop("newest_ms"), tier.pop("keeps_ms")
        tier["oldest"] = None if oldest is None else rfc3339(oldest)
        tier["newest"] = None if newest is None else rfc3339(newest)
        tier["keeps_seconds"] = None if keeps is None else keeps // 1000
    return {
        **fields,
        "max_bytes": max_bytes,
        "full_at": None if full_at is None else rfc3339(full_at),
        "refused": refused,
    }


def _print_survey(found: "Survey", refused: dict[str, Any] | None, max_bytes: int) -> None:
    from forewarn.base.words import quantity

    used = found.file_bytes - found.free_bytes
    facts = {
        "series": str(found.series),
        "samples": f"{found.samples} not rolled up",
        "size": f"{quantity(used, 'bytes')} of {quantity(max_bytes, 'bytes')}",
        "a sample": "not known: nothing is compressed yet"
        if found.bytes_per_sample is None
        else f"{found.bytes_per_sample:.2f} bytes compressed",
        "full": _full(found),
        "refused": "not known: no daemon runs"
        if refused is None
        else f"{refused['series']} series since its start {', '.join(refused['first'])}",
    }
    for name, value in facts.items():
        print(f"{name:>10}  {value}")
    rows = [_tier_row(tier) for tier in found.tiers]
    rows += [
        ("pages, indexes", "", "", quantity(found.other_bytes, "bytes"), "", "", ""),
        ("free pages", "", "", quantity(found.free_bytes, "bytes"), "", "", ""),
    ]
    print_table(("form", "entries", "samples", "size", "oldest", "newest", "kept"), rows)
    by_series = sorted(found.names, key=lambda one: -one.series)[:NAMES_SHOWN]
    shown = sorted({*found.names[:NAMES_SHOWN], *by_series}, key=lambda one: -one.bytes)
    rows = [(one.name, str(one.series), quantity(one.bytes, "bytes")) for one in shown]
    print_table(("metric", "series", "size"), rows)
    if len(shown) < len(found.names):
        say(f"{len(found.names) - len(shown)} smaller metrics are left out; --json has them all")


def _full(found: "Survey") -> str:
    from forewarn.base.words import moment

    if found.full_at_ms is not None:
        return f"{moment(found.full_at_ms)}, at this rate"
    return "never, at this rate" if found.bytes_per_sample is not None else "not known: nothing is compressed yet"


def _tier_row(tier: "TierUse") -> tuple[str, ...]:
    from forewarn.base.words import duration, moment, quantity

    ends = ("" if end is None else moment(end) for end in (tier.oldest_ms, tier.newest_ms))
    keeps = "" if tier.keeps_ms is None else duration(tier.keeps_ms / 1000)
    samples = "" if tier.samples is None else str(tier.samples)
    return (tier.name, str(tier.entries), samples, quantity(tier.bytes, "bytes"), *ends, keeps)
