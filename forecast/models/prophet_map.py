"""Prophet's model and priors, fitted in NumPy: the maximum of the very posterior that Stan's optimiser climbs.

With additive seasonality and linear growth the mean is linear in theta = (m, k, delta, beta), and with y scaled by its
largest absolute value and t to [0, 1] Prophet minimises (facebook/prophet, python/stan/prophet.stan)

    |y - Phi theta|^2 / (2 sigma^2) + T log sigma + 2 sigma^2 + (k^2 + m^2) / 50 + sum |delta| / tau + |beta|^2 / 200.

Given theta, sigma has a closed form; given sigma, |d| <= d^2 / (2 c) + c / 2 with c = |d| of the step before makes
theta a ridge regression (Hunter and Li, Variable selection using MM algorithms, Annals of Statistics 2005): every step
lowers the objective.

Many series are fitted at once. Those whose hours are known at the same times share Phi. Of the ridge only delta's part
changes from step to step, so m, k and beta are eliminated: in the basis that makes their block of Phi'Phi diagonal
they cost a division, and a step is a solve in delta alone.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from forecast.grid import Grid, Ints
from forecast.models.base import LEVELS, NotEnoughHistoryError, Prediction
from forecast.prepare import History
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forewarn.base.clock import DAY, HOUR

TAU = 0.05
SEASONALITY_SCALE = 10.0
TREND_SCALE = 5.0
CHANGEPOINTS = 25
CHANGEPOINT_RANGE = 0.8
DAILY = (1.0, 4)
WEEKLY = (7.0, 3)
STEPS = 100
BATCH = 128
SHORTEST = 2 * DAY
_SMALLEST_SIGMA2 = 1e-14
_NORMAL = {"p2.5": -1.959964, "p10": -1.281552, "p90": 1.281552, "p97.5": 1.959964}

SLOPES = slice(2, 2 + CHANGEPOINTS)
WEEK = slice(SLOPES.stop, SLOPES.stop + 2 * WEEKLY[1])
DAYS = slice(WEEK.stop, WEEK.stop + 2 * DAILY[1])
COLUMNS = DAYS.stop
"""Columns of Phi: intercept, slope, changes of the slope, weekly and daily waves; those of no use are zero."""
_SMOOTH = np.r_[0:2, WEEK, DAYS]
_RIDGE = np.array(
    [1 / TREND_SCALE**2] * 2 + [1 / SEASONALITY_SCALE**2] * (COLUMNS - DAYS.start + WEEK.stop - WEEK.start)
)


@dataclass(frozen=True)
class Design:
    """What Prophet would choose by itself for hours at certain times.

    Attributes:
        times_ms: the known hours.
        changepoints: scaled times at which the slope may change, 25 at most.
    """

    times_ms: Ints
    changepoints: Floats

    @classmethod
    def of(cls, times_ms: Ints) -> "Design":
        """The design for hours at these times, of which there are two at least."""
        usable = int(np.floor(times_ms.size * CHANGEPOINT_RANGE))
        count = max(0, min(CHANGEPOINTS, usable - 1))
        places = np.linspace(0, usable - 1, count + 1).round().astype(int)[1:]
        span = times_ms[-1] - times_ms[0]
        return cls(times_ms, (times_ms[places] - times_ms[0]) / span)

    @property
    def span_ms(self) -> int:
        """From the first known hour to the last: the unit of scaled time."""
        return int(self.times_ms[-1] - self.times_ms[0])

    def scaled(self, times_ms: Ints) -> Floats:
        """Times in units of the history."""
        return np.asarray((times_ms - self.times_ms[0]) / self.span_ms, dtype=np.float64)

    def columns(self, times_ms: Ints) -> Floats:
        """Phi at these times."""
        t = self.scaled(times_ms)
        phi = np.zeros((t.size, COLUMNS))
        phi[:, 0], phi[:, 1] = 1.0, t
        phi[:, 2 : 2 + self.changepoints.size] = np.maximum(t[:, None] - self.changepoints, 0.0)
        for place, (period, order), shortest in ((WEEK, WEEKLY, 14 * DAY), (DAYS, DAILY, 2 * DAY)):
            if self.span_ms >= shortest:
                angle = 2 * np.pi * np.outer(times_ms / DAY / period, np.arange(1, order + 1))
                phi[:, place] = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(t.size, -1)
        return phi

    @cached_property
    def past(self) -> Floats:
        """Phi at the known hours."""
        return self.columns(self.times_ms)

    @cached_property
    def reduced(self) -> "Reduced":
        """Phi'Phi, made ready for the climb."""
        gram = self.past.T @ self.past
        root = 1 / np.sqrt(_RIDGE)
        values, vectors = np.linalg.eigh(root[:, None] * gram[np.ix_(_SMOOTH, _SMOOTH)] * root)
        basis = root[:, None] * vectors
        return Reduced(basis, np.maximum(values, 0.0), basis.T @ gram[_SMOOTH, SLOPES], gram[SLOPES, SLOPES])


