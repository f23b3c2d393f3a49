"""The measures against arithmetic that anybody can follow."""

import numpy as np
import pytest

from forecast import scores

RANDOM = np.random.default_rng(7)


def test_the_scale_is_yesterdays_error_in_the_sample() -> None:
    history = RANDOM.normal(10, 2, (1, 200))
    history[0, [3, 50, 120]] = np.nan
    pairs = [
        abs(history[0, hour] - history[0, hour - 24])
        for hour in range(24, 200)
        if not np.isnan(history[0, hour]) and not np.isnan(history[0, hour - 24])
    ]
    assert scores.mase_scale(history)[0] == pytest.approx(sum(pairs) / len(pairs))


def test_the_scale_has_a_floor_of_a_thousandth_of_the_mean() -> None:
    scale = scores.mase_scale(np.stack([np.full(100, -50.0), np.zeros(100)]))
    assert scale[0] == pytest.approx(0.05)
    assert scale[1] == 1e-9


def test_less_than_a_day_has_no_scale() -> None:
    history = np.full((1, 100), np.nan)
    history[0, -20:] = 3.0
    assert np.isnan(scores.mase_scale(history)[0])


def test_mase_leaves_out_what_nobody_measured_and_is_capped() -> None:
    point = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    actual = np.array([[2.0, np.nan, 6.0], [1e9, 1e9, 1e9], [np.nan] * 3])
    found = scores.mase(point, actual, np.array([0.5, 1.0, 1.0]))
    assert found[:2].tolist() == [4.0, 20.0]
    assert np.isnan(found[2])


def test_pinball_by_hand() -> None:
    loss = scores.pinball(np.array([[[1.0, 5.0]]]), np.array([[3.0]]), levels=(0.1, 0.9))
    np.testing.assert_allclose(loss, [[[0.1 * 2, 0.1 * 2]]])


def test_pinball_is_least_at_the_quantile() -> None:
    sample = RANDOM.normal(size=20_001)
    guesses = np.linspace(-3, 3, 601)
    for level in scores.LEVELS:
        loss = scores.pinball(guesses[:, None, None], sample[None], levels=(level,)).mean(axis=(1, 2))
        assert guesses[loss.argmin()] == pytest.approx(np.quantile(sample, level), abs=0.02)


def test_quantile_scores_by_a_plain_loop() -> None:
    quantiles = np.sort(RANDOM.normal(size=(3, 6, 5)), axis=2)
    actual = RANDOM.normal(size=(3, 6)) + 4
    actual[1, 2] = np.nan
    scale = np.array([1.0, 2.0, 3.0])
    weighted, measured = 0.0, 0.0
    for window in range(3):
        losses = []
        for hour in range(6):
            y = actual[window, hour]
            if np.isnan(y):
                continue
            each = [
                max(a * (y - q), (a - 1) * (y - q)) for a, q in zip(scores.LEVELS, quantiles[window, hour], strict=True)
            ]
            losses.append(2 * sum(each) / 5)
            weighted, measured = weighted + 2 * sum(each) / 5, measured + abs(y)
        expected = sum(losses) / len(losses) / scale[window]
        assert scores.quantile_score(quantiles, actual, scale)[window] == pytest.approx(expected)
    assert scores.weighted_quantile_loss(quantiles, actual) == pytest.approx(weighted / measured)
    for nothing in (np.full_like(actual, np.nan), np.zeros_like(actual)):
        assert np.isnan(scores.weighted_quantile_loss(quantiles, nothing))


def test_coverage_counts_measured_hours_and_the_edges() -> None:
    quantiles = np.broadcast_to(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), (1, 5, 5))
    actual = np.array([[0.0, 1.0, 3.5, 9.0, np.nan]])
    assert scores.coverage(quantiles, actual, scores.BAND_80).tolist() == [0.25]
    assert scores.coverage(quantiles, actual, scores.BAND_95).tolist() == [0.75]


def test_brier_auc_and_recall_by_hand() -> None:
    said = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    came = np.array([True, True, False, True, False])
    assert scores.brier(said, came) == pytest.approx((0.01 + 0.04 + 0.64 + 0.49 + 0.01) / 5)
    pairs = [1.0, 1.0, 0.5, 1.0, 0.0, 1.0]  # .9, .8 and .3 against .8 and .1
    assert scores.auc(said, came) == pytest.approx(sum(pairs) / 6)
    assert scores.recall_at_precision(said, came, 0.8) == pytest.approx(1 / 3)  # the tie at .8 stays together
    assert scores.recall_at_precision(said, came, 0.7) == pytest.approx(1.0)  # three of four
    assert scores.f1(said > 0.5, came) == pytest.approx(2 * 2 / (3 + 3))


def test_auc_is_blind_to_monotone_changes_and_says_nothing_of_one_class() -> None:
    said = RANDOM.random(500)
    came = RANDOM.random(500) < said
    assert scores.auc(said**3, came) == pytest.approx(scores.auc(said, came))
    assert np.isnan(scores.auc(said, np.ones(500, dtype=bool)))
    assert np.isnan(scores.recall_at_precision(said, np.zeros(500, dtype=bool)))


def test_calibration_error_of_honest_and_of_boastful_probabilities() -> None:
    said = RANDOM.random(40_000)
    came = RANDOM.random(40_000) < said
    assert scores.calibration_error(said, came) < 0.01
    always = np.ones(1000)
    assert scores.calibration_error(always, np.arange(1000) < 400) == pytest.approx(0.6)


def test_crossings_count_from_zero_and_touching_is_crossing() -> None:
    values = np.array([[1.0, 2.0, 3.0], [5.0, 1.0, 1.0], [np.nan, 0.0, 1.0]])
    crossed = scores.first_crossing(values, np.array([3.0, 5.0, 2.0]))
    assert crossed[:2].tolist() == [2.0, 0.0]
    assert np.isnan(crossed[2])
    assert scores.lead_time_error(np.array([5.0, np.nan, 1.0]), crossed).tolist() == [3.0]
