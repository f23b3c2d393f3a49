"""Series that were never measured, but could have been: days, weeks, queues, allocations, walks, stores that fill."""

from collections.abc import Callable, Sequence

import numpy as np

from forecast.sources import Floats

Random = np.random.Generator
DAY, WEEK = 24, 168
SHARE_ADDED, SHARE_MULTIPLIED, SHARE_TURNED = 0.25, 0.07, 0.1
OFFSETS = (0, 0, 1, 10)


def series(random: Random, hours: int) -> Floats:
    """One series of some kind, or two of them in one, with or without clips, floors, outages and spikes."""
    values = _one(random, hours)
    way = random.random()
    if way < SHARE_ADDED:
        values = values + random.uniform(0.2, 1.0) * _one(random, hours)
    elif way < SHARE_ADDED + SHARE_MULTIPLIED:
        values = values * np.exp(random.uniform(0.2, 0.8) * _one(random, hours).clip(-3, 3))
    if random.random() < SHARE_TURNED:
        values = -values
    return _decorated(random, values / (values.std() + 1e-9))


def _one(random: Random, hours: int) -> Floats:
    kinds, shares = zip(*KINDS.items(), strict=True)
    values = kinds[random.choice(len(kinds), p=np.array(shares) / sum(shares))](random, hours)
    return np.asarray(values / (values.std() + 1e-9))


def drift(random: Random, hours: int, memory: float) -> Floats:
    """An Ornstein-Uhlenbeck process of unit variance that forgets in ``memory`` hours."""
    warm = int(6 * memory) + 1
    kernel = np.exp(-np.arange(warm) / memory)
    size = 1 << (hours + 2 * warm).bit_length()
    noise = random.standard_normal(hours + warm)
    spectrum = np.fft.rfft(noise, size) * np.fft.rfft(kernel, size)
    return np.asarray(np.fft.irfft(spectrum, size)[warm : warm + hours] / np.sqrt((kernel**2).sum()))


