"""The rules that come with Forewarn, and how the configuration's rules join them."""

import difflib
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from alerts.rule import RuleSettings
from alerts.settings import AlertsSettings
from collector.series import SeriesKey, parse_selector
from forecast.episodes import Bar
from forewarn.base.errors import ConfigError


@cache
def shipped_rules() -> tuple[RuleSettings, ...]:
    """The rules of ``alerts/rules.toml``."""
    text = files("alerts").joinpath("rules.toml").read_text(encoding="utf-8")
    return tuple(RuleSettings.model_validate(rule) for rule in tomllib.loads(text)["rule"])


def effective_rules(settings: AlertsSettings) -> tuple[RuleSettings, ...]:
    """The rules in force: shipped ones, each replaced by the configuration's rule of its name, then the others.

    Raises:
        ConfigError: ``disabled_rules`` names a rule that is not shipped.
    """
    shipped = {rule.name: rule for rule in shipped_rules()}
    for name in settings.disabled_rules:
        if name not in shipped:
            near = difflib.get_close_matches(name, shipped, n=1)
            hint = f"did you mean {near[0]}?" if near else "the shipped rules are " + ", ".join(shipped)
            raise ConfigError(f"alerts.disabled_rules: there is no shipped rule {name!r}", hint=hint)
    kept = {name: rule for name, rule in shipped.items() if name not in settings.disabled_rules}
    rules = (kept if settings.shipped_rules else {}) | {rule.name: rule for rule in settings.rule}
    return tuple(rule for rule in rules.values() if rule.enabled)


def warning_bars(settings: AlertsSettings) -> Callable[[str], Bar]:
    """At which probabilities the rules in force begin and end a warning about a series; for the scorecard.

    Raises:
        ConfigError: see ``effective_rules``.
    """
    rules = [rule for rule in effective_rules(settings) if rule.type == "forecast_breach"]
    bars = [(parse_selector(rule.match), Bar(rule.probability, rule.clear_probability)) for rule in rules]

    def bar(series: str) -> Bar:
        key = SeriesKey.parse(series)
        return next((bar for matchers, bar in bars if all(one.matches(key) for one in matchers)), Bar())

    return bar
