"""What plans said of the past, read from measured series and from nodes that are made up."""

from pathlib import Path

import numpy as np

from forecast.plan.evaluation import Answers, ask_past, enough_gpus, gpus
from forecast.train.series import read_sets

SERIES = Path(__file__).parents[2] / "data" / "series"


def test_two_weeks_ahead_of_measured_series() -> None:
    found = ask_past(read_sets(SERIES, ("helios",)), 14, 14)
    figures = found.figures()
    assert figures["series"] >= 2
    assert ((found.said >= 0) & (found.said <= 1)).all()
    assert 0 < figures["crossed"] < 1
    assert figures["brier"] < 0.25


def test_enough_is_mostly_enough() -> None:
    figures = enough_gpus(gpus(12, 60 + 14, 1), 14)
    assert figures["nodes"] == 12
    assert figures["breached"] <= 0.2  # of 12, two by bad luck
    assert 1 < figures["over_need"] < 1.6


def test_figures_of_answers_that_are_known() -> None:
    said, came = np.array([0.0, 0.02, 0.9, 0.9]), np.array([False, True, True, True])
    figures = Answers(said, came, np.array(["a", "a", "b", "b"]), np.array([1.0, -3.0, 2.0])).figures()
    assert figures["crossed"] == 0.75
    assert figures["brier_base"] == 0.75 * 0.25
    assert figures["auc"] == 1.0
    assert (figures["safe_questions"], figures["safe_crossed"]) == (2, 0.5)
    assert figures["t50_off_days"] == 2
    assert abs(figures["brier"] - (0.98**2 + 2 * 0.1**2) / 4) < 1e-12