def log_uniform(random: Random, low: float, high: float) -> float:
    """Between low and high, every magnitude as likely."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _one_of(random: Random, options: Sequence[float]) -> float:
    return float(random.choice(options))


def day_shape(random: Random) -> Floats:
    """24 hours of unit variance: waves, a pulse, or one or two bumps."""
    hour = np.arange(DAY)
    kind = random.integers(3)
    if kind == 0:
        waves = range(1, random.integers(2, 6))
        shape = sum(random.normal() / k * np.cos(2 * np.pi * k * (hour - random.uniform(0, DAY)) / DAY) for k in waves)
    elif kind == 1:
        pulse = ((hour - random.integers(DAY)) % DAY < random.integers(2, 14)).astype(float)
        shape = np.convolve(np.tile(pulse, 3), np.ones(random.integers(1, 4)), "same")[DAY : 2 * DAY]
    else:
        shape = _bump(random) + (random.uniform(0.2, 1) * _bump(random) if random.random() < 0.5 else 0.0)
    return np.asarray(shape / (np.std(shape) + 1e-9))


def _bump(random: Random) -> Floats:
    off = (np.arange(DAY) - random.uniform(0, DAY) + 12) % DAY - 12
    return np.asarray(np.exp(-0.5 * (off / random.uniform(0.7, 4)) ** 2))


def _days(random: Random, hours: int) -> Floats:
    """The same day over and over, beginning anywhere."""
    return np.roll(np.tile(day_shape(random), hours // DAY + 2), random.integers(DAY))[:hours]


def _weekday(random: Random, hours: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return (np.arange(hours) + random.integers(WEEK)) // DAY % 7


def _seasonal(random: Random, hours: int) -> Floats:
    """A daily shape, perhaps quiet days of the week, days of unlike size, a trend, noise with and without memory."""
    values = _days(random, hours)
    if random.random() < 0.6:
        quiet = random.uniform(0, 1.2)
        factors = np.ones(7)
        factors[:2] = 1 - quiet, 1 - quiet * random.uniform(0.6, 1.1)
        if random.random() < 0.3:
            factors *= np.exp(0.3 * random.standard_normal(7))
        week = factors[_weekday(random, hours)]
        values = (values - values.min()) * week if random.random() < 0.5 else values + 2 * week
    if random.random() < 0.5:
        gains = np.exp(random.uniform(0.05, 0.5) * random.standard_normal(hours // DAY + 1))
        values = values * np.repeat(gains, DAY)[:hours]
    values = values / (values.std() + 1e-9)
    values = values + _one_of(random, [0.05, 0.15, 0.4, 1.0]) * drift(random, hours, log_uniform(random, 1, 150))
    values = values + _one_of(random, [0, 0.05, 0.2, 0.5]) * random.standard_normal(hours)
    if random.random() < 0.4:
        values = values + random.normal() * 2 * np.arange(hours) / hours
    return values if random.random() < 0.6 else _changed(random, values)


def _changed(random: Random, values: Floats) -> Floats:
    """Levels, gains and slopes that change for good, up to three times."""
    values = values.copy()
    for _ in range(random.integers(1, 4)):
        at = random.integers(DAY, values.size)
        kind = random.integers(3)
        if kind == 0:
            values[at:] += 2 * random.normal()
        elif kind == 1:
            values[at:] *= np.exp(0.7 * random.normal())
        else:
            values[at:] += 3 * random.normal() * np.arange(values.size - at) / values.size
    return values


def _births_and_deaths(random: Random, hours: int) -> Floats:
    """Units handed out and taken back, in steps of any size; calm times and busy ones; at times far more one way."""
    up = random.uniform(0.4, 0.6) if random.random() < 0.5 else random.uniform(0.1, 0.95)
    steps = random.choice([-1, 1], hours, p=[1 - up, up]) * np.exp(random.normal(0, random.uniform(0, 2.5), hours))
    values = np.cumsum(steps * (random.random(hours) < log_uniform(random, 0.01, 1) * _activity(random, hours)))
    if random.random() < 0.6:
        values = np.maximum(values - values.min() * random.uniform(0, 1), 0)
    if random.random() < 0.4:
        values = np.minimum(values, np.quantile(values, random.uniform(0.7, 1)))
    if random.random() < 0.3:
        values = values + random.uniform(0.05, 0.5) * values.std() * _days(random, hours)
    return values


def _activity(random: Random, hours: int) -> Floats:
    """How busy each hour is, 0 to 1: always, by day, or in stretches."""
    kind = random.integers(4)
    if kind == 0:
        return np.ones(hours)
    if kind == 1:
        shape = _days(random, hours)
        return np.asarray((shape - shape.min()) / (np.ptp(shape) + 1e-9))
    if kind == 2:
        return (drift(random, hours, log_uniform(random, 12, 200)) > random.uniform(-0.5, 1.5)).astype(float)
    return 1 / (1 + np.exp(-3 * drift(random, hours, log_uniform(random, 24, 300))))


def _holds(random: Random, hours: int) -> Floats:
    """A level that is held and then another: any, a step away, or one of a few that come again."""
    lengths = np.maximum(random.lognormal(np.log(log_uniform(random, 4, 200)), random.uniform(0.2, 1.2), hours), 1)
    changes = np.searchsorted(np.cumsum(lengths.astype(int)), np.arange(hours), side="right")
    count = int(changes[-1]) + 1
    kind = random.integers(3)
    if kind == 0:
        levels = random.standard_normal(count)
    elif kind == 1:
        levels = np.cumsum(random.standard_t(3, count))
    else:
        levels = random.choice(random.standard_normal(random.integers(2, 6)), count)
    values = np.asarray(levels[changes], dtype=np.float64)
    noise = _one_of(random, [0, 0.02, 0.1, 0.3]) * float(values.std() + 0.1)
    return values + noise * drift(random, hours, random.uniform(1, 9))


def _walk(random: Random, hours: int) -> Floats:
    """A random walk with fat tails, loud and quiet times, perhaps a daily shape on top."""
    steps = random.standard_t(_one_of(random, [2.5, 4, 30]), hours)
    if random.random() < 0.5:
        steps = steps * np.exp(random.uniform(0.3, 1.5) * drift(random, hours, log_uniform(random, 6, 300)))
    values = np.cumsum(steps + _one_of(random, [0, 0, 0.05, -0.05]))
    if random.random() < 0.4:
        values = values + random.uniform(0.05, 0.6) * values.std() * _days(random, hours)
    if random.random() < 0.2:
        values = values + random.uniform(0.02, 0.2) * values.std() * random.standard_normal(hours)
    return values


def _queue(random: Random, hours: int) -> Floats:
    """Jobs that come by the hour of day and hold 1 to 8 units for a while, under a quota: M/G/infinity, capped."""
    warm = 200
    rate = np.maximum(1 + random.uniform(0, 1) * _days(random, hours), 0.02)
    if random.random() < 0.5:
        rate = rate * np.where(_weekday(random, hours) < 2, random.uniform(0.1, 1), 1)
    if random.random() < 0.4:
        rate = rate * np.exp(random.uniform(0.2, 1) * drift(random, hours, log_uniform(random, 24, 300)))
    rate = log_uniform(random, 0.004, 20) * np.concatenate([np.full(warm, rate.mean()), rate])
    begin = np.repeat(np.arange(warm + hours), np.minimum(random.poisson(rate), 60))
    usual = log_uniform(random, 1, 150)
    if random.random() < 0.6:
        held = random.exponential(usual, begin.size)
    else:
        held = random.lognormal(np.log(usual), random.uniform(0.8, 1.6), begin.size)
    units = random.choice([1, 1, 2, 4, 8], begin.size)
    if random.random() < 0.5:
        units = np.ceil(random.lognormal(0, random.uniform(0.5, 2.5), begin.size)).astype(int)
    end = np.minimum(begin + np.minimum(held, 1e6).astype(int) + 1, warm + hours)
    change = np.bincount(begin, units, warm + hours + 1) - np.bincount(end, units, warm + hours + 1)
    values = np.asarray(np.cumsum(change)[warm : warm + hours], dtype=np.float64)
    return np.minimum(values, np.quantile(values, random.uniform(0.6, 1))) if random.random() < 0.5 else values


def _counts(random: Random, hours: int) -> Floats:
    """Few or many of something an hour, by the hour of day, Poisson or with a long tail."""
    rate = random.uniform(-1, 3) + random.uniform(0, 1) * _days(random, hours)
    rate = np.exp(np.minimum(rate + random.uniform(0, 0.7) * drift(random, hours, log_uniform(random, 1, 55)), 9))
    if random.random() < 0.3:
        return random.negative_binomial(1, 1 / (1 + rate)).astype(float)
    return random.poisson(rate).astype(float)


def _sawtooth(random: Random, hours: int) -> Floats:
    """What fills up, faster and slower, and is emptied at a mark."""
    rate = np.maximum(1 + random.uniform(0, 1) * _days(random, hours), 0.05) * np.exp(0.3 * drift(random, hours, 50))
    total = np.cumsum(rate) + random.uniform(0, 400)
    values = np.asarray(total % log_uniform(random, 12, 900), dtype=np.float64)
    return values + float(random.uniform(0, 0.05) * values.std()) * random.standard_normal(hours)


def _spikes(random: Random, hours: int) -> Floats:
    """Nothing for most of the time."""
    values = 0.02 * random.standard_normal(hours) * (random.random() < 0.6)
    values = values + (random.random(hours) < log_uniform(random, 0.003, 0.1)) * random.exponential(1, hours)
    if random.random() < 0.5:
        kept = (np.arange(hours) % DAY == random.integers(DAY)) & (random.random(hours) < random.uniform(0.5, 1))
        values = values + kept * random.uniform(0.5, 2)
    if random.random() < 0.4:
        values = np.convolve(values, np.exp(-np.arange(12) / random.uniform(0.5, 5)))[:hours]
    return values


def _waves(random: Random, hours: int) -> Floats:
    """Waves of a day, a week and any other length, steady or swelling, as a Gaussian process would draw them."""
    values = np.zeros(hours)
    for _ in range(random.integers(2, 7)):
        period = _one_of(random, [24, 24, 168, 12, 8, log_uniform(random, 7, 650)])
        wave = np.exp(random.normal()) * np.cos(2 * np.pi * (np.arange(hours) / period + random.random()))
        values += wave if random.random() < 0.6 else wave * np.exp(0.5 * drift(random, hours, 100))
    values /= values.std() + 1e-9
    return values + _one_of(random, [0.1, 0.5, 1]) * drift(random, hours, log_uniform(random, 1, 148))


def _wandering(random: Random, hours: int) -> Floats:
    noise = random.uniform(0, 0.5) * random.standard_normal(hours)
    return drift(random, hours, log_uniform(random, 1, 148)) + noise


KINDS: dict[Callable[[Random, int], Floats], float] = {
    _seasonal: 4.0,
    _births_and_deaths: 2.0,
    _holds: 1.0,
    _walk: 1.5,
    _queue: 2.0,
    _counts: 1.0,
    _sawtooth: 0.7,
    _spikes: 0.8,
    _waves: 1.0,
    _wandering: 0.8,
}
"""The kinds, and how often each comes."""


def _decorated(random: Random, values: Floats) -> Floats:
    """Spikes, clips, floors, an outage, a bent or rounded scale, each at times; in any unit."""
    hours = values.size
    values = values.copy()
    if random.random() < 0.15:
        values[random.random(hours) < 0.01] += 4 * random.normal()
    if random.random() < 0.12:
        values = np.minimum(values, np.quantile(values, random.uniform(0.7, 0.97)))
    if random.random() < 0.2:
        values = np.maximum(values, np.quantile(values, random.uniform(0.02, 0.5)))
    if random.random() < 0.06:
        at = random.integers(hours - 48)
        values[at : at + random.integers(2, 30)] = values.min()
    if random.random() < 0.2:
        values = np.exp(np.clip(values * random.uniform(0.3, 1), -6, 6))
    if random.random() < 0.3:
        values = np.round(values * _one_of(random, [1, 2, 5, 20]))
    offset = _one_of(random, OFFSETS) * np.exp(random.normal())
    return np.asarray(values * np.exp(2 * random.normal()) + offset)
