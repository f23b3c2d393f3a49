"""A plan's answers in short words, for the terminal and the picture."""

from forecast.plan.answer import Need, Resource
from forecast.plan.asking import FACTORS


def times(resource: Resource) -> str:
    """When the probability is at 10, 50 and 90 %, in days or hours: ``5 h / 2 d / -``; that it is full where it is."""
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
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} d"
