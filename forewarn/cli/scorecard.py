"""forewarn forecast --score."""

from pathlib import Path
from typing import TYPE_CHECKING

from forewarn.cli.output import print_json, print_table

if TYPE_CHECKING:
    from forecast.scorecard import Figures, Scorecard


def show_scorecard(state: Path, as_of: str | None, *, json: bool) -> None:
    """Print how good the stored forecasts were of the 30 days before a moment."""
    from forewarn.base.clock import SystemClock
    from forewarn.cli.forecast import moment_at

    card = _read(state, moment_at(as_of) if as_of is not None else SystemClock().now_ms())
    if json:
        print_json(card.to_dict())
    elif not card.overall.forecasts:
        print("no forecast has been scored yet: each is, once its 72 hours are over")
    else:
        _print(card)


def _read(state: Path, now_ms: int) -> "Scorecard":
    import sqlite3

    from forecast.scorecard import read_card
    from forewarn.base.errors import StoreError
    from forewarn.base.sqlite import open_reader

    connection = open_reader(state)
    try:
        return read_card(connection, now_ms)
    except sqlite3.Error as error:  # among them a file that no newer daemon has opened yet
        raise StoreError(f"cannot read scores from {state}: {error}", hint="start 'forewarn run' once") from error
    finally:
        connection.close()


def _print(card: "Scorecard") -> None:
    figures = card.overall
    warned = figures.came_true + figures.false_warnings
    rule = figures.rule_came_true + figures.rule_false_warnings
    late = "-" if figures.lead_error_hours is None else f"{figures.lead_error_hours:.0f} h"
    summary = [
        ("forecasts scored", str(figures.forecasts)),
        ("MASE: ours, same hour yesterday, Prophet", _mases(figures)),
        ("our error over same hour yesterday's", _number(figures.to_yesterday)),
        ("our error over Prophet's", _number(figures.to_prophet)),
        ("hours within the 80 % band", _percent(figures.coverage_80)),
        ("hours within the 95 % band", _percent(figures.coverage_95)),
        ("warnings that came true", f"{figures.came_true} of {warned}"),
        ("crossings without a warning", str(figures.missed)),
        ("'it crossed in the last 72 h' came true", f"{figures.rule_came_true} of {rule}"),
        ("expected crossing off by, median", late),
    ]
    print_table(("the last 30 days", ""), summary)
    rows = [
        (
            one.target,
            one.statistic,
            str(one.figures.forecasts),
            _number(one.figures.mase),
            _number(one.figures.to_yesterday),
            _number(one.figures.to_prophet),
            _percent(one.figures.coverage_80),
            f"{one.figures.came_true}/{one.figures.false_warnings}/{one.figures.missed}",
        )
        for one in card.targets
    ]
    columns = ("target", "statistic", "scored", "MASE", "/ yesterday", "/ Prophet", "in 80 %", "true/false/missed")
    print_table(columns, rows)


def _mases(figures: "Figures") -> str:
    return ", ".join(map(_number, (figures.mase, figures.mase_yesterday, figures.mase_prophet)))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
