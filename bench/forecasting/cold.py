"""Cold start: the same windows with so many hours of history and no more."""

from pathlib import Path

import numpy as np

from bench.forecasting.accuracy import bounded
from bench.forecasting.asking import Said
from bench.forecasting.ours import backtest_cut
from bench.forecasting.windows import Floats, Windows
from bench.peers.plain import yesterday
from bench.report import Table
from forecast import scores

HOURS = (24, 72, 168)
BEHIND_HOURS = 504
WINDOWS_A_SERIES = 2


def old_windows(windows: Windows) -> Windows:
    """The last windows of each series, of those that have 21 days behind them and know the last day whole."""
    picked = []
    usable = (windows.grid.length >= BEHIND_HOURS) & np.isfinite(windows.past[:, -24:]).all(axis=1)
    for name in np.unique(windows.names):
        picked += np.flatnonzero((windows.names == name) & usable)[-WINDOWS_A_SERIES:].tolist()
    return windows.rows(np.array(sorted(picked)))


def cut(of: Windows, hours: int) -> Floats:
    """The hours before each origin, [n, hours]."""
    return of.past[:, -hours:]


def read(of: Windows, work: Path, prophet: dict[int, Said]) -> dict[int, dict[str, float]]:
    """By hours of history the mean MASE of each method; the scale is that of the whole history."""
    scale = of.scale
    naive = scores.mase(yesterday(of.grid.bridged), of.actual, scale)
    found: dict[int, dict[str, float]] = {}
    for hours in HOURS:
        answers = backtest_cut(cut(of, hours), work)
        found[hours] = {
            "Forewarn": float(scores.mase(answers.quantiles[..., 2], of.actual, scale).mean()),
            "same hour yesterday": float(naive.mean()),
        }
        if hours in prophet:
            said = bounded(prophet[hours].quantiles[..., 2], of)
            known = np.isfinite(said[:, 0])
            found[hours]["Prophet"] = float(scores.mase(said[known], of.actual[known], scale[known]).mean())
    return found


def by_hours(of: Windows, found: dict[int, dict[str, float]]) -> Table:
    """Mean MASE, and its ratio to same hour yesterday's."""
    names = ("Forewarn", "same hour yesterday", "Prophet")
    rows = []
    for hours, errors in found.items():
        naive = errors["same hour yesterday"]
        cells = [f"{errors[name]:.2f} ({errors[name] / naive:.2f} x)" if name in errors else "-" for name in names]
        rows.append([str(hours), *cells])
    return Table(f"MASE by hours of history, {len(of)} windows with 21 days behind them", ["hours", *names], rows)
