"""Forecasts as a table for people."""

from typing import TYPE_CHECKING

from forewarn.cli.output import print_table, say

if TYPE_CHECKING:
    from forecast.results import Forecast

COLUMNS = ("target", "statistic", "model", "limit", "worst in 72 h", "in 24 h", "in 48 h", "in 72 h", "breach")


def print_forecasts(made: "list[Forecast]", moment: int) -> None:
    """A table of them, with notes on those that are not what was to be expected."""
    from forewarn.base.clock import rfc3339

    if not made:
        print(f"no capacity targets at {rfc3339(moment)}: nothing with a limit was being recorded")
        return
    for note in dict.fromkeys(each.reason for each in made if each.status == "ok" and each.reason):
        say(f"note: {note}")
    print_table(COLUMNS, [_row(each, moment) for each in made])


def _row(each: "Forecast", moment: int) -> tuple[str, ...]:
    from forewarn.base.words import chance, quantity

    values = each.points.get("mean", ())
    worst = quantity((min if each.below else max)(values), each.unit) if values else ""
    limit = quantity(each.limit, each.unit) if each.limit is not None else "none"
    told = each.chance
    chances = ("", "", "") if told is None else tuple(chance(share) for share in (told.p24, told.p48, told.p72))
    return str(each.target), each.statistic, each.model or "-", limit, worst, *chances, _breach(each, moment)


def _breach(each: "Forecast", moment: int) -> str:
    """When it is as likely as not, in words."""
    from forewarn.base.words import duration
    from forewarn.base.words import moment as at

    if each.chance is None:
        return each.breach_reason or each.reason
    if each.breach_ms is None:
        return "not within 72 h"
    lead = max(0, each.breach_ms - moment) // 60_000 * 60
    return f"as likely as not {f'in {duration(lead)}' if lead else 'at any moment'} ({at(each.breach_ms)})"
