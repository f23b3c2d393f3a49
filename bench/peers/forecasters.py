"""Prophet and statsforecast, each by its own library; run by the interpreter of ``bench/.venv``, never imported.

    python forecasters.py PEERS WINDOWS.npz CACHE.sqlite

WINDOWS holds ``values`` [n, hours] with NaN where nothing was measured, ``bridged`` (the same without gaps), ``starts``
[n, 42] (for ``prophet-warm``: m, k, 25 changes of the slope, 6 weekly and 8 daily waves, sigma; NaN where there is
none) and ``keys`` [n]. What each peer says of each window goes to the cache, under the peer's version and the window's
key, as an .npz with ``quantiles`` [72, 5]; what lies there already is not asked again. Prophet's also holds its
parameters and the maxima of its draws. Progress is printed as ``done total`` lines.
"""

import io
import logging
import os
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
from prophet import Prophet
from statsforecast import models

HORIZON = 72
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
DAY, WEEK = 24, 168
END = np.datetime64("2024-01-01T00", "h")
"""Every window ends here: neither library knows a calendar that matters to it, and equal windows stay equal."""
SEED = 1
Arrays = dict[str, np.ndarray]
Peer = Callable[[np.ndarray, np.ndarray, np.ndarray], Arrays]


def _fitted(values: np.ndarray, init: dict[str, Any] | None = None) -> Any:
    known = np.flatnonzero(np.isfinite(values))
    frame = pd.DataFrame({"ds": (END + known - values.size).astype("datetime64[ns]"), "y": values[known]})
    return Prophet().fit(frame, seed=SEED, **({} if init is None else {"init": init}))


def _parameters(model: Any) -> Arrays:
    return {f"parameter_{name}": np.ravel(model.params[name]) for name in ("m", "k", "delta", "beta", "sigma_obs")}


def prophet_default(values: np.ndarray, _bridged: np.ndarray, _start: np.ndarray) -> Arrays:
    """Prophet as it comes; missing hours are left out, its 1,000 draws give the quantiles."""
    model = _fitted(values)
    future = pd.DataFrame({"ds": (END + np.arange(HORIZON)).astype("datetime64[ns]")})
    np.random.seed(SEED)  # noqa: NPY002  Prophet draws from NumPy's global generator
    draws = model.predictive_samples(future)["yhat"]
    model.uncertainty_samples = 0
    quantiles = np.quantile(draws, LEVELS, axis=1).T
    quantiles[:, 2] = model.predict(future)["yhat"].to_numpy()
    return _parameters(model) | {"quantiles": quantiles, "maxima": np.sort(draws.max(axis=0))}


def prophet_warm(values: np.ndarray, _bridged: np.ndarray, start: np.ndarray) -> Arrays:
    """Stan's optimiser started where it is told to."""
    delta, beta = (part[np.isfinite(part)] for part in (start[2:27], start[27:41]))
    return _parameters(
        _fitted(values, {"m": start[0], "k": start[1], "delta": delta, "beta": beta, "sigma_obs": start[41]})
    )


def _of_statsforecast(name: str, **options: object) -> Peer:
    def asked(_values: np.ndarray, bridged: np.ndarray, _start: np.ndarray) -> Arrays:
        history = bridged[np.isfinite(bridged)]
        seasons = [DAY, WEEK] if name == "MSTL" and history.size >= 2 * WEEK + 1 else DAY
        model = getattr(models, name)(season_length=seasons, **options)
        found = model.forecast(y=history, h=HORIZON, level=[80, 95])
        columns = (found["lo-95"], found["lo-80"], found["mean"], found["hi-80"], found["hi-95"])
        return {"quantiles": np.stack(columns, axis=1)}

    return asked


PEERS: dict[str, tuple[str, Peer]] = {
    "prophet": ("prophet", prophet_default),
    "prophet-warm": ("prophet", prophet_warm),
    "Theta": ("statsforecast", _of_statsforecast("Theta")),
    "MSTL": ("statsforecast", _of_statsforecast("MSTL")),
    "AutoETS": ("statsforecast", _of_statsforecast("AutoETS")),
}


def version_of(peer: str) -> str:
    """The library that speaks, and its version."""
    return f"{peer} {PEERS[peer][0]}-{metadata.version(PEERS[peer][0])}"


def main(peers: str, windows: str, cache: str) -> None:
    """Ask what has not been asked yet."""
    _quiet()
    data = np.load(windows)
    store = sqlite3.connect(cache, timeout=60)
    store.execute(
        "CREATE TABLE IF NOT EXISTS said (peer TEXT, key TEXT, milliseconds REAL, body BLOB, PRIMARY KEY (peer, key))"
    )
    store.execute("CREATE TABLE IF NOT EXISTS speaks (peer TEXT PRIMARY KEY, version TEXT)")
    done, total = 0, len(peers.split(",")) * len(data["keys"])
    for peer in peers.split(","):
        version = version_of(peer)
        with store:
            store.execute("INSERT OR REPLACE INTO speaks VALUES (?, ?)", (peer, version))
        known = {key for (key,) in store.execute("SELECT key FROM said WHERE peer = ?", (version,))}
        columns = (data[name] for name in ("values", "bridged", "starts"))
        for key, *shown in zip(data["keys"].tolist(), *columns, strict=True):
            if key not in known:
                _ask(store, peer, key, shown)
            done += 1
            print(done, total, flush=True)


def _ask(store: sqlite3.Connection, peer: str, key: str, shown: list[np.ndarray]) -> None:
    begin = time.process_time() + os.times().children_user
    try:
        found = PEERS[peer][1](*shown)
    except Exception as error:  # noqa: BLE001  a peer that fails on a window has said nothing of it; the others go on
        found = {"failed": np.array(f"{type(error).__name__}: {error}")}
    elapsed = time.process_time() + os.times().children_user - begin
    body = io.BytesIO()
    np.savez(body, **found)
    row = (version_of(peer), key, 1000 * elapsed, body.getvalue())
    with store:
        store.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?)", row)


def _quiet() -> None:
    warnings.simplefilter("ignore")
    for name in ("prophet", "cmdstanpy", "prophet.plot"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
        logging.getLogger(name).addHandler(logging.NullHandler())


if __name__ == "__main__":
    main(*sys.argv[1:])
