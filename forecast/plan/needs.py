"""How many more GPUs keep the probability of a breach small."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forecast.plan.answer import Need
from forecast.plan.apart import apart
from forecast.plan.asking import Ask, short_of
from forecast.plan.outlook import Outlook, point_of
from forecast.plan.pools import Pool
from forecast.sources import Floats


def find_needs(pools: Sequence[Pool], ask: Ask) -> list[Need]:
    """What each pool asks for, in their order."""
    return apart(pools, lambda some: _needs(some, ask), lambda pool, why: _silent(pool, ask, why))


def _needs(pools: Sequence[Pool], ask: Ask) -> list[Need]:
    outlook = Outlook.of([pool.demand for pool in pools])
    found = []
    for row, pool in enumerate(pools):
        limits = pool.limits()
        curves = outlook.curves(np.full(limits.size, row), limits / ask.grow, deciding=True)
        found.append(_need(pool, {days: curves[:, point_of(days)] for days in ask.horizons}, ask))
    return found


def _silent(pool: Pool, ask: Ask, why: str) -> Need:
    unknown = np.full(1, np.nan)
    found = _need(pool, dict.fromkeys(ask.horizons, unknown), ask)
    return replace(found, reasons={f"{days}d": why for days in ask.horizons})


def _need(pool: Pool, told: dict[int, Floats], ask: Ask) -> Need:
    """From the probabilities of a breach with 0, 1, 2... more GPUs, by horizon."""
    more: dict[int, int | None] = {}
    reasons = short_of(pool.demand.days, ask.horizons)
    for days, chances in told.items():
        enough = np.flatnonzero(chances < ask.probability)
        more[days] = int(enough[0]) if enough.size else None
        if more[days] is None and np.isfinite(chances[0]):
            reasons[f"{days}d"] = f"more than {chances.size - 1}"
    peak = pool.demand.peak()
    return Need(
        title=pool.title,
        model=pool.model,
        count=pool.count,
        unit=pool.unit,
        capacity=pool.demand.limit,
        peak=peak if np.isfinite(peak) else None,
        more=more,
        chances={days: float(chances[0]) if np.isfinite(chances[0]) else None for days, chances in told.items()},
        reasons=reasons,
        notes=pool.notes,
    )