@dataclass(frozen=True, slots=True)
class Reduced:
    """Phi'Phi with all but the changes of the slope in a basis in which their block is diagonal, their prior unit."""

    basis: Floats
    values: Floats
    mixed: Floats
    slopes: Floats


@dataclass(frozen=True)
class Fits:
    """The posterior's maxima of many series, each of y scaled by ``scale``.

    Attributes:
        end_ms: the origin.
        designs: the distinct designs.
        design: of each series its place in ``designs``, -1 where the history is too short.
        theta: [n, 41].
        sigma: [n].
        scale: [n].
        residuals: [n, 24] errors of the fit in the last 24 hours, scaled; NaN where missing.
    """

    end_ms: int
    designs: tuple[Design, ...]
    design: Ints
    theta: Floats
    sigma: Floats
    scale: Floats
    residuals: Floats

    def within(self, unit: Floats) -> "Fits":
        """The same fits of series each in a unit of its own."""
        return replace(self, scale=self.scale / unit)

    @cached_property
    def future_ms(self) -> Ints:
        """Starts of the hours ahead."""
        return self.end_ms + np.arange(HORIZON_HOURS, dtype=np.int64) * HOUR

    @cached_property
    def forecast(self) -> Floats:
        """Prophet's yhat, [n, 72]; NaN where there is no fit."""
        return self._ahead(slice(0, COLUMNS))

    def component(self, part: str) -> Floats:
        """``trend``, ``weekly`` or ``daily`` of the forecast, [n, 72]."""
        return self._ahead({"trend": slice(0, SLOPES.stop), "weekly": WEEK, "daily": DAYS}[part])

    def changepoints(self, row: int, smallest: float = 0.01) -> list[tuple[int, float]]:
        """Times at which one series' slope changed, and by how much a day.

        Changes that would move the series by less than ``smallest`` of its scale over a whole history are left out.
        """
        if self.design[row] < 0:
            return []
        design = self.designs[self.design[row]]
        deltas = self.theta[row, 2 : 2 + design.changepoints.size]
        times = design.times_ms[0] + np.rint(design.changepoints * design.span_ms)
        large = np.flatnonzero(np.abs(deltas) >= smallest)
        with np.errstate(over="ignore"):
            per_day = deltas * (self.scale[row] * (DAY / design.span_ms))
        return [(int(times[place]), float(per_day[place])) for place in large]

    @cached_property
    def spread(self) -> Floats:
        """Standard deviation of what Prophet would draw, [n, 72].

        Noise, and a slope that goes on changing as often and as much as it did: S changes a history, each a Laplace
        of scale b, add 2/3 S b^2 h^3 to the variance h histories after the end.
        """
        result = np.full((self.design.size, HORIZON_HOURS), np.nan)
        for place, design in enumerate(self.designs):
            rows = np.flatnonzero(self.design == place)
            count = design.changepoints.size
            size = np.abs(self.theta[rows, 2 : 2 + count]).mean(axis=1) if count else np.zeros(rows.size)
            past_end = np.maximum(design.scaled(self.future_ms) - 1, 0.0)
            variance = self.sigma[rows, None] ** 2 + 2 / 3 * count * size[:, None] ** 2 * past_end**3
            result[rows] = self.scale[rows, None] * np.sqrt(variance)
        return result

    def damped(self, damping: float = 0.95) -> Floats:
        """The forecast with a slope that fades by ``damping`` an hour and the residuals of an AR(1), [n, 72]."""
        ahead = np.arange(1, HORIZON_HOURS + 1)
        fading = damping * (1 - damping**ahead) / (1 - damping)
        result = self.forecast.copy()
        for place, design in enumerate(self.designs):
            rows = np.flatnonzero(self.design == place)
            slope = self.theta[rows, 1 : SLOPES.stop].sum(axis=1) * self.scale[rows] * HOUR / design.span_ms
            result[rows] += slope[:, None] * (fading - ahead)
        error = np.nan_to_num(self.residuals)
        before, after = error[:, :-1], error[:, 1:]
        share = (before * after).sum(axis=1) / np.maximum((before**2).sum(axis=1), 1e-12)
        rho = np.clip(share, 0.0, 0.99)
        return np.asarray(result + (self.scale * error[:, -1])[:, None] * rho[:, None] ** ahead)

    def _ahead(self, part: slice) -> Floats:
        result = np.full((self.design.size, HORIZON_HOURS), np.nan)
        for place, design in enumerate(self.designs):
            rows = np.flatnonzero(self.design == place)
            told = self.theta[rows, part] @ design.columns(self.future_ms)[:, part].T
            with np.errstate(over="ignore"):  # of huge values; who uses it sees that it is not finite
                result[rows] = self.scale[rows, None] * told
        return result


