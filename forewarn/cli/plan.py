"""forewarn plan."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from forecast.plan.answer import Need, Plan, Resource
    from forecast.plan.asking import Ask


class Horizon(StrEnum):
    """How far ahead a plan looks."""

    THREE = "3d"
    FOURTEEN = "14d"
    THIRTY = "30d"


def plan(
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    *,
    horizon: Annotated[Horizon, typer.Option(help="How far ahead.")] = Horizon.THIRTY,
    probability: Annotated[
        str, typer.Option(help="The probability of a breach that is still borne.", metavar="P%")
    ] = "5%",
    target: Annotated[str | None, typer.Option(help="Only capacities like this selector.", metavar="SELECTOR")] = None,
    grow: Annotated[float, typer.Option(help="What if demand grew at once by this factor (1.2: by 20 %).")] = 1.0,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Plan as if it were this time (RFC 3339).", metavar="TIME")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw it here too.", metavar="FILE.svg")] = None,
    json: JsonOption = False,
) -> None:
    """When each resource is full, what load it allows before it breaches, and how many more GPUs are needed."""
    from collector.store import StoreReader
    from forecast.plan.making import make_plan
    from forecast.plan.stored import read_chances
    from forecast.targets import find_targets
    from forewarn.base.clock import SystemClock
    from forewarn.cli.forecast import moment_at

    asked = _asked(horizon, probability, target, grow)
    _check_picture(picture)
    settings, data = load(config), data_dir(data_dir_)
    moment = moment_at(as_of) if as_of is not None else SystemClock().now_ms()
    reader = StoreReader(data.metrics)
    try:
        with progress("planning") as bar:
            targets = find_targets(reader, settings.target, moment)
            chances = read_chances(data.state, moment)
            made = make_plan(reader, targets, moment, asked, chances=chances, progress=bar)
    finally:
        reader.close()
    if picture is not None:
        _draw(made, picture)
    if json:
        print_json(made.to_dict())
    else:
        _print(made)


def _asked(horizon: Horizon, probability: str, target: str | None, grow: float) -> "Ask":
    from forecast.plan.asking import Ask
    from forewarn.cli.reading import matchers_of

    days = int(horizon.value.removesuffix("d"))
    if target is not None:
        matchers_of(target)
    return Ask(days, share_of(probability), factor_of(grow), target or "")


def share_of(text: str) -> float:
    """A probability such as 5% or 0.05.

    Raises:
        UsageError: it is none between 0.1 and 99 per cent.
    """
    from forewarn.base.errors import UsageError

    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0.001 <= share <= 0.99:
        raise UsageError(f"--probability {text}: not between 0.1% and 99%", hint="write it like 5% or 0.05")
    return share


def factor_of(grow: float) -> float:
    """The factor by which demand grows.

    Raises:
        UsageError: it is not between 0.01 and 100.
    """
    from forewarn.base.errors import UsageError

    if not 0.01 <= grow <= 100:
        raise UsageError(f"--grow {grow:g}: not between 0.01 and 100", hint="1.2 means a fifth more than now")
    return grow


def _check_picture(picture: Path | None) -> None:
    from forewarn.base.errors import UsageError

    if picture is None:
        return
    if picture.suffix != ".svg":
        raise UsageError(f"--picture {picture}: drawn is SVG", hint="name it FILE.svg; any browser shows and prints it")
    if not picture.parent.is_dir():
        raise UsageError(f"--picture {picture}: {picture.parent} is no folder", hint="make it first, or name another")


def _draw(made: "Plan", picture: Path) -> None:
    import socket

    from forecast.plan.picture import draw
    from forewarn.base.errors import ForewarnError

    try:
        picture.write_text(draw(made, _title, socket.gethostname()))
    except OSError as error:
        raise ForewarnError(
            f"cannot write {picture}: {error.strerror}", hint="name a file in a folder that you may write to"
        ) from error


def _title(target: str) -> str:
    from api.wording import title_of
    from collector.series import SeriesKey

    return title_of(SeriesKey.parse(target))


def _print(made: "Plan") -> None:
    from forecast.plan.wording import asked, reasons

    say(asked(made))
    if made.resources:
        far = [f"{days} d" for days in made.horizons]
        columns = ("resource", "now / limit", *far, "10 / 50 / 90 % by", "may grow", "load an hour allows")
        print_table(columns, [_resource_row(each, made) for each in made.resources])
    if made.needs:
        ahead = [f"next {days} d" for days in made.horizons]
        columns = ("more GPUs for", "model", "there", "peak / capacity", *ahead)
        print_table(columns, [_need_row(each, made) for each in made.needs])
    for need in made.needs:
        for note in need.notes:
            say(f"note: {need.title}: {note}")
    for note in (*reasons(made.resources, _title), *made.notes):
        say(f"note: {note}")


def _resource_row(each: "Resource", made: "Plan") -> tuple[str, ...]:
    from forecast.plan.wording import farthest_room, times
    from forewarn.base.words import chance, quantity

    now = quantity(each.now, each.unit) if each.now is not None else "-"
    told = (each.chance(days * 24) for days in made.horizons)
    chances = ("-" if share is None else chance(share) for share in told)
    return (
        _title(each.target),
        f"{now} / {quantity(each.limit, each.unit)}",
        *chances,
        times(each),
        farthest_room(each),
        _load(each),
    )


def _load(each: "Resource") -> str:
    from forewarn.base.words import quantity

    if isinstance(each.allowed, str):
        return f"- ({each.allowed})"
    peak = quantity(each.allowed.peak, each.allowed.unit)
    if each.allowed.most is None:
        return f"over 1.5 times the highest seen; peak {peak}"
    most = quantity(each.allowed.most, each.allowed.unit)
    headroom = f", {100 * each.allowed.headroom:+.0f} % on the peak" if each.allowed.headroom is not None else ""
    return f"{most}{headroom}"


def _need_row(need: "Need", made: "Plan") -> tuple[str, ...]:
    from forecast.plan.wording import more
    from forewarn.base.words import quantity

    peak = quantity(need.peak, need.unit) if need.peak is not None else "-"
    return (
        need.title,
        need.model or "all",
        str(need.count),
        f"{peak} / {quantity(need.capacity, need.unit)}",
        *(more(need, days) for days in made.horizons),
    )
