"""The node's state in one sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from api.targets import CapacityTarget
from api.wording import clock_time, count, duration
from forewarn.base import words
from forewarn.base.clock import HOUR

HORIZON_MS = 72 * HOUR
HISTORY_HOURS = 24

Level = Literal["quiet", "starting", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class AlertCount:
    """Alerts by state, and whether one of the firing ones is critical."""

    firing: int = 0
    pending: int = 0
    critical: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How the node stands: a level for the colour, a sentence for the reader."""

    level: Level
    sentence: str


def node_state(
    gpus: int, targets: Sequence[CapacityTarget], alerts: AlertCount, now_ms: int, paused_until_ms: int | None = None
) -> State:
    """The state of a node with ``gpus`` GPUs, its capacity targets (the first to run out leading) and its alerts.

    ``paused_until_ms`` is when a pause of GPU collection ends, None without one.
    """
    state = _state(gpus, targets, alerts, now_ms)
    if paused_until_ms is None:
        return state
    return State(state.level, f"GPU collection is paused until {clock_time(paused_until_ms)}; {_small(state.sentence)}")


def _state(gpus: int, targets: Sequence[CapacityTarget], alerts: AlertCount, now_ms: int) -> State:
    ahead = [target for target in targets if target.breach_ms is not None and target.breach_ms <= now_ms + HORIZON_MS]
    if ahead or alerts.firing:
        level: Level = "critical" if alerts.critical else "warning"
        parts = [part for part in (_breaches(ahead, now_ms), _alerts(alerts)) if part]
        return State(level, "; ".join(parts))
    forecast = [target for target in targets if target.lead.status == "ok"]
    watched = _watched(gpus, len(targets))
    if not forecast:
        return State("starting", f"Watching {watched}; {_no_forecast(targets)}{_tail(alerts)}")
    quiet = f"All quiet: {watched}; nothing expected to run out within 3 days"
    without = len(targets) - len(forecast)
    return State("quiet", f"{quiet}{f' ({without} without a forecast yet)' if without else ''}{_tail(alerts)}")


def _breaches(ahead: Sequence[CapacityTarget], now_ms: int) -> str:
    if not ahead:
        return ""
    first = ahead[0]
    at = first.breach_ms or now_ms
    what = f"{first.expected} in {duration(at - now_ms)} ({_sure(first, at)})" if at > now_ms else first.reached
    more = f", {len(ahead) - 1} more within 3 days" if len(ahead) > 1 else ""
    return f"{_capital(first.title)} {what}{more}"


def _sure(target: CapacityTarget, at_ms: int) -> str:
    chance = target.lead.chance
    return clock_time(at_ms) if chance is None else f"{clock_time(at_ms)}, {words.chance(chance.p72)} within 3 days"


def _alerts(alerts: AlertCount) -> str:
    firing = f"{count(alerts.firing, 'alert')} firing" if alerts.firing else ""
    pending = f"{alerts.pending} pending" if alerts.pending else ""
    return ", ".join(part for part in (firing, pending) if part)


def _tail(alerts: AlertCount) -> str:
    return f"; {count(alerts.pending, 'alert')} pending" if alerts.pending else ""


def _watched(gpus: int, targets: int) -> str:
    gpu_part = count(gpus, "GPU") if gpus else "no GPU"
    return f"{gpu_part}, {count(targets, 'capacity target')}" if targets else f"{gpu_part} and the host"


def _no_forecast(targets: Sequence[CapacityTarget]) -> str:
    if not targets:
        return "no forecast has been made yet"
    waiting = [target.lead.history_hours for target in targets if target.lead.status == "not_enough_history"]
    if not waiting:
        return f"no forecast could be made: {targets[0].lead.reason}"
    left = max(1, math.ceil(HISTORY_HOURS - max(waiting)))
    return f"the first forecast needs a day of history, {left} h more"


def _small(text: str) -> str:
    """The sentence as it goes on after another; names in capitals keep them."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