def fit_many(grid: Grid, steps: int = STEPS) -> Fits:
    """The posterior's maximum of every series with two days of history; missing hours are left out of the fit."""
    count, width = grid.values.shape
    known = grid.known
    patterns, which = np.unique(np.packbits(known, axis=1), axis=0, return_inverse=True)
    times = grid.end_ms - np.arange(width, 0, -1, dtype=np.int64) * HOUR
    scale = np.where(known, np.abs(grid.values), 0.0).max(axis=1, initial=0.0)
    scale = np.where(scale > 0, scale, 1.0)
    y = np.where(known, grid.values, 0.0) / scale[:, None]
    result = Fits(
        grid.end_ms,
        (),
        np.full(count, -1),
        np.zeros((count, COLUMNS)),
        np.zeros(count),
        scale,
        np.full((count, 24), np.nan),
    )
    designs: list[Design] = []
    cross = np.zeros((count, COLUMNS))
    for pattern in range(len(patterns)):
        rows = np.flatnonzero(which.ravel() == pattern)
        hours = times[known[rows[0]]]
        if hours.size < 2 or hours[-1] - hours[0] < SHORTEST:
            continue
        result.design[rows] = len(designs)
        designs.append(Design.of(hours))
        cross[rows] = y[np.ix_(rows, known[rows[0]])] @ designs[-1].past
    order = np.argsort(result.design, kind="stable")
    order = order[result.design[order] >= 0]
    for begin in range(0, order.size, BATCH):
        rows = order[begin : begin + BATCH]
        some = [designs[place].reduced for place in result.design[rows]]
        square = np.einsum("nt,nt->n", y[rows], y[rows])
        theta, sigma2 = _climb(some, cross[rows], square, known[rows].sum(axis=1).astype(float), steps)
        result.theta[rows], result.sigma[rows] = theta, np.sqrt(sigma2)
    _flatten(result, grid)
    for place, design in enumerate(designs):
        rows = np.flatnonzero(result.design == place)
        fitted = result.theta[rows] @ design.columns(times[-24:]).T
        result.residuals[rows] = np.where(known[rows, -24:], y[rows, -24:] - fitted, np.nan)
    return Fits(grid.end_ms, tuple(designs), result.design, result.theta, result.sigma, scale, result.residuals)


