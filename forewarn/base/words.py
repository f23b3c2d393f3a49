"""Numbers and times in words, as a person on call reads them."""

from datetime import UTC, datetime

_BINARY = tuple((2.0 ** (10 * power), name) for power, name in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB")))
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "bytes": _BINARY[::-1],
    "bytes/s": tuple((factor, f"{name}/s") for factor, name in _BINARY[::-1]),
    "hertz": ((1e9, "GHz"), (1e6, "MHz"), (1.0, "Hz")),
    "seconds": ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "ratio": ((0.01, "%"),),
    "celsius": ((1.0, "°C"),),
    "watts": ((1.0, "W"),),
    "joules": ((1e6, "MJ"), (1e3, "kJ"), (1.0, "J")),
}
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def quantity(value: float, unit: str) -> str:
    """A value with its unit at a readable scale, three digits that count: ``71.2 GiB``, ``93 %``, ``240 ms``."""
    scales = _SCALES.get(unit)
    if scales is None:
        return f"{_digits(value)} {unit}".strip()
    factor, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    return f"{_digits(value / factor)} {name}"


def chance(share: float) -> str:
    """A probability: ``37 %``, ``under 1 %``, ``over 99 %``; never as sure as 0 or 100 %."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """At most two neighbouring units: ``2 d 4 h``, ``5 min``, ``0.25 s``."""
    if abs(seconds) < 10 and seconds != round(seconds):
        return f"{seconds:.3g} s"
    left = round(abs(seconds))
    first = next((rank for rank, (size, _) in enumerate(_STEPS) if left >= size), len(_STEPS) - 1)
    words: list[str] = []
    for size, unit in _STEPS[first : first + 2]:
        count, left = divmod(left, size)
        if count or not words:
            words.append(f"{count} {unit}")
    return ("-" if seconds < 0 else "") + " ".join(words)


def moment(time_ms: int) -> str:
    """A time stamp in words: ``Tue 24 Nov 14:00 UTC``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%a %d %b %H:%M UTC")


def hours(count: float) -> str:
    """A length of history: ``3.5 h`` under two days, ``12 days`` above."""
    return f"{_digits(round(count, 1))} h" if count < 48 else f"{count / 24:.0f} days"


def _digits(value: float) -> str:
    """Three digits that count; whole numbers up to a million stay whole."""
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e+0" in text and abs(value) < 1e6 else text
