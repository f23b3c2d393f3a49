"""forewarn forecast."""

from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from forecast.results import Forecast


def forecast(
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Forecast as if it were this time (RFC 3339).", metavar="TIME")
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="How good the daemon's forecasts were whose 72 hours are over.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Forecast every capacity target 72 h ahead: the interval, the limit, and when it breaches or why it does not."""
    if score:
        from forewarn.cli.scorecard import show_scorecard

        show_scorecard(data_dir(data_dir_).state, as_of, json=json)
        return
    from collector.store import StoreReader
    from forecast.run import make_forecasts
    from forewarn.base.clock import SystemClock

    settings = load(config)
    moment = moment_at(as_of) if as_of is not None else SystemClock().now_ms()
    reader = StoreReader(data_dir(data_dir_).metrics)
    try:
        with progress("forecasting") as bar:
            made = list(make_forecasts(reader, settings.forecast, settings.target, moment, bar))
    finally:
        reader.close()
    if json:
        print_json([each.to_dict() for each in made])
    else:
        print_forecasts(made, moment)


def moment_at(text: str) -> int:
    """Milliseconds of a time.

    Raises:
        UsageError: it is none.
    """
    from forewarn.base.clock import parse_time, rfc3339
    from forewarn.base.errors import UsageError

    try:
        moment = parse_time(text)
        rfc3339(moment)
    except (ValueError, OverflowError):  # the latter where no calendar has such a year
        raise UsageError(f"{text!r} is no time", hint="write it like 2026-01-31T12:00:00Z") from None
    return moment


def print_forecasts(made: "list[Forecast]", moment: int) -> None:
    """A table of them, with notes on those that are not what was to be expected."""
    from forewarn.base.clock import rfc3339
    from forewarn.base.words import quantity

    if not made:
        print(f"no capacity targets at {rfc3339(moment)}: nothing with a limit was being recorded")
        return
    rows = []
    for each in made:
        points = each.points.get("mean", [])
        shown = [quantity(points[hour - 1], each.unit) if len(points) >= hour else "" for hour in (24, 48, 72)]
        limit = quantity(each.limit, each.unit) if each.limit is not None else "none"
        outcome = (
            f"BREACH {rfc3339(each.breach_ms)}" if each.breach_ms is not None else each.breach_reason or each.reason
        )
        rows.append((str(each.target), each.statistic, each.model or "-", *shown, limit, outcome))
    for note in dict.fromkeys(each.reason for each in made if each.status == "ok" and each.reason):
        say(f"note: {note}")
    print_table(("target", "statistic", "model", "+24 h", "+48 h", "+72 h", "limit", "breach"), rows)