def _flatten(found: Fits, grid: Grid) -> None:
    """A series that never moved goes on as it was; the priors would pull it to 0."""
    flat = (found.design >= 0) & grid.still
    found.theta[flat] = 0.0
    found.theta[flat, 0] = grid.bridged[flat, -1] / found.scale[flat]
    found.sigma[flat] = 0.0


def _climb(some: list[Reduced], cross: Floats, square: Floats, count: Floats, steps: int) -> tuple[Floats, Floats]:
    """The maxima of a batch: theta, one row a series, and sigma squared."""
    shared = all(one is some[0] for one in some)
    basis = some[0].basis[None] if shared else np.stack([one.basis for one in some])
    values = some[0].values[None] if shared else np.stack([one.values for one in some])
    mixed = some[0].mixed[None] if shared else np.stack([one.mixed for one in some])
    slopes = some[0].slopes[None] if shared else np.stack([one.slopes for one in some])
    outer = (mixed[0][:, :, None] * mixed[0][:, None, :]).reshape(mixed.shape[1], -1)
    smooth_cross = (basis.transpose(0, 2, 1) @ cross[:, _SMOOTH, None])[..., 0]
    slope_cross = cross[:, SLOPES]
    sigma2 = np.maximum(square / count, _SMALLEST_SIGMA2)
    delta = np.zeros_like(slope_cross)
    smooth = np.zeros_like(smooth_cross)
    diagonal = np.arange(CHANGEPOINTS)
    for step in range(steps):
        prior = 1 / (TAU * np.maximum(np.abs(delta), max(1e-7, 0.85**step)))
        weights = 1 / (values + sigma2[:, None])
        if shared:
            system = slopes - (weights @ outer).reshape(-1, CHANGEPOINTS, CHANGEPOINTS)
        else:
            system = slopes - mixed.transpose(0, 2, 1) @ (weights[:, :, None] * mixed)
        system[:, diagonal, diagonal] += sigma2[:, None] * prior
        right = slope_cross[:, :, None] - mixed.transpose(0, 2, 1) @ (weights * smooth_cross)[:, :, None]
        delta = np.linalg.solve(system, right)[..., 0]
        smooth = weights * (smooth_cross - (mixed @ delta[:, :, None])[..., 0])
        explained = (smooth * smooth_cross).sum(axis=1) + (delta * slope_cross).sum(axis=1)
        shrunk = (smooth**2).sum(axis=1) + (prior * delta**2).sum(axis=1)
        error = np.maximum(square - explained - sigma2 * shrunk, 0.0)
        sigma2 = np.maximum((np.sqrt(count**2 + 16 * error) - count) / 8, _SMALLEST_SIGMA2)
    theta = np.zeros_like(cross)
    theta[:, _SMOOTH] = (basis @ smooth[:, :, None])[..., 0]
    theta[:, SLOPES] = delta
    return theta, sigma2


def objective(design: Design, theta: Floats, sigma: float, scaled: Floats) -> float:
    """What is minimised, up to a constant: the negative log posterior of values over their scale."""
    error = scaled - design.past @ theta
    likelihood = error @ error / (2 * sigma**2) + scaled.size * np.log(sigma) + 2 * sigma**2
    return float(likelihood + theta[_SMOOTH] ** 2 @ _RIDGE / 2 + np.abs(theta[SLOPES]).sum() / TAU)


class ProphetMap:
    """Prophet's forecast without Prophet's library."""

    name: ClassVar[str] = "prophet_map"
    needs_hours: ClassVar[int] = 7 * 24

    def predict(self, history: History) -> Prediction:
        """The next 72 hours; the bands are quantiles of a normal with the variance of Prophet's draws.

        Raises:
            NotEnoughHistoryError: fewer than two days between the first known hour and the last.
        """
        found = fit_many(Grid(history.end_ms, history.values[None]))
        if found.design[0] < 0:
            raise NotEnoughHistoryError("fewer than two days between the first hour and the last")
        mean, spread = found.forecast[0], found.spread[0]
        return Prediction(mean, {name: mean + _NORMAL[name] * spread for name in LEVELS})
