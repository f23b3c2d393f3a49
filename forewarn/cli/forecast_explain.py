"""forewarn forecast --explain: one capacity at length, as pictures of its next 72 hours."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.results import Forecast
    from forecast.scorecard import Scorecard

WIDTH = 36
"""Characters of a picture: two hours each."""


def print_explained(made: "Sequence[Forecast]", card: "Scorecard") -> None:
    """Each forecast in a block of its own.

    Args:
        made: the forecasts.
        card: how good earlier ones were.
    """
    for place, one in enumerate(made):
        print(f"{chr(10) if place else ''}{one.target}, hourly {one.statistic}")
        for name, text in _lines(one, card):
            print(f"  {name:<12}{text}")


def _lines(one: "Forecast", card: "Scorecard") -> "Iterator[tuple[str, str]]":
    from forewarn.base.words import hours

    if one.status != "ok":
        yield "forecast", f"none: {one.reason}"
        return
    yield (
        "forecast",
        f"{one.model}, from {hours(one.history_hours)} of history{f' ({one.reason})' if one.reason else ''}",
    )
    yield "expected", _picture(one, one.points["mean"])
    yield "80 % band", _between(one, one.points["p10"], one.points["p90"])
    yield "95 % band", _between(one, one.points["p2.5"], one.points["p97.5"])
    if one.prophet is not None:
        yield "Prophet", _picture(one, one.prophet.points)
        for name, values in one.prophet.parts.items():
            yield f"  {name}", _picture(one, values)
    if one.demand:
        yield "demand", _picture(one, one.demand)
    yield from _limit(one, card)


def _limit(one: "Forecast", card: "Scorecard") -> "Iterator[tuple[str, str]]":
    from alerts.evidence import record
    from forewarn.base.words import chance, quantity

    if one.limit is None:
        yield "limit", "none is set"
        return
    yield "limit", f"{quantity(one.limit, one.unit)}{', the lower end' if one.below else ''}"
    told = one.chance
    if told is None:
        yield "reached", one.breach_reason
        return
    spans = ", ".join(
        f"{chance(share)} in {span} h" for span, share in ((24, told.p24), (48, told.p48), (72, told.p72))
    )
    yield "reached", f"{_bars(told.curve)}  {spans}"
    yield "by when", "; ".join(f"{name}: {_moment(one, hour)}" for name, hour in _times(one))
    yield "plain rule", f"it crossed in the last 72 h: {'yes' if told.crossed_lately else 'no'}"
    yield "so far", record(card, str(one.target), one.statistic).text


def _times(one: "Forecast") -> "list[tuple[str, int | None]]":
    told = one.chance
    assert told is not None
    return [("one chance in ten", told.t10), ("as likely as not", told.t50), ("nine in ten", told.t90)]


def _moment(one: "Forecast", hour: int | None) -> str:
    from forewarn.base.words import moment

    return "beyond 72 h" if hour is None else moment(one.start_ms + hour * one.step_ms)


def _picture(one: "Forecast", values: "Sequence[float]") -> str:
    import numpy as np

    from forewarn.cli.query import sparkline

    return f"{sparkline(np.asarray(values), WIDTH)}  {_between(one, values, values)}"


def _between(one: "Forecast", low: "Sequence[float]", high: "Sequence[float]") -> str:
    from forewarn.base.words import quantity

    return f"{quantity(min(low), one.unit)} to {quantity(max(high), one.unit)}"


def _bars(curve: "Sequence[float]") -> str:
    """The probability at the end of every second hour; the full height is certainty."""
    from forewarn.cli.query import SPARKS

    return "".join(SPARKS[min(len(SPARKS) - 1, int(share * len(SPARKS)))] for share in curve[1::2])
