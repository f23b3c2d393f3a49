"""What the peers say of windows: asked in an environment of their own, once, and kept on the disk.

An answer is kept under the peer's version and a hash of what it was shown, so that another run asks only what is new.
"""

import hashlib
import io
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.forecasting.windows import Floats
from forecast.grid import Grid
from forecast.scores import LEVELS
from forecast.settings import HORIZON_HOURS
from forewarn.base.errors import ForewarnError
from forewarn.cli.output import progress

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
SCRIPT = ROOT / "peers" / "forecasters.py"
CACHE = ROOT / ".cache" / "forecasters.sqlite"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
NICE = 10


@dataclass(frozen=True)
class Said:
    """What one peer said of n windows.

    Attributes:
        version: of the library.
        quantiles: [n, 72, 5], rising; NaN where it failed.
        milliseconds: of processor time, [n].
        more: of each window whatever else it gave.
    """

    version: str
    quantiles: Floats
    milliseconds: Floats
    more: Sequence[dict[str, Any]]

    @property
    def failed(self) -> int:
        """Of how many windows it said nothing."""
        return int(np.isnan(self.quantiles[:, 0, 2]).sum())


def ask(
    peers: Sequence[str], past: Floats, what: str, cache: Path = CACHE, starts: Floats | None = None
) -> dict[str, Said]:
    """What each peer says after these hours, [n, hours].

    Args:
        peers: their names in ``bench/peers/forecasters.py``.
        past: NaN where missing.
        what: told beside the progress.
        cache: where answers are kept.
        starts: [n, parameters] where Stan's optimiser starts, for ``prophet-warm``.

    Raises:
        ForewarnError: their environment is not there, or one of them ended badly.
    """
    if not PYTHON.exists():
        raise ForewarnError(f"{PYTHON} is not there", hint="make bench-peers installs what Forewarn is compared with")
    cache.parent.mkdir(exist_ok=True)
    begins = np.empty((len(past), 0)) if starts is None else starts
    shown = np.concatenate([past, begins], axis=1)
    keys = [hashlib.sha256(row.tobytes()).hexdigest() for row in shown]
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
        file = Path(folder) / "windows.npz"
        np.savez(file, values=past, bridged=Grid(0, past).bridged, starts=begins, keys=np.array(keys))
        _run([str(PYTHON), str(SCRIPT), ",".join(peers), str(file), str(cache)], what)
    with closing(sqlite3.connect(cache)) as store:
        return {peer: _read(store, peer, keys) for peer in peers}


def _run(command: Sequence[str], what: str) -> None:
    environment = {**os.environ, **ONE_THREAD}
    with (
        progress(f"peers: {what}") as bar,
        subprocess.Popen(
            ["nice", "-n", str(NICE), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as child,
    ):
        assert child.stdout is not None
        assert child.stderr is not None
        for line in child.stdout:
            done, total = line.split()
            bar(int(done), int(total))
        errors = child.stderr.read()
    if child.returncode:
        raise ForewarnError(f"the peers ended with {child.returncode}: {errors.strip().splitlines()[-1:]}")


def _read(store: sqlite3.Connection, peer: str, keys: Sequence[str]) -> Said:
    (version,) = store.execute("SELECT version FROM speaks WHERE peer = ?", (peer,)).fetchone()
    question = "SELECT milliseconds, body FROM said WHERE peer = ? AND key = ?"
    rows = [store.execute(question, (version, key)).fetchone() for key in keys]
    said = [dict(np.load(io.BytesIO(body))) for _, body in rows]
    quantiles = np.full((len(keys), HORIZON_HOURS, len(LEVELS)), np.nan)
    for place, one in enumerate(said):
        if "quantiles" in one and np.isfinite(one["quantiles"]).all():
            quantiles[place] = np.maximum.accumulate(one["quantiles"], axis=1)
    return Said(version, quantiles, np.array([milliseconds for milliseconds, _ in rows]), said)
