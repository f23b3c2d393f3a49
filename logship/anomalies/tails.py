"""How improbable a count or a silence is: logarithms of upper bounds that are tight far out.

The count of a window is negative binomial with mean m and variance m + dispersion * m²: Poisson where the dispersion
is 0. A tail is bounded by the geometric series that its first two terms begin, whose ratio is the greatest there.
"""

from math import lgamma, log, log1p

LEAST_DISPERSION = 1e-4


def at_least(count: float, mean: float, dispersion: float) -> float:
    """The logarithm of the probability of so many or more."""
    if count <= mean:
        return 0.0
    size = 1 / max(dispersion, LEAST_DISPERSION)
    share = mean / (mean + size)
    ratio = max(share, share * (count + size) / (count + 1))
    return min(0.0, _log_mass(count, mean, size) - (log1p(-ratio) if ratio < 1 else 0.0)) if ratio < 1 else 0.0


def at_most(count: float, mean: float, dispersion: float) -> float:
    """The logarithm of the probability of so many or fewer."""
    if count >= mean:
        return 0.0
    size = 1 / max(dispersion, LEAST_DISPERSION)
    share = mean / (mean + size)
    ratio = count / (share * (count - 1 + size)) if count else 0.0
    return min(0.0, _log_mass(count, mean, size) - log1p(-ratio)) if ratio < 1 else 0.0


def silent_for(seconds: float, mean: float, deviation: float) -> float:
    """The logarithm of the probability that a gap of this mean and deviation is so long.

    Gaps follow a gamma distribution; its tail has Chernoff's bound shape * (1 - x + log x) at x times the mean.
    """
    times = seconds / mean
    shape = min((mean / deviation) ** 2, MOST_REGULAR) if deviation else MOST_REGULAR
    return -shape * (times - 1 - log(times)) if times > 1 else 0.0


MOST_REGULAR = 16.0
"""The greatest shape: nothing is taken to be more regular than a deviation of a quarter."""


def _log_mass(count: float, mean: float, size: float) -> float:
    return (
        lgamma(count + size)
        - lgamma(size)
        - lgamma(count + 1)
        + size * log(size / (size + mean))
        + (count * log(mean / (size + mean)) if count else 0.0)
    )
