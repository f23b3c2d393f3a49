"""forewarn query."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from forewarn.cli.options import DataDirOption, JsonOption, data_dir
from forewarn.cli.output import print_json, print_table, say
from forewarn.cli.reading import matchers_of, moment_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.store import Function, Line, Series, Values

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 40
POINTS = 120
MOST_CELLS = 5_000_000
"""Windows of all series together: some 40 bytes each, all in memory."""


def query(
    selector: Annotated[
        str, typer.Argument(help="Series, such as 'forewarn_gpu_power_watts{gpu=~\"0|1\"}'.", metavar="SELECTOR")
    ],
    *,
    data_dir_: DataDirOption = None,
    since: Annotated[str, typer.Option(help="From when: an age such as 90m or 30d, or a time.")] = "1h",
    until: Annotated[str | None, typer.Option(help="To when, written alike [default: now].")] = None,
    step: Annotated[
        str | None, typer.Option(help="Length of a window, such as 1s, 5m or 1h [default: some 120 windows].")
    ] = None,
    rate: Annotated[bool, typer.Option("--rate", help="Growth of counters per second.")] = False,
    increase: Annotated[bool, typer.Option("--increase", help="Growth of counters in each window.")] = False,
    quantile: Annotated[
        float | None, typer.Option(help="A quantile of histograms; select their _bucket series.", min=0, max=1)
    ] = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """What was recorded: series in windows of time, from whichever form of them is still there.

    Gauges show the least, the mean and the greatest value, counters what they grew by, resets corrected.
    """
    from collector.store import StoreReader, lines
    from collector.store.tools.export import beginning
    from forewarn.base.clock import SystemClock

    now_ms = SystemClock().now_ms()
    matchers = matchers_of(selector)
    function = _function(rate=rate, increase=increase, quantile=quantile is not None)
    start_ms, end_ms, step_ms = _span(since, until, step, now_ms)
    reader = StoreReader(data_dir(data_dir_).metrics)
    try:
        series = reader.series(*matchers)
        _check_kind(series, function, selector)
        first_ms = beginning(reader.path, rolled=True)
        span = (start_ms if first_ms is None else min(max(start_ms, first_ms), end_ms), end_ms, step_ms)
        _check_size(len(series), span)
        found = lines(reader, matchers, span, function, 0.0 if quantile is None else quantile)
    finally:
        reader.close()
    if json:
        print_json([_as_json(line) for line in found])
    elif csv:
        _print_csv(found)
    else:
        _print(found)
    if not found:
        say(f"nothing was recorded of {selector} in this time" if series else f"there is no series {selector}")


def _function(**wanted: bool) -> "Function | None":
    from forewarn.base.errors import UsageError

    chosen: list[Any] = [name for name, on in wanted.items() if on]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} do not go together", hint="ask for one of them")
    return chosen[0] if chosen else None


def _span(since: str, until: str | None, step: str | None, now_ms: int) -> tuple[int, int, int]:
    from forewarn.base.errors import UsageError

    end_ms = now_ms if until is None else moment_of(until, now_ms, "--until")
    start_ms = moment_of(since, now_ms, "--since")
    if start_ms >= end_ms:
        raise UsageError("--since is not before --until", hint="without --until, now is meant")
    step_ms = _fitting((end_ms - start_ms) // POINTS) if step is None else round(seconds_of(step) * 1000)
    if step_ms < 1:
        raise UsageError("--step is not longer than 0", hint="write it like 1s, 5m or 1h")
    return start_ms, end_ms, step_ms


def _check_kind(series: "Sequence[Series]", function: "Function | None", selector: str) -> None:
    """Refuse a function that says nothing of any of the series."""
    from forewarn.base.errors import UsageError

    if function == "quantile":
        if series and not any(one.key.name.endswith("_bucket") for one in series):
            raise UsageError(f"{selector} is no histogram", hint="--quantile takes series whose name ends with _bucket")
    elif function is not None and series and not any(one.counter for one in series):
        raise UsageError(f"{selector} is no counter, --{function} says nothing of it", hint=f"leave --{function} out")


def _check_size(series: int, span: tuple[int, int, int]) -> None:
    """Refuse what would not fit into memory."""
    from forewarn.base.errors import UsageError

    start_ms, end_ms, step_ms = span
    if series * (end_ms - start_ms) > MOST_CELLS * step_ms:
        windows = series * (end_ms - start_ms) // step_ms
        least = -(-series * (end_ms - start_ms) // MOST_CELLS // 1000)
        hint = f"ask for --step {least}s or more, or narrow the selector; 'forewarn store export' writes any number"
        raise UsageError(f"{windows:,} windows of {series} series are too many at once", hint=hint)


def _fitting(step_ms: int) -> int:
    """A step of about this length that the store has windows for: whole hours, whole five minutes, whole seconds."""
    from forewarn.base.clock import HOUR, MINUTE, SECOND

    grain = next((grain for grain in (HOUR, 5 * MINUTE) if step_ms >= grain), SECOND)
    return max(grain, step_ms // grain * grain)


def _as_json(line: "Line") -> dict[str, Any]:
    from forewarn.base.clock import rfc3339

    return {
        "series": str(line.key),
        "name": line.key.name,
        "labels": dict(line.key.labels),
        "times": [rfc3339(time) for time in line.times.tolist()],
        **{name: values.tolist() for name, values in line.columns.items()},
    }


def _print_csv(found: "Sequence[Line]") -> None:
    """A row a window; a column is empty where the series does not have it."""
    import csv
    import sys

    from forewarn.base.clock import rfc3339

    names = list(dict.fromkeys(name for line in found for name in line.columns))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("series", "time", *names))
    for line in found:
        empty = [""] * len(line.times)
        columns = [line.columns[name].tolist() if name in line.columns else empty for name in names]
        times = map(rfc3339, line.times.tolist())
        writer.writerows((str(line.key), *row) for row in zip(times, *columns, strict=True))


def _print(found: "Sequence[Line]") -> None:
    if found:
        rows = [_row(line) for line in found]
        print_table(("series", "windows", "least", "mean", "greatest", "last", "course"), rows)


def _row(line: "Line") -> tuple[str, ...]:
    from forewarn.base.words import quantity

    name = next(name for name in ("mean", "quantile", "rate", "increase") if name in line.columns)
    course = line.columns[name]
    low, high = line.columns.get("min", course), line.columns.get("max", course)
    unit = _unit(line, name)
    numbers = (float(value) for value in (low.min(), course.mean(), high.max(), course[-1]))
    return (str(line.key), str(len(course)), *(quantity(value, unit) for value in numbers), sparkline(course))


def _unit(line: "Line", name: str) -> str:
    from collector.catalogue import metric_of_sample

    metric = metric_of_sample(line.key.name) or metric_of_sample(f"{line.key.name}_bucket")
    if metric is None:
        return ""
    return f"{metric.unit}/s" if name == "rate" else metric.unit


def sparkline(values: "Values", width: int = SPARK_WIDTH) -> str:
    """The course of some values in at most so many characters, each the mean of as many values."""
    import numpy as np

    means = np.array([part.mean() for part in np.array_split(values, min(width, len(values)))])
    low, high = means.min(), means.max()
    if low == high:
        return SPARKS[0] * len(means)
    places = np.rint((means - low) / (high - low) * (len(SPARKS) - 1)).astype(int)
    return "".join(SPARKS[place] for place in places.tolist())
