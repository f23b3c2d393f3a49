"""Pictures of how far probabilities and bands hold."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench.forecasting.accuracy import OURS, PROPHET, Reading, parts
from bench.forecasting.windows import Flags, Floats
from forecast import scores

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "forewarn"
from matplotlib import pyplot as plt  # noqa: E402  it looks for a screen where no back end is named before
from matplotlib.figure import Figure  # noqa: E402  as above

BINS = 10
COLOURS = {OURS: "#0b7285", PROPHET: "#e8590c"}
FEWEST = 20
"""Answers that a bin needs for a point."""


def reliability(said: Mapping[str, Mapping[str, tuple[Floats, Flags]]], path: Path) -> None:
    """A panel each statistic: of all that was given a probability, how much came; below how often it was given.

    Args:
        said: by statistic and method probabilities [m] and what came [m].
        path: an SVG file.
    """
    drawn, axes = plt.subplots(
        2, len(said), figsize=(4.6 * len(said), 5.6), sharex=True, height_ratios=(4, 1), squeeze=False
    )
    for column, (statistic, methods) in enumerate(said.items()):
        above, below = axes[:, column]
        above.plot([0, 1], [0, 1], color="#adb5bd", linewidth=1)
        for offset, (name, (probability, came)) in enumerate(methods.items()):
            place = np.minimum((probability * BINS).astype(int), BINS - 1)
            count = np.bincount(place, minlength=BINS)
            full = count >= FEWEST
            mean, share = (np.bincount(place, values, BINS) for values in (probability, came.astype(float)))
            x, y = mean[full] / count[full], share[full] / count[full]
            error = 1.96 * np.sqrt(y * (1 - y) / count[full])
            label = f"{name} (error {scores.calibration_error(probability, came):.3f})"
            above.errorbar(x, y, error, marker="o", markersize=4, linewidth=1.3, color=COLOURS[name], label=label)
            middle = (np.arange(BINS) + 0.3 + 0.4 * offset) / BINS
            below.bar(middle, count, width=0.04, color=COLOURS[name])
        above.set(title=f"Crossing within 72 h, hourly {statistic}", ylabel="share that crossed", ylim=(0, 1))
        above.legend(loc="upper left", frameon=False, fontsize=8)
        below.set(xlabel="probability that was given", ylabel="questions", xlim=(0, 1))
    _save(drawn, path)


def coverage(reading: Reading, path: Path) -> None:
    """How much the bands cover: by group of windows, and by hours ahead."""
    groups = parts(reading.windows)
    drawn, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), width_ratios=(5, 4))
    height = np.arange(len(groups))[::-1]
    for name in (OURS, PROPHET):
        for band, (nominal, marker) in enumerate(((80, "o"), (95, "D"))):
            values = [reading.covered(band, rows, name) for rows in groups.values()]
            left.scatter(values, height, marker=marker, s=26, color=COLOURS[name], label=f"{name}, {nominal} %")
            left.axvline(nominal, color="#adb5bd", linewidth=1, zorder=0)
            right.plot(_by_hour(reading, name, band), color=COLOURS[name], linestyle="-" if nominal == 95 else "--")
            right.axhline(nominal, color="#adb5bd", linewidth=1, zorder=0)
    left.set_yticks(height, list(groups), fontsize=8)
    left.set(xlabel="% of measured hours within the band", title="Bands of 80 % and 95 %")
    left.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4)
    right.set(
        xlabel="hours ahead (95 % drawn through, 80 % dashed)",
        title="The same by hours ahead",
        ylim=(50, 100),
        xlim=(0, 71),
    )
    _save(drawn, path)


def _by_hour(reading: Reading, name: str, band: int) -> Floats:
    quantiles, actual = reading.methods[name].quantiles, reading.windows.actual
    assert quantiles is not None
    low, high = (scores.BAND_80, scores.BAND_95)[band]
    inside = (actual >= quantiles[..., low]) & (actual <= quantiles[..., high])
    return np.asarray(100 * np.nanmean(np.where(np.isfinite(actual), inside, np.nan), axis=0))


def _save(drawn: Figure, path: Path) -> None:
    drawn.tight_layout()
    drawn.savefig(path, metadata={"Date": None})
    plt.close(drawn)
