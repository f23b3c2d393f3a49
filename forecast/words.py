"""Numbers and times in words, as a person on call reads them."""

from datetime import UTC, datetime

_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "bytes": ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")),
    "bytes/s": ((1e12, " TB/s"), (1e9, " GB/s"), (1e6, " MB/s"), (1e3, " kB/s"), (1.0, " B/s")),
    "hertz": ((1e9, " GHz"), (1e6, " MHz"), (1.0, " Hz")),
    "seconds": ((86400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs")),
    "ratio": ((0.01, " %"),),
    "celsius": ((1.0, " °C"),),
    "watts": ((1.0, " W"),),
    "joules": ((1e6, " MJ"), (1e3, " kJ"), (1.0, " J")),
}


def quantity(value: float, unit: str) -> str:
    """A value with its unit at a readable scale: ``71 GB``, ``93 %``, ``240 ms``; three digits that count."""
    scales = _SCALES.get(unit)
    if scales is None:
        return f"{_digits(value)} {unit}".strip()
    factor, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    return f"{_digits(value / factor)}{name}"


def moment(time_ms: int) -> str:
    """A time stamp in words: ``Tue 24 Nov 14:00 UTC``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%a %d %b %H:%M UTC")


def hours(count: float) -> str:
    """A length of history: ``3.5 h`` under two days, ``12 days`` above."""
    return f"{_digits(round(count, 1))} h" if count < 48 else f"{count / 24:.0f} days"


def _digits(value: float) -> str:
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e+0" in text and abs(value) < 1e6 else text
