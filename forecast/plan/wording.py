"""A plan's answers in short words, for the terminal and the picture."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from forecast.plan.answer import Need, Plan, Resource
from forecast.plan.asking import FACTORS
from forecast.settings import HORIZON_HOURS

MOST_NAMES = 3


def asked(plan: Plan) -> str:
    """As of when, and what was asked: ``as of 2026-11-23 09:45 UTC; a probability of a breach of 5 % is borne``."""
    moment = datetime.fromtimestamp(plan.as_of_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    grown = f"; demand is {plan.grow:g} times what it would be" if plan.grow != 1 else ""
    return f"as of {moment}; a probability of a breach of {100 * plan.probability:g} % is borne{grown}"


def reasons(resources: Sequence[Resource], title: Callable[[str], str]) -> Iterator[str]:
    """Why something is not said, a line each; of whom, where it is not all."""
    whose: dict[str, list[str]] = {}
    for each in resources:
        for name, reason in each.reasons.items():
            line = reason if name in {"all", "grow"} else f"{name}: {reason}"
            whose.setdefault(line, []).append(title(each.target))
    for line, names in whose.items():
        more_names = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        subject = "" if len(names) == len(resources) else f"{', '.join(names[:MOST_NAMES])}{more_names}: "
        yield f"{subject}{line}"


def times(resource: Resource) -> str:
    """When the probability is at 10, 50 and 90 %, in hours for three days, then in days: ``5 h / 4 d / -``."""
    if resource.full:
        return "full now"
    found = [resource.time(level) for level in (0.1, 0.5, 0.9)]
    if found[0] is None:
        return "-"
    return " / ".join("-" if hours is None else _span(hours) for hours in found)


def farthest_room(resource: Resource) -> str:
    """By how much demand may grow, at the farthest horizon that is answered: ``+34 % (14 d)``."""
    told = [(days, factor) for days, factor in resource.room.items() if factor is not None]
    if not told:
        return "-"
    days, factor = told[-1]
    return f"{growth(factor)} ({days} d)"


def growth(factor: float) -> str:
    """A factor in per cent: ``+34 %``, ``-5 %``, ``> +700 %``."""
    per_cent = round(100 * (factor - 1))
    sign = "> " if factor >= FACTORS[-1] else "< " if factor <= FACTORS[0] else ""
    return f"{sign}{per_cent:+d} %"


def more(need: Need, days: int) -> str:
    """How many more GPUs, or in short why that is not said."""
    count = need.more[days]
    if count is not None:
        return f"+{count}" if count else "0"
    reason = need.reasons.get(f"{days}d", "")
    return "history too short" if reason.startswith("needs") else reason or "-"


def _span(hours: int) -> str:
    return f"{hours} h" if hours <= HORIZON_HOURS else f"{hours // 24} d"
