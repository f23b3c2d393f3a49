"""Panels about how probable a breach is, and how good such statements have been."""

from collector.catalogue import CATALOGUE
from dashboards.panels import Panel, Query, Row, known, plot, select

PROBABILITY = "forewarn_forecast_breach_probability_ratio"
CAPPED = "|".join(metric.name for metric in CATALOGUE.values() if metric.kind == "saturated")
"""Levels whose peaks touch their cap on any busy day: there only the mean speaks."""
_TOLD_AT = {
    "mode": "absolute",
    "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 0.4}, {"color": "red", "value": 0.6}],
}
_WARNINGS = "forewarn_forecast_warnings"


def decisive(name: str, *conditions: str) -> str:
    """The series of a forecast's metric that say when a capacity ends."""
    peaks = select(name, *conditions, 'statistic!="mean"', f'target=~"({CAPPED})([{{].*)?"')
    return f"{select(name, *conditions)} unless {peaks}"


def chance_panels() -> tuple[Panel, ...]:
    """What will probably run out, and how that went up and down."""
    return (
        Panel(
            "Probability of a breach within 24 h",
            f"{known(PROBABILITY).help} Warnings begin at 60 % and end at 40 %.",
            (Query(_worst("24h"), "{{instance}} {{target}}"),),
            "percentunit",
            defaults={"thresholds": _TOLD_AT, "min": 0, "max": 1},
            custom={"thresholdsStyle": {"mode": "dashed"}},
        ),
        Panel(
            "Probability of a breach within 72 h",
            "The ten capacities that most probably reach their limits within three days.",
            (Query(_worst("72h"), "{{instance}} {{target}}"),),
            "percentunit",
            defaults={"thresholds": _TOLD_AT, "min": 0, "max": 1},
            custom={"thresholdsStyle": {"mode": "dashed"}},
        ),
    )


def _worst(window: str) -> str:
    chances = decisive(PROBABILITY, f'window="{window}"')
    return f"topk(10, max by(instance, target) ({chances}))"


def record_row() -> Row:
    """How good the forecasts of the last 30 days have been."""
    came, false = (select(_WARNINGS, f'outcome="{outcome}"') for outcome in ("came_true", "false"))
    return Row(
        "How good the forecasts have been",
        (
            Panel(
                "Warnings that came true",
                "Share of the warnings of the last 30 days after which the limit was reached; about 0.8 is intended.",
                (Query(f"{came} / ignoring(outcome) ({came} + ignoring(outcome) {false} > 0)", "{{instance}}"),),
                "percentunit",
                "stat",
                width=6,
                height=7,
            ),
            plot(_WARNINGS, "Warnings and missed crossings", width=9, height=7),
            plot("forewarn_forecast_brier_ratio", "Brier score of the probabilities", width=9, height=7),
            plot("forewarn_forecast_mase", "Error, in same-hour-yesterday's", width=12, height=7),
            plot("forewarn_forecast_coverage_ratio", "Hours inside the bands", width=12, height=7),
        ),
    )
