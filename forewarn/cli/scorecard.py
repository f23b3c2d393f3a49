"""forewarn forecast --score."""

from pathlib import Path
from typing import TYPE_CHECKING

from forewarn.cli.output import print_json, print_table

if TYPE_CHECKING:
    from forecast.scorecard import Figures, Scorecard
    from forewarn.config import Config


def show_scorecard(state: Path, config: "Config", as_of: str | None, *, json: bool) -> None:
    """Print how good the stored forecasts were of the 30 days before a moment."""
    from forewarn.base.clock import SystemClock
    from forewarn.cli.forecast import moment_at

    card = read_scorecard(state, config, moment_at(as_of) if as_of is not None else SystemClock().now_ms())
    if json:
        print_json(card.to_dict())
    elif not card.overall.forecasts:
        print("no forecast has been scored yet: each is, once its 72 hours are over")
    else:
        _print(card)


def read_scorecard(state: Path, config: "Config", now_ms: int) -> "Scorecard":
    """The scorecard as of a moment.

    Raises:
        StoreError: it cannot be read.
    """
    import sqlite3

    from alerts.shipped import warning_bars
    from forecast.scorebook import read_card
    from forewarn.base.errors import StoreError
    from forewarn.base.sqlite import open_reader

    connection = open_reader(state)
    try:
        return read_card(connection, now_ms, warning_bars(config.alerts))
    except sqlite3.Error as error:  # among them a file that no newer daemon has opened yet
        raise StoreError(f"cannot read scores from {state}: {error}", hint="start 'forewarn run' once") from error
    finally:
        connection.close()


def _print(card: "Scorecard") -> None:
    figures = card.overall
    print_table(("the last 30 days", ""), [*_accuracy(figures), *_warnings(figures)])
    rows = [
        (
            one.target,
            one.statistic,
            str(one.figures.forecasts),
            _number(one.figures.mase),
            _number(one.figures.to_yesterday),
            _number(one.figures.to_prophet),
            _percent(one.figures.coverage_80),
            _number(one.figures.brier),
            f"{one.figures.came_true}/{one.figures.false_warnings}/{one.figures.missed}",
        )
        for one in card.targets
    ]
    columns = ("target", "statistic", "scored", "MASE", "/ yesterday", "/ Prophet", "in 80 %", "Brier")
    print_table((*columns, "true/false/missed"), rows)


def _accuracy(figures: "Figures") -> list[tuple[str, str]]:
    return [
        ("forecasts scored", str(figures.forecasts)),
        ("MASE: ours, same hour yesterday, Prophet", _mases(figures)),
        ("our error over same hour yesterday's", _number(figures.to_yesterday)),
        ("our error over Prophet's", _number(figures.to_prophet)),
        ("hours within the 80 % band", _percent(figures.coverage_80)),
        ("hours within the 95 % band", _percent(figures.coverage_95)),
    ]


def _warnings(figures: "Figures") -> list[tuple[str, str]]:
    brier = f"{_number(figures.brier, 3)}; {_number(figures.brier_rule, 3)} by the plain rule"
    rule = f"{figures.rule_came_true} of {figures.rule_came_true + figures.rule_false_warnings}"
    return [
        ("forecasts with a probability of a crossing", f"{figures.judged}, {figures.crossed} saw one"),
        ("Brier score within 72 h", brier if figures.judged else "-"),
        ("calibration error", _number(figures.calibration_error, 3)),
        ("warnings that came true", f"{figures.came_true} of {figures.came_true + figures.false_warnings}"),
        ("crossings without a warning", str(figures.missed)),
        ("warned ahead by, median", _hours(figures.lead_hours)),
        ("expected crossing off by, median", _hours(figures.lead_error_hours)),
        ("plain rule 'it crossed in the last 72 h' came true", f"{rule}, {figures.rule_missed} missed"),
    ]


def _mases(figures: "Figures") -> str:
    return ", ".join(map(_number, (figures.mase, figures.mase_yesterday, figures.mase_prophet)))


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _hours(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} h"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
