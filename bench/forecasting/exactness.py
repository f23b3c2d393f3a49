"""Prophet's posterior: our maxima beside those that Stan's optimiser finds, from its own start and from ours."""

from dataclasses import dataclass

import numpy as np

from bench.forecasting.asking import Said, ask
from bench.forecasting.windows import Floats, Ints
from forecast.grid import Grid
from forecast.models.prophet_map import COLUMNS, DAYS, SLOPES, WEEK, Fits, fit_many, objective

END_MS = 1_704_067_200_000
"""Where the peers' windows end: 2024-01-01T00:00:00Z."""
WARM_WINDOWS = 96
TOLERANCE = 1e-6
"""As a share of the objective: digits beyond are those of the sum."""


@dataclass(frozen=True)
class Agreement:
    """How our maxima compare with Stan's.

    Attributes:
        below: [n] Stan's objective less ours; never negative.
        moved: [m] the furthest that Stan moved any fitted hour from our maximum, as a share of the series' largest.
        gained: [m] what it gained by that.
    """

    below: Floats
    moved: Floats
    gained: Floats

    @property
    def at_or_below(self) -> float:
        """In how many percent of the windows ours is no higher."""
        return float(100 * (self.below >= 0).mean())


def compare(past: Floats, stan: Said) -> Agreement:
    """Our maxima of windows [n, hours] beside what Stan's optimiser gave; windows that never moved are left out."""
    grid = Grid(END_MS, past)
    usable = np.flatnonzero(~grid.still & (fit_many(grid).design >= 0))
    usable = np.array([row for row in usable.tolist() if "parameter_m" in stan.more[row]])
    grid = grid.take(usable)
    fits = fit_many(grid)
    below = np.empty(usable.size)
    for row, place in enumerate(usable.tolist()):
        theta, sigma = _theta(stan.more[place])
        ours, theirs = _objective(fits, grid, row), _objective(fits, grid, row, theta, sigma)
        below[row] = 0.0 if abs(theirs - ours) <= TOLERANCE * abs(ours) * 1e-3 else theirs - ours
    warm = np.unique(np.linspace(0, usable.size - 1, min(WARM_WINDOWS, usable.size)).astype(int))
    return Agreement(below, *_warmed(fits, grid, warm))


def _warmed(fits: Fits, grid: Grid, rows: Ints) -> tuple[Floats, Floats]:
    starts = np.concatenate([fits.theta[rows], fits.sigma[rows, None]], axis=1)
    for place, row in enumerate(rows.tolist()):
        starts[place, :COLUMNS][_unused(fits, row)] = np.nan
    said = ask(["prophet-warm"], grid.values[rows], "Stan from our maxima", starts=starts)["prophet-warm"]
    moved, gained = np.empty(rows.size), np.empty(rows.size)
    for place, row in enumerate(rows.tolist()):
        theta, sigma = _theta(said.more[place])
        phi = fits.designs[fits.design[row]].past
        moved[place] = np.abs(phi @ (theta - fits.theta[row])).max()
        gained[place] = _objective(fits, grid, row) - _objective(fits, grid, row, theta, sigma)
    return moved, gained


def _unused(fits: Fits, row: int) -> Ints:
    """Columns that Prophet does not have for so short a history."""
    design = fits.designs[fits.design[row]]
    unused = ~design.past.any(axis=0)
    unused[: 2 + design.changepoints.size] = False
    return np.flatnonzero(unused)


def _theta(more: dict[str, Floats]) -> tuple[Floats, float]:
    """Prophet's parameters in our order."""
    theta = np.zeros(COLUMNS)
    theta[0], theta[1] = more["parameter_m"][0], more["parameter_k"][0]
    delta, beta = more["parameter_delta"], more["parameter_beta"]
    theta[SLOPES.start : SLOPES.start + delta.size] = delta
    waves = np.r_[WEEK, DAYS]
    theta[waves[waves.size - beta.size :]] = beta
    return theta, float(more["parameter_sigma_obs"][0])


def _objective(fits: Fits, grid: Grid, row: int, theta: Floats | None = None, sigma: float | None = None) -> float:
    """Ours, or that of other parameters of the same window."""
    values = grid.values[row][grid.known[row]] / fits.scale[row]
    design = fits.designs[int(fits.design[row])]
    if theta is None or sigma is None:
        theta, sigma = fits.theta[row], float(fits.sigma[row])
    return objective(design, theta, sigma, values)
