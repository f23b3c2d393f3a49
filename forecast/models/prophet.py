"""Prophet with its defaults, through its own library (the extra ``forecast``), always with the same seed.

pandas and prophet are imported inside: they cost 0.7 s and 140 MiB, and may be missing.
"""

import importlib.util
import logging
import warnings
from typing import Any, ClassVar

import numpy as np

from forecast.models.base import LEVELS, Prediction
from forecast.prepare import History
from forecast.settings import HORIZON_HOURS
from forewarn.base.clock import HOUR
from forewarn.base.errors import MissingExtraError

SEED = 20_240_229

_CHATTER = {"cmdstanpy": logging.ERROR, "prophet": logging.ERROR, "prophet.plot": logging.CRITICAL}
"""Libraries that log what is of no use here (each fit; that a plotting library is missing), from which level on."""


def available() -> bool:
    """Whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("pandas", "prophet", "cmdstanpy"))


class ProphetModel:
    """Piecewise linear trend, daily and (from two weeks on) weekly seasonality, fitted by Stan's optimiser.

    The expected value is Prophet's yhat; the bands are quantiles of 1,000 draws from its predictive distribution.
    """

    name: ClassVar[str] = "prophet"
    needs_hours: ClassVar[int] = 7 * 24

    def predict(self, history: History) -> Prediction:
        """The next 72 hours; hours without a value are left out of the fit.

        Raises:
            MissingExtraError: prophet or pandas is not installed.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # prophet uses what pandas deprecates
            return _fitted(history)


def _fitted(history: History) -> Prediction:
    pd, prophet = _libraries()
    known = np.flatnonzero(np.isfinite(history.values))
    past = pd.DataFrame({"ds": _times(history.start_ms, known), "y": history.values[known]})
    future = pd.DataFrame({"ds": _times(history.end_ms, np.arange(HORIZON_HOURS))})
    model = prophet.Prophet()
    model.fit(past, seed=SEED)
    np.random.seed(SEED)  # noqa: NPY002  Prophet draws from NumPy's global generator
    draws = model.predictive_samples(future)["yhat"]
    model.uncertainty_samples = 0  # predict() would draw all of them again
    mean = model.predict(future)["yhat"].to_numpy(dtype=np.float64)
    edges = np.quantile(draws, list(LEVELS.values()), axis=1)
    return Prediction(mean, dict(zip(LEVELS, edges, strict=True)))


def _libraries() -> tuple[Any, Any]:
    _hush()
    try:
        import pandas as pd  # noqa: PLC0415
        import prophet  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("the Prophet model", "forecast") from error
    _hush()  # again: its import sets a level of its own
    return pd, prophet


def _hush() -> None:
    for name, level in _CHATTER.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if not logger.hasHandlers():
            logger.addHandler(logging.NullHandler())  # cmdstanpy would add one of its own and tell of every fit


def _times(start_ms: int, hours: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Any:
    return (start_ms + hours * HOUR).astype("datetime64[ms]")
