"""forewarn backtest."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.base.threads import one_thread
from forewarn.cli.options import JsonOption
from forewarn.cli.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from forecast.backtest.run import Backtest
    from forecast.backtest.summary import BreachSummary, Summary

HORIZON_SECONDS = 72 * 3600.0


class Kind(StrEnum):
    """How the file's series are used up."""

    GAUGE = "gauge"
    FILL = "fill"
    ALLOCATION = "allocation"
    AUTO = "auto"


class Value(StrEnum):
    """Which value of every hour is forecast."""

    MEAN = "mean"
    MAX = "max"


def backtest(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV file, gzipped or not, with columns series, timestamp, value.", metavar="FILE.csv[.gz]"
        ),
    ],
    *,
    horizon: Annotated[str, typer.Option(help="How far ahead; always 72h.")] = "72h",
    origins: Annotated[
        str,
        typer.Option(
            help="So many rolling origins a series, or a CSV file with columns series, origin[, threshold].",
            metavar="N|FILE.csv",
        ),
    ] = "4",
    kind: Annotated[Kind, typer.Option(help="How the series are used up; of a fill, levels at the hour's end.")] = (
        Kind.AUTO
    ),
    value: Annotated[Value, typer.Option(help="Hourly mean or hourly maximum.")] = Value.MEAN,
    forecasts: Annotated[
        Path | None, typer.Option(help="Write the forecasts here: 72 rows an origin.", metavar="OUT.csv[.gz]")
    ] = None,
    breaches: Annotated[
        Path | None, typer.Option(help="Write the probabilities to cross here.", metavar="OUT.csv[.gz]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    json: JsonOption = False,
) -> None:
    """What forecasts would have said at moments of the past, and how good they would have been.

    No forecast sees a sample at or after its origin.
    """
    one_thread()
    from forecast.backtest.run import backtest as run
    from forecast.backtest.summary import summarise, summarise_breaches
    from forecast.backtest.writing import write_breaches, write_forecasts

    _only_72h(horizon)
    found = run(
        file,
        _count_or_file(origins),
        kind=kind.value,
        value=value.value,
        breaches=breaches is not None,
        stage=progress,
    )
    if forecasts is not None:
        write_forecasts(found, forecasts)
    if breaches is not None:
        write_breaches(found, breaches)
    _tell_of_silence(found)
    summary = summarise(found, seed)
    crossings = summarise_breaches(found) if breaches is not None else None
    if json:
        print_json(_as_json(found, summary, crossings, kind=kind, value=value, seed=seed))
    else:
        _print(summary, crossings)


def _count_or_file(origins: str) -> int | Path:
    try:
        return int(origins)
    except ValueError:
        return Path(origins)


def _only_72h(horizon: str) -> None:
    from forewarn.base.errors import UsageError
    from forewarn.cli.reading import seconds_of

    if seconds_of(horizon) != HORIZON_SECONDS:
        raise UsageError(f"--horizon {horizon}: forecasts reach 72h", hint="leave it out, or write 72h")


def _tell_of_silence(found: "Backtest") -> None:
    empty = [origin for origin, known in zip(found.origins, found.windows.grid.known, strict=True) if not known.any()]
    if empty:
        from forewarn.base.clock import HOUR, rfc3339

        first = f"{empty[0].series!r} at {rfc3339(empty[0].hour * HOUR)}"
        say(f"{len(empty)} origins have no sample before them, the first {first}: their cells are empty")


def _as_json(
    found: "Backtest", summary: "Summary", crossings: "BreachSummary | None", *, kind: Kind, value: Value, seed: int
) -> dict[str, object]:
    from forecast.backtest.summary import as_json
    from forecast.breach import FILL_METHOD, METHOD

    answer: dict[str, object] = {
        "horizon_hours": 72,
        "kind": kind.value,
        "value": "end" if kind is Kind.FILL else value.value,
        "seed": seed,
        "fills": int(found.answers.filled.sum()),
        "forecasts": as_json(summary),
    }
    if crossings is not None:
        filled = found.answers.filled[found.asked]
        methods = {"gauge": METHOD} if not filled.all() else {}
        methods |= {"fill": FILL_METHOD} if filled.any() else {}
        answer["breaches"] = {"method": methods, **as_json(crossings)}
    return answer


def _print(summary: "Summary", crossings: "BreachSummary | None") -> None:
    say(f"{summary.windows} windows of {summary.series} series, {summary.scored} of them scored")
    interval = summary.to_prophet_95
    rows = [
        ("MASE", _number(summary.mase), _number(summary.mase_yesterday), _number(summary.mase_prophet)),
        ("our MASE over theirs", "", _number(summary.to_yesterday), _number(summary.to_prophet)),
        ("its 95 % interval", "", "", f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"),
        ("windows better", "", _percent(summary.better_than_yesterday), _percent(summary.better_than_prophet)),
        ("80 % band covers", _percent(summary.coverage_80), "", ""),
        ("95 % band covers", _percent(summary.coverage_95), "", ""),
        ("scaled quantile score", _number(summary.quantile_score), "", ""),
        ("weighted quantile loss", _number(summary.weighted_quantile_loss), "", ""),
    ]
    print_table(("", "forewarn", "same hour yesterday", "Prophet (exact MAP)"), rows)
    if crossings is not None:
        hours = f"{_number(crossings.time_error_median)} / {_number(crossings.time_error_p90)}"
        figures = [
            ("questions scored", f"{crossings.scored} of {crossings.asked}"),
            ("crossed within 72 h", _percent(crossings.crossed)),
            ("AUC", _number(crossings.auc)),
            ("Brier score", _number(crossings.brier)),
            ("expected calibration error", _number(crossings.calibration_error)),
            ("recall at precision 0.8", _number(crossings.recall_at_precision_80)),
            ("hours off, median / p90", hours),
        ]
        print_table(("breach", ""), figures)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
